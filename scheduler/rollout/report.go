package rollout

import (
	"time"

	"connecthub/models"
)

// Ending is what a node reports of its permit.
type Ending struct {
	Permit  models.PermitID
	Fence   models.Fence
	Outcome models.Outcome
	Detail  string
}

// Report ends the asking node's permit with the outcome that the node reports, and with it halts,
// goes on with or completes the rollout (R19, R20). The node's row bears already what it said in
// the same poll. A report that is not about the open permit of that node with that fence changes
// nothing (R21): stale_permit, stale_fence.
func Report(s Snapshot, e Ending, now time.Time) ([]Effect, error) {
	v := newView(s, now)
	switch {
	case v.asking == nil || s.Permit == nil || !e.Outcome.Reportable():
		return nil, models.Conflict("stale_permit", "")
	case !bears(&s, e.Permit, e.Fence):
		if s.Permit.ID == e.Permit && s.Permit.NodeID == s.Asking {
			return nil, models.Conflict("stale_fence", "")
		}
		return nil, models.Conflict("stale_permit", "")
	}
	outcome, detail := e.Outcome, e.Detail
	if version := v.permitVersion(); outcome == models.Succeeded && version != "" &&
		version != string(v.asking.Version) {
		outcome = models.Failed // it would be offered the same release for ever
		detail = "reported success, but runs " + string(v.asking.Version)
	}
	ours := v.rollout != nil && s.Permit.RolloutID == v.rollout.ID
	v.endPermit(EndPermit{Outcome: outcome, Reason: models.ReasonReportedSelf, Detail: detail})
	if ours {
		switch outcome {
		case models.Failed, models.RolledBack:
			v.setRollout(SetRolloutState{State: models.RolloutHaltedFailed, BlockedBy: s.Asking})
		case models.Succeeded, models.Abandoned, models.Withdrawn, models.Overridden:
			v.resume()
		}
	}
	v.settle()
	return v.effects, nil
}

// endPermit ends the open permit, and uses up the waiver that it was confirmed under (R17).
func (v *view) endPermit(e EndPermit) {
	v.add(e)
	if v.permit.State == models.PermitConfirmed && v.despite != v.permit.NodeID {
		v.useDespite()
	}
	v.permit = nil
}

// resume lets a rollout go on that was halted because the holder was silent (R20).
func (v *view) resume() {
	if v.rollout.State == models.RolloutHaltedLost {
		v.setRollout(SetRolloutState{State: models.RolloutActive})
	}
}
