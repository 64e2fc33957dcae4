package audit

import (
	"crypto/ed25519"
	"time"

	"connecthub/hub/keys"
	"connecthub/models"
)

// Guards are the checks of a verifier by name, for the mutants.
func Guards() map[string]uint8 {
	return map[string]uint8{"hash": uint8(guardHash), "link": uint8(guardLink),
		"place": uint8(guardPlace), "end": uint8(guardEnd), "signed": uint8(guardSigned),
		"count": uint8(guardCount)}
}

// NewMutant is a verifier without some of its checks.
func NewMutant(hub string, key ed25519.PublicKey, off uint8) *Verifier {
	v := NewVerifier(hub, key)
	v.off = guard(off)
	return v
}

// SignPoint signs a checkpoint as the hub does.
func SignPoint(k *keys.Hub, hub string, c *models.AuditCheckpoint) error {
	var err error
	c.Statement, err = sign(k, hub, typeCheckpoint, claims{Organization: c.OrganizationID,
		Number: c.Number, Sequence: c.Sequence, Hash: c.Hash, At: c.At})
	return err
}

// SignCut signs a cut as the hub does.
func SignCut(k *keys.Hub, hub string, number int64, r models.AuditRecord, at time.Time) (string, error) {
	return sign(k, hub, typeCut, claims{Organization: r.OrganizationID, Number: number,
		Sequence: r.Sequence, Hash: r.Hash, At: at})
}

// Actions is the table of what is recorded.
func Actions() map[string]Category {
	all := make(map[string]Category)
	for action, k := range kinds() {
		all[action] = k.category
	}
	return all
}
