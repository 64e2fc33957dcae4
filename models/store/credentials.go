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

// Proof is in which life of the hub, and when, somebody has proved to hold a node's key.
type Proof struct {
	Incarnation uint64
	At          time.Time
}

// Holding is what a node has asked for last: how many tokens, and what it drew for that one.
type Holding struct {
	Generation uint64
	Mark       string
}

// RaiseGeneration stores that the node has asked for a token with this key and for this time;
// ErrUnchanged when it has asked for as many before, or has another key.
func (s *Scope) RaiseGeneration(id models.NodeID, thumb string, h Holding, p Proof) error {
	return setOne[models.Node](s.handle, values{"generation": h.Generation,
		"generation_mark": h.Mark, "proved_incarnation": p.Incarnation, "proved_at": p.At},
		is("id", id), is("key_thumb", thumb), before("generation", h.Generation), member())
}

// Rotation is a node's change from one key of its own to the next.
type Rotation struct {
	Old, New  string // thumbprints
	PublicKey string
	Proof
}

// Adoption is what a restored hub takes over from a node: its keys from the one that the hub knows
// to the present one, by their thumbprints, and where it stands.
type Adoption struct {
	Keys      []string
	PublicKey string
	Holding
	Proof
}

// RotateNodeKey gives a node its next key if the present one is still the old one, and remembers that
// one; else ErrUnchanged. It refuses a key that another node has (NodeKey).
func (s *Scope) RotateNodeKey(id models.NodeID, r Rotation) error {
	err := setOne[models.Node](s.handle, values{"key_thumb": r.New, "public_key": r.PublicKey,
		"proved_incarnation": r.Incarnation, "proved_at": r.At},
		is("id", id), is("key_thumb", r.Old), isNot("member", models.MemberQuarantined), member())
	if err != nil {
		return err
	}
	return create(s.handle, &rotatedKey{KeyThumb: r.Old, NodeID: id, NextThumb: r.New, RotatedAt: r.At})
}

// AdoptNodeKey gives a node the last of its keys, and remembers the others, if the present one is
// the first, nobody has proved to hold that one in this life of the hub, and the node has not asked
// for fewer tokens than are stored; else ErrUnchanged (R34). It refuses a key that another node has
// (NodeKey).
func (s *Scope) AdoptNodeKey(id models.NodeID, a Adoption) error {
	if len(a.Keys) < 2 {
		return ErrUnchanged
	}
	last := len(a.Keys) - 1
	err := setOne[models.Node](s.handle, values{"key_thumb": a.Keys[last], "public_key": a.PublicKey,
		"generation": a.Generation, "generation_mark": a.Mark,
		"proved_incarnation": a.Incarnation, "proved_at": a.At},
		is("id", id), is("key_thumb", a.Keys[0]), before("proved_incarnation", a.Incarnation),
		atMost("generation", a.Generation), isNot("member", models.MemberQuarantined), member())
	if err != nil {
		return err
	}
	for i, was := range a.Keys[:last] {
		err := create(s.handle, &rotatedKey{KeyThumb: was, NodeID: id, NextThumb: a.Keys[i+1],
			RotatedAt: a.At})
		if err != nil {
			return err
		}
	}
	return nil
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

// FormerKeys answers the keys that the node had before its present one, each with the one that came
// after it.
func (h *Hub) FormerKeys(id models.NodeID) (map[string]string, error) {
	rows, err := list[rotatedKey](h.handle, nil, 0, is("node_id", id))
	former := make(map[string]string, len(rows))
	for _, row := range rows {
		former[row.KeyThumb] = row.NextThumb
	}
	return former, err
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
