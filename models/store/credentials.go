package store

import (
	"time"

	"connecthub/models"
)

// rotatedKey is a key that a node had before its present one.
type rotatedKey struct {
	KeyThumb  string `gorm:"primaryKey"`
	NodeID    models.NodeID
	NextThumb string
	RotatedAt time.Time
}

// TableName names its table.
func (rotatedKey) TableName() string { return "rotated_keys" }

// RaiseGeneration stores that the node has asked for a token with this key and for this time;
// ErrUnchanged when it has asked for as many before, or has another key.
func (s *Scope) RaiseGeneration(id models.NodeID, thumb string, generation uint64, mark string) error {
	return setOne[models.Node](s.handle, values{"generation": generation, "generation_mark": mark},
		is("id", id), is("key_thumb", thumb), before("generation", generation), member())
}

// Rotation is a node's change from one key of its own to the next.
type Rotation struct {
	Old, New  string // thumbprints
	PublicKey string
	At        time.Time
}

// RotateNodeKey gives a node its next key if the present one is still the old one, and remembers that
// one; else ErrUnchanged. It refuses a key that another node has (NodeKey).
func (s *Scope) RotateNodeKey(id models.NodeID, r Rotation) error {
	err := setOne[models.Node](s.handle, values{"key_thumb": r.New, "public_key": r.PublicKey},
		is("id", id), is("key_thumb", r.Old), isNot("member", models.MemberQuarantined), member())
	if err != nil {
		return err
	}
	return create(s.handle, &rotatedKey{KeyThumb: r.Old, NodeID: id, NextThumb: r.New, RotatedAt: r.At})
}

// FormerKey answers whether the node had this key before its present one, and which key of its own
// came after it: none where another machine took its place.
func (h *Hub) FormerKey(id models.NodeID, thumb string) (next string, was bool, err error) {
	row, err := takeAny[rotatedKey](h.handle, is("key_thumb", thumb), is("node_id", id))
	if err != nil || row == nil {
		return "", false, err
	}
	return row.NextThumb, true, nil
}

// replaceKeys notes that what follows a node's keys is another machine's: they have no next one.
func replaceKeys(h handle, id models.NodeID, was string, now time.Time) error {
	_, err := set[rotatedKey](h, values{"next_thumb": ""}, is("node_id", id))
	if err != nil || was == "" {
		return err
	}
	return create(h, &rotatedKey{KeyThumb: was, NodeID: id, RotatedAt: now})
}

// PurgeRotatedKeys forgets the keys that were rotated away before.
func (h *Hub) PurgeRotatedKeys(until time.Time) error {
	_, err := remove[rotatedKey](h.handle, before("rotated_at", until))
	return err
}
