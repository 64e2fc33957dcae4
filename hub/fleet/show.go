package fleet

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/scheduler/rollout"
)

// Clusters are the cards of the organization, by display name. Search is part of that name and of
// nothing else (R7).
func (f *Fleet) Clusters(_ context.Context, a Actor, search string) ([]ClusterSummary, error) {
	needle, now := models.FoldName(search), f.now()
	cards := []ClusterSummary{}
	for _, c := range f.all() {
		c.mu.Lock()
		if c.known && c.rows.cluster.OrganizationID == a.Organization &&
			strings.Contains(c.rows.cluster.NameKey, needle) {
			cards = append(cards, f.summary(&c.rows, now))
		}
		c.mu.Unlock()
	}
	slices.SortFunc(cards, func(x, y ClusterSummary) int {
		return strings.Compare(models.FoldName(x.DisplayName), models.FoldName(y.DisplayName))
	})
	return cards, nil
}

func (f *Fleet) summary(r *rows, now time.Time) ClusterSummary {
	_, pending := rollout.Pending(r.snapshot(f.incarnation(), ""), now)
	s := ClusterSummary{ID: r.cluster.ID, DisplayName: r.cluster.DisplayName,
		FQDN: r.cluster.FQDN, State: stateOf(r, now), NodeCount: len(r.members),
		Versions: versionsOf(r), Zone: r.cluster.Zone, UpgradePending: pending,
		NextUpgrade: nextOf(r.plan, now)}
	if r.rollout != nil {
		p := progressOf(r)
		s.Progress = &p
	}
	return s
}

func versionsOf(r *rows) []models.Version {
	versions := []models.Version{}
	for i := range r.members {
		v := r.members[i].Version
		if v != "" && !slices.Contains(versions, v) {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, models.Version.Compare)
	return versions
}

func progressOf(r *rows) Progress {
	var p Progress
	for i := range r.members {
		n := &r.members[i]
		if n.Member == models.MemberActive || n.Member == models.MemberExpected ||
			n.Member == models.MemberQuarantined {
			p.Total++
			if n.Version == r.rollout.Version {
				p.Done++
			}
		}
	}
	return p
}

// stateOf is the word on the card.
func stateOf(r *rows, now time.Time) ClusterState {
	polled, serving, down := 0, 0, 0
	for i := range r.members {
		n := &r.members[i]
		if n.SeenAt != nil {
			polled++
		}
		if n.Member == models.MemberWaiting {
			continue
		}
		if n.Member == models.MemberActive && n.Polling(now) && n.Health == models.Healthy {
			serving++
		} else {
			down++
		}
	}
	switch {
	case polled == 0:
		return ClusterWaiting
	case r.permit != nil:
		return ClusterUpgrading
	case serving == 0:
		return ClusterOutage
	case down > 0:
		return ClusterImpaired
	}
	return ClusterOperational
}

// Cluster is the page of one.
func (f *Fleet) Cluster(ctx context.Context, a Actor, id models.ClusterID) (ClusterView, error) {
	c := f.find(id)
	if c == nil {
		return ClusterView{}, models.NotFound()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || c.rows.cluster.OrganizationID != a.Organization {
		return ClusterView{}, models.NotFound()
	}
	return f.view(&c.rows, f.now()), ctx.Err()
}

func (f *Fleet) view(r *rows, now time.Time) ClusterView {
	c := &r.cluster
	v := ClusterView{ID: c.ID, DisplayName: c.DisplayName, FQDN: c.FQDN, State: stateOf(r, now),
		RegisteredAt: c.RegisteredAt, ScheduleVersion: c.ScheduleVersion,
		Schedules: schedulesOf(*c), NextUpgrade: nextOf(r.plan, now),
		MayPostpone: mayPostpone(r, now) == nil, Nodes: []NodeView{}}
	release, pending := rollout.Pending(r.snapshot(f.incarnation(), ""), now)
	if v.UpgradePending = pending; pending {
		v.PendingRelease = &PendingRelease{Version: release.Version, Kind: release.Kind}
	}
	if r.rollout != nil {
		p := progressOf(r)
		v.Rollout = &RolloutView{ID: r.rollout.ID, Version: r.rollout.Version,
			Kind: r.rollout.Kind, State: r.rollout.State, Done: p.Done, Total: p.Total,
			StartedAt: r.rollout.StartedAt, Permit: permitView(r, models.PermitUpgrade)}
	}
	v.LocalWork = permitView(r, models.PermitLocal)
	for i := range r.members {
		v.Nodes = append(v.Nodes, nodeView(&r.members[i], now))
	}
	return v
}

// permitView is the open permit, if it is of the kind.
func permitView(r *rows, kind models.PermitKind) *PermitView {
	p := r.permit
	if p == nil || p.Kind != kind {
		return nil
	}
	v := &PermitView{ID: p.ID, NodeID: p.NodeID, State: p.State, Outcome: p.Outcome,
		OfferedAt: p.OfferedAt, ConfirmedAt: p.ConfirmedAt, EndedAt: p.EndedAt}
	if n := r.member(p.NodeID); n != nil {
		v.NodeName = n.Name
	}
	return v
}

func nodeView(n *models.Node, now time.Time) NodeView {
	v := NodeView{ID: n.ID, Name: n.Name, Role: n.Role, Member: n.Member, Version: n.Version,
		ClientVersion: n.ClientVersion, Health: n.Health, HealthDetail: n.HealthDetail,
		Step: n.Step, StepPercent: n.StepPercent, Online: n.Polling(now), LastSeenAt: n.SeenAt,
		ClockSkewSeconds: n.SkewSeconds, Facts: n.Facts}
	if n.DecidedAt != nil {
		v.Decision = &DecisionView{Verb: n.Verb, Reason: n.Reason, Subject: n.Subject,
			Earliest: n.Earliest}
	}
	if n.InMaintenance(now) {
		v.Maintenance = &MaintenanceView{Until: *n.MaintenanceUntil, Reason: n.MaintenanceReason}
	}
	return v
}

// History is what happened to a cluster, newest first, from its audit records (R30).
func (f *Fleet) History(ctx context.Context, a Actor, id models.ClusterID) ([]HistoryView, error) {
	var records []models.AuditRecord
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		s := tx.In(a.Organization)
		if _, err := s.ClusterByID(id); err != nil {
			return notFound(err)
		}
		var err error
		records, err = s.Audit(store.AuditQuery{ClusterID: id})
		return err
	})
	views := make([]HistoryView, 0, len(records))
	for _, r := range records {
		views = append(views, historyOf(r))
	}
	return views, err
}

func historyOf(r models.AuditRecord) HistoryView {
	v := HistoryView{At: r.At, Kind: "change", Actor: r.ActorName, Action: r.Action,
		Subject: r.TargetName, Before: r.Before, After: r.After}
	if r.TargetKind == "node" || r.TargetKind == "permit" {
		v.NodeName = models.FQDN(r.TargetName)
	}
	switch {
	case r.Action == string(ActionLocalRefused):
		var note localNote
		if json.Unmarshal([]byte(r.After), &note) == nil {
			v.Kind, v.Action, v.Subject = "decision", string(note.Reason), note.Subject
		}
	case r.Action == string(ActionDecision):
		var note decisionNote
		if json.Unmarshal([]byte(r.After), &note) == nil {
			v.Kind, v.Action, v.Subject = "decision", string(note.Reason), note.Subject
		}
	case r.TargetKind == "permit" && r.Action != string(ActionPermitAdopted) &&
		r.Action != string(ActionOverridden):
		var note permitNote
		if json.Unmarshal([]byte(r.After), &note) == nil {
			v.Kind, v.Subject = "permit", string(note.Version)
			v.Action = strings.TrimPrefix(r.Action, "permit_")
			if note.Outcome != "" {
				v.Action = string(note.Outcome)
			}
			if note.Kind == models.PermitLocal {
				v.Action = "local_" + v.Action
			}
		}
	}
	return v
}
