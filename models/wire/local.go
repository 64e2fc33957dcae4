package wire

import (
	"time"

	"connecthub/models"
)

// MaxByHand is how many reports of work by hand one poll may bear.
const MaxByHand = 16

// LocalRequest asks for a permit for work by hand (R33), immediately before it. Digest is of the
// signed bundle that an upgrade goes to, which the node has already; otherwise it is empty.
type LocalRequest struct {
	What    models.HandWork `json:"what"`
	Version models.Version  `json:"version,omitempty"`
	Digest  string          `json:"digest,omitempty"`
	Poll    PollRequest     `json:"poll"` // the node's state at this moment
}

// LocalResponse has the offered permit, or says why not. Asked again, it is the same permit.
type LocalResponse struct {
	Permit  *Permit       `json:"permit,omitempty"`
	Reason  models.Reason `json:"reason,omitempty"`
	Subject string        `json:"subject,omitempty"`
	Now     time.Time     `json:"now"`
}

// HandReport is work by hand that was done without a permit, as its node tells it afterwards. The
// hub records each id once.
type HandReport struct {
	ID      string          `json:"id"`
	What    models.HandWork `json:"what"`
	Outcome models.Outcome  `json:"outcome"`
	Detail  string          `json:"detail,omitempty"`
	From    models.Version  `json:"from,omitempty"`
	To      models.Version  `json:"to,omitempty"`
	BegunAt time.Time       `json:"begun_at"` // by the node's clock
	EndedAt time.Time       `json:"ended_at"`
}
