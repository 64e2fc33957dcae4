package rollout

import (
	"time"

	"connecthub/models"
)

// heldByPeers: some other active member does not serve, as far as the hub knows now (R17, R22).
func (v *view) heldByPeers(r *models.Release) (Decision, bool) {
	if !v.s.holds(r17) {
		return Decision{}, false
	}
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if n.Member != models.MemberActive || n.ID == v.asking.ID || v.waived(n) {
			continue
		}
		if reason, until, away := v.away(n); away {
			return v.hold(reason, string(n.Name), later(until, v.soonOf(r))), true
		}
	}
	return Decision{}, false
}

// away says why a peer does not serve, and until when at least.
func (v *view) away(n *models.Node) (models.Reason, time.Time, bool) {
	switch {
	case n.InMaintenance(v.now) && v.s.holds(r22):
		return models.ReasonPeerInMaintenance, *n.MaintenanceUntil, true
	case !n.Polling(v.now):
		return models.ReasonPeerSilent, v.now, true
	case n.Step == models.StepSoaking:
		return models.ReasonSoaking, v.now, true
	case n.Step.Disruptive():
		return models.ReasonOtherNodeUpgrading, v.now, true
	case n.Health != models.Healthy:
		return models.ReasonPeerUnhealthy, v.now, true
	}
	return "", v.now, false
}

// waived says whether an admin has said: upgrade despite this one (R17).
func (v *view) waived(n *models.Node) bool { return n.ID == v.despite }

// soonOf is soon, and now for work by hand, which needs no window (R33).
func (v *view) soonOf(r *models.Release) time.Time {
	if r == nil {
		return v.now
	}
	return v.soon(r.Kind)
}

// heldByOrder: another member goes first (R17): a polling one that is unhealthy, then the
// publisher, then the subscribers by name, unless the release says otherwise.
func (v *view) heldByOrder(r *models.Release) (Decision, bool) {
	if !v.s.holds(r17) {
		return Decision{}, false
	}
	first := v.asking
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if n.Member != models.MemberActive || n.Version == r.Version || n.ID == v.asking.ID ||
			v.waived(n) {
			continue
		}
		if v.before(n, first, r.Order) {
			first = n
		}
	}
	if first == v.asking {
		return Decision{}, false
	}
	return v.hold(models.ReasonNotYourTurn, string(first.Name), v.soon(r.Kind)), true
}

// before says whether n goes before m.
func (v *view) before(n, m *models.Node, order models.UpdateOrder) bool {
	if a, b := v.failing(n), v.failing(m); a != b {
		return a
	}
	if n.Role != m.Role {
		publisherLast := order == models.SubscribersFirst
		return (n.Role == models.Publisher) != publisherLast
	}
	return n.Name < m.Name
}

// failing says whether a node polls and yet does not serve.
func (v *view) failing(n *models.Node) bool {
	return n.Health != models.Healthy && n.Polling(v.now)
}
