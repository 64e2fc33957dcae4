package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/keys"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// oldKeysFor is how long the hub knows a key that was rotated away for what it is. A copy that is
// older still is refused all the same, though nobody is told.
const oldKeysFor = 100 * 24 * time.Hour

type rotationToken struct {
	jwt.RegisteredClaims
	Nonce string `json:"nonce"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// rotation is a change of keys that both keys have signed.
type rotation struct {
	node models.NodeID
	old  string
	key  wire.JWK
	live bool
}

// RotateKey gives a node its next key. Asked again, because the answer was lost, it answers the same.
func (f *Fleet) RotateKey(ctx context.Context, a Actor, r wire.RotateRequest,
) (wire.RotateResponse, error) {
	if err := f.Serving(); err != nil {
		return wire.RotateResponse{}, err
	}
	turn, err := f.readRotation(r)
	if err != nil {
		return wire.RotateResponse{}, err
	}
	s, err := f.stand(ctx, turn.node, turn.old)
	if err != nil {
		return wire.RotateResponse{}, err
	}
	thumb := turn.key.Thumbprint()
	done := wire.RotateResponse{KeyThumb: thumb, Now: f.now()}
	switch {
	case s.gone != "":
		return wire.RotateResponse{}, f.stated(s, turn.old)
	case s.node.Member == models.MemberQuarantined:
		return wire.RotateResponse{}, quarantined()
	case s.node.KeyThumb == thumb && s.next == thumb:
		return done, nil
	case s.node.KeyThumb != turn.old:
		return wire.RotateResponse{}, f.copied(ctx, s.node, turn.old, turn.live, copyOldKey)
	}
	err = f.swapKey(ctx, a, s.node, turn)
	if errors.Is(err, store.ErrUnchanged) { // another request was first; the next one is told
		return wire.RotateResponse{}, models.Conflict("key_changed", "")
	}
	return done, err
}

func (f *Fleet) swapKey(ctx context.Context, a Actor, n models.Node, turn rotation) error {
	public, err := json.Marshal(turn.key)
	if err != nil {
		return err
	}
	a.Kind, a.Name, a.Organization = models.ActorNode, string(n.Name), n.OrganizationID
	a.UserID = models.UserID(n.ID)
	thumb := turn.key.Thumbprint()
	return f.change(ctx, a, n.OrganizationID, n.ClusterID, func(w *work, s *store.Scope) error {
		m := w.member(n.ID)
		if m == nil || m.KeyThumb != turn.old {
			return store.ErrUnchanged
		}
		if err := keyIsFree(s.Tx(), thumb); err != nil {
			return err
		}
		err := s.RotateNodeKey(n.ID, store.Rotation{Old: turn.old, New: thumb,
			PublicKey: string(public), Proof: f.proof(w.now)})
		if err != nil {
			return err
		}
		m.KeyThumb, m.PublicKey = thumb, string(public)
		w.recordNode(ActionKeyRotated, m, keyNote{turn.old}, keyNote{thumb})
		return nil
	})
}

// readRotation wants the same claims signed by the key that goes and by the key that comes.
func (f *Fleet) readRotation(r wire.RotateRequest) (rotation, error) {
	invalid := models.Unauthorized("invalid_assertion")
	want := keys.Want{Type: wire.TypeRotation, Audience: wire.Audience, Untimed: true}
	var old, fresh rotationToken
	oldKey, err := keys.VerifyOwn(r.ByOld, want, &old)
	if err != nil {
		return rotation{}, invalid
	}
	key, err := keys.VerifyOwn(r.ByNew, want, &fresh)
	if err != nil {
		return rotation{}, invalid
	}
	turn := rotation{node: models.NodeID(old.Subject), old: oldKey.Thumbprint(), key: key}
	same := old.Subject == fresh.Subject && old.ID == fresh.ID && old.Nonce == fresh.Nonce &&
		old.Old == fresh.Old && old.New == fresh.New
	if !same || old.Subject == "" || len(old.Subject) > maxWord || len(old.ID) < minProofID ||
		len(old.ID) > maxProofID || old.Old != turn.old || old.New != key.Thumbprint() ||
		old.Old == old.New {
		return rotation{}, invalid
	}
	turn.live, err = f.spendNonce(old.Nonce, challenge{turn.node, turn.old}, old.ID)
	return turn, err
}
