package fleet

import (
	"context"

	"connecthub/models"
	"connecthub/models/store"
)

// serving refuses where this replica must not answer nodes now.
func (f *Fleet) serving() error { return nil }

// noteRevocation counts a revocation in the transaction that makes it.
type noteRevocation func(tx *store.Tx, cluster models.ClusterID) error

// revoking runs what revokes a credential.
func (f *Fleet) revoking(ctx context.Context,
	do func(ctx context.Context, note noteRevocation) error,
) error {
	return do(ctx, func(*store.Tx, models.ClusterID) error { return nil })
}
