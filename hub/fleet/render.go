package fleet

import (
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/scheduler/rollout"
)

// render makes the answer to a poll from what the node may see of a decision. The cluster's lock is
// held, and its rows are as they were committed.
func (f *Fleet) render(c *cluster, n *models.Node, r *wire.PollRequest, d rollout.Decision,
	now time.Time,
) (wire.PollResponse, error) {
	permit, err := f.permitFor(c, n)
	if err != nil {
		return wire.PollResponse{}, err
	}
	pause := f.nextPoll(c.rows.plan, n, permit != nil || n.Step != models.StepIdle, now)
	n.IntervalSeconds = seconds(pause)
	answer := wire.PollResponse{
		Protocol: wire.Protocol, Now: now, NextPollMS: pause.Milliseconds(),
		Decision: wire.Decision{Verb: d.Verb, Reason: d.Reason, Subject: d.Subject},
		Permit:   permit, Maintenance: n.InMaintenance(now),
		SendFacts:    r.FactsDigest != n.FactsDigest,
		SendPackages: asksPackages(n, r),
	}
	if c.rows.permit != nil && r.Orchestrating {
		answer.PermitOpen = holderOf(&c.rows)
	}
	for i := range r.ByHand {
		answer.ByHandHeard = append(answer.ByHandHeard, r.ByHand[i].ID)
	}
	if !d.Earliest.IsZero() {
		earliest := d.Earliest
		answer.Decision.Earliest = &earliest
	}
	if r.Permit != nil && (permit == nil || permit.ID != r.Permit.ID) {
		answer.PermitEnded = r.Permit.ID
	}
	if permit != nil && permit.State == models.PermitOffered && !n.Denies(permit.Version) {
		for _, v := range r.Denied {
			if v == permit.Version { // an admin lets it try again
				answer.ForgetDenied = append(answer.ForgetDenied, v)
			}
		}
	}
	return answer, nil
}

// asksPackages: its facts are here and do not name all packages. Whatever releases ask for, it is the
// same (R14), and a node that cannot tell is asked in vain.
func asksPackages(n *models.Node, r *wire.PollRequest) bool {
	return r.FactsDigest == n.FactsDigest && n.PackagesDigest != n.FactsDigest &&
		!n.NamesAllPackages()
}

// holderOf names who holds the open permit; its id stands in for a member that is gone.
func holderOf(r *rows) models.FQDN {
	if n := r.member(r.permit.NodeID); n != nil {
		return n.Name
	}
	return models.FQDN(r.permit.NodeID)
}

// permitFor is the open permit as its node sees it, or nil for every other node.
func (f *Fleet) permitFor(c *cluster, n *models.Node) (*wire.Permit, error) {
	p := c.rows.permit
	if p == nil || p.NodeID != n.ID {
		return nil, nil
	}
	if c.permit != nil && c.permit.ID == p.ID && c.permit.State == p.State {
		return c.permit, nil
	}
	claims := wire.PermitClaims{Permit: p.ID, Node: n.ID, Fence: p.Fence(),
		NotBefore: p.OfferedAt.Unix(), NotAfter: p.StartBy.Unix()}
	if r := c.rows.release(p.ReleaseID); r != nil {
		claims.Version, claims.Digest, claims.Size = r.Version, r.Digest, r.Size
	}
	signed, err := f.o.Keys.SignValue(wire.TypePermit, claims)
	if err != nil {
		return nil, err
	}
	c.permit = &wire.Permit{ID: p.ID, Kind: p.Kind, State: p.State, Fence: p.Fence(),
		Version: claims.Version, Digest: claims.Digest, Size: claims.Size,
		NotBefore: p.OfferedAt, StartBy: p.StartBy, Signed: signed}
	return c.permit, nil
}
