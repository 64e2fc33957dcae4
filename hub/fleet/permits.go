package fleet

import (
	"slices"

	"connecthub/models"
	"connecthub/scheduler/rollout"
)

func (w *work) offerPermit(e rollout.OfferPermit) {
	p := &models.Permit{ID: models.PermitID(w.newID()), OrganizationID: w.cluster.OrganizationID,
		ClusterID: w.cluster.ID, NodeID: e.Node, ReleaseID: e.Release, Kind: e.Kind,
		State: models.PermitOffered, FenceIncarnation: e.Fence.Incarnation,
		FenceCounter: e.Fence.Counter, OfferedAt: w.now, StartBy: e.StartBy}
	if e.Kind == models.PermitUpgrade && w.rollout != nil {
		p.RolloutID = w.rollout.ID
	}
	w.permit = p
	w.insert(string(p.ID))
	w.touchPermit()
	w.raiseFence(e.Fence)
	w.recordPermit(ActionPermitOffered, p, nil)
}

func (w *work) confirmPermit(e rollout.ConfirmPermit) {
	before := w.permit.State
	p := w.changePermit()
	p.State, p.ConfirmedAt, p.ConfirmedBoot = models.PermitConfirmed, timePtr(w.now), e.Boot
	w.recordPermit(ActionPermitConfirmed, p, before)
}

func (w *work) endPermit(e rollout.EndPermit) {
	before := w.permit.State
	p := w.changePermit()
	p.State, p.Outcome, p.EndedAt = models.PermitEnded, e.Outcome, timePtr(w.now)
	p.Detail = endDetail(e)
	w.record(ActionPermitEnded, "permit", string(p.ID), string(w.nodeName(p.NodeID)), before,
		permitNote{Outcome: e.Outcome, Version: w.versionOf(p), Kind: localKind(p),
			Reason: e.Reason, Subject: e.Subject, Detail: e.Detail})
	w.permit = nil
	w.learnFromEnd(p)
}

// learnFromEnd denies the version to a node that came back from it (R28), as its own list says too.
func (w *work) learnFromEnd(p *models.Permit) {
	if p.Outcome != models.RolledBack && p.Outcome != models.Failed {
		return
	}
	n, r := w.member(p.NodeID), w.release(p.ReleaseID)
	if n == nil || r == nil || n.Denies(r.Version) {
		return
	}
	n.Denied = append(slices.Clone(n.Denied), r.Version)
	w.touchNode(n.ID)
}

func (w *work) adoptPermit(e rollout.AdoptPermit) {
	p := &models.Permit{ID: e.Permit, OrganizationID: w.cluster.OrganizationID,
		ClusterID: w.cluster.ID, NodeID: e.Node, ReleaseID: e.Release,
		Kind: models.PermitUpgrade, State: models.PermitConfirmed,
		FenceIncarnation: e.Fence.Incarnation, FenceCounter: e.Fence.Counter,
		OfferedAt: w.now, StartBy: w.now, ConfirmedAt: timePtr(w.now), ConfirmedBoot: e.Boot}
	if e.Release == "" {
		p.Kind = models.PermitLocal
	}
	if w.rollout != nil && e.Release != "" && w.rollout.ReleaseID == e.Release {
		p.RolloutID = w.rollout.ID
	}
	w.permit = p
	w.adopted = append(w.adopted, p.ID)
	w.touchPermit()
	w.raiseFence(e.Fence)
	w.recordPermit(ActionPermitAdopted, p, nil)
}

// changePermit makes a copy to write to: the roster may still hold the row itself.
func (w *work) changePermit() *models.Permit {
	changed := *w.permit
	if i := slices.Index(w.permits, w.permit); i >= 0 {
		w.permits[i] = &changed
	} else {
		w.permits = append(w.permits, &changed)
	}
	w.permit = &changed
	return &changed
}

// permitNote is what an audit record says of a permit.
type permitNote struct {
	Outcome models.Outcome `json:"outcome,omitempty"`
	Version models.Version `json:"version,omitempty"`
	// Work says what an administrator of the node does by hand, Kind that a permit is for that.
	Work    models.HandWork   `json:"work,omitempty"`
	Kind    models.PermitKind `json:"kind,omitempty"`
	Fence   models.Fence      `json:"fence,omitzero"`
	Reason  models.Reason     `json:"reason,omitempty"`
	Subject string            `json:"subject,omitempty"`
	Detail  string            `json:"detail,omitempty"`
}

func (w *work) recordPermit(action Action, p *models.Permit, before any) {
	w.record(action, "permit", string(p.ID), string(w.nodeName(p.NodeID)), before,
		permitNote{Version: w.versionOf(p), Kind: localKind(p), Work: w.byHand, Fence: p.Fence()})
}

// localKind is the kind of a permit for work by hand: every other one is an upgrade's.
func localKind(p *models.Permit) models.PermitKind {
	if p.Kind == models.PermitLocal {
		return p.Kind
	}
	return ""
}

func (w *work) versionOf(p *models.Permit) models.Version {
	if r := w.release(p.ReleaseID); r != nil {
		return r.Version
	}
	return ""
}

func (w *work) nodeName(id models.NodeID) models.FQDN {
	if n := w.member(id); n != nil {
		return n.Name
	}
	return models.FQDN(id)
}

func endDetail(e rollout.EndPermit) string {
	if e.Detail != "" {
		return e.Detail
	}
	if e.Subject != "" {
		return string(e.Reason) + ": " + e.Subject
	}
	return string(e.Reason)
}
