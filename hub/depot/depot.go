// Package depot keeps the vendor's releases, and their bundles on disk by digest. It knows no
// clusters and no permits.
package depot

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"connecthub/models"
)

// Options are what a Depot needs.
type Options struct {
	Dir string // bundles, by digest
	Now func() time.Time
	Log *slog.Logger
}

// Depot is the artifact repository.
type Depot struct{ o Options }

// New opens the depot and creates its folder.
func New(o Options) (*Depot, error) { return &Depot{o: o}, nil }

// NewRelease is what a release engineer says of a bundle; the rest is in its manifest.
type NewRelease struct {
	Kind    models.Kind
	Channel string // default "stable"
	Notes   string
	Draft   bool // keep it a draft
}

// Publish streams a bundle into the depot and describes it as a release.
func (d *Depot) Publish(ctx context.Context, a models.Actor, r NewRelease, bundle io.Reader) (models.Release, error) {
	return models.Release{}, errors.New("not yet")
}

// Releases lists all, newest first.
func (d *Depot) Releases(ctx context.Context, a models.Actor) ([]models.Release, error) {
	return nil, errors.New("not yet")
}

// SetState publishes, pauses, resumes or recalls a release.
func (d *Depot) SetState(ctx context.Context, a models.Actor, id models.ReleaseID, state models.ReleaseState) (models.Release, error) {
	return models.Release{}, errors.New("not yet")
}
