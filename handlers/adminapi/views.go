package adminapi

import (
	"time"

	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/fleet"
	"connecthub/models"
)

// each renders a list; an empty one is [], never null.
func each[V, W any](items []V, render func(V) W) []W {
	out := make([]W, 0, len(items))
	for _, v := range items {
		out = append(out, render(v))
	}
	return out
}

// some leaves out what is empty.
func some[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	text := string(s)
	return &text
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func registrationOf(r fleet.RegistrationView) gen.Registration {
	return gen.Registration{
		Id: string(r.ID), Kind: gen.RegistrationKind(r.Kind), DisplayName: r.DisplayName,
		Fqdn: string(r.FQDN), State: gen.RegistrationState(r.State),
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), ReturnBy: utc(r.ReturnBy),
		RequestedBy: r.RequestedBy, Mine: r.Mine, OpenUrl: some(r.OpenURL),
		ComparisonCode: some(r.ComparisonCode), ClusterId: some(r.ClusterID),
		Headless: yes(r.Headless), ComparisonCodeRequired: yes(r.CodeRequired),
		EndedWhy: (*gen.RegistrationEndedWhy)(some(r.EndedWhy)),
	}
}

// given is an optional text, empty where it was left out.
func given(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// yes leaves out what is not so.
func yes(b bool) *bool {
	if !b {
		return nil
	}
	return &b
}

func windowOf(w fleet.WindowView) gen.Window {
	return gen.Window{Start: w.Start.UTC(), End: w.End.UTC()}
}

func nextUpgradeOf(n fleet.NextUpgrade) gen.NextUpgrade {
	out := gen.NextUpgrade{
		Regular: windowOf(n.Regular), Emergency: windowOf(n.Emergency), Skipped: utc(n.Skipped),
		Open: each(n.Open, func(k models.Kind) gen.Kind { return gen.Kind(k) }),
	}
	if n.Extra != nil {
		extra := windowOf(*n.Extra)
		out.Extra = &extra
	}
	return out
}

func summaryOf(s fleet.ClusterSummary) gen.ClusterSummary {
	out := gen.ClusterSummary{
		Id: string(s.ID), DisplayName: s.DisplayName, Fqdn: string(s.FQDN),
		State: gen.ClusterState(s.State), NodeCount: s.NodeCount, Zone: s.Zone,
		Versions:       each(s.Versions, func(v models.Version) string { return string(v) }),
		UpgradePending: s.UpgradePending, NextUpgrade: nextUpgradeOf(s.NextUpgrade),
	}
	if s.Progress != nil {
		out.Progress = &gen.Progress{Done: s.Progress.Done, Total: s.Progress.Total}
	}
	return out
}

func clusterOf(v fleet.ClusterView, language string) gen.Cluster {
	out := gen.Cluster{
		Id: string(v.ID), DisplayName: v.DisplayName, Fqdn: string(v.FQDN),
		State: gen.ClusterState(v.State), RegisteredAt: v.RegisteredAt.UTC(),
		ScheduleVersion: v.ScheduleVersion, Schedules: schedulesOf(v.Schedules),
		NextUpgrade: nextUpgradeOf(v.NextUpgrade), UpgradePending: v.UpgradePending,
		MayPostpone: v.MayPostpone,
		Nodes: each(v.Nodes, func(n fleet.NodeView) gen.Node {
			return nodeOf(n, language)
		}),
	}
	if p := v.PendingRelease; p != nil {
		out.PendingRelease = &gen.PendingRelease{Version: string(p.Version), Kind: gen.Kind(p.Kind)}
	}
	if r := v.Rollout; r != nil {
		out.Rollout = &gen.Rollout{Id: string(r.ID), Version: string(r.Version),
			Kind: gen.Kind(r.Kind), State: gen.RolloutState(r.State), Done: r.Done,
			Total: r.Total, StartedAt: r.StartedAt.UTC(), Permit: permitOf(r.Permit)}
	}
	out.LocalWork = permitOf(v.LocalWork)
	return out
}

func permitOf(p *fleet.PermitView) *gen.Permit {
	if p == nil {
		return nil
	}
	out := &gen.Permit{
		Id: string(p.ID), NodeId: string(p.NodeID), NodeName: string(p.NodeName),
		State: gen.PermitState(p.State), OfferedAt: p.OfferedAt.UTC(),
		ConfirmedAt: utc(p.ConfirmedAt), EndedAt: utc(p.EndedAt),
	}
	if p.Outcome != "" {
		outcome := gen.PermitOutcome(p.Outcome)
		out.Outcome = &outcome
	}
	return out
}

func nodeOf(n fleet.NodeView, language string) gen.Node {
	out := gen.Node{
		Id: string(n.ID), Name: string(n.Name), Role: gen.NodeRole(n.Role),
		Member: gen.MemberState(n.Member), Version: string(n.Version),
		ClientVersion: some(n.ClientVersion), Health: gen.Health(n.Health),
		HealthDetail: some(n.HealthDetail), Step: gen.Step(n.Step), Online: n.Online,
		LastSeenAt: utc(n.LastSeenAt),
	}
	if out.Health == "" {
		out.Health = gen.Health(models.HealthUnknown)
	}
	if out.Step == "" {
		out.Step = gen.Step(models.StepIdle)
	}
	if n.StepPercent > 0 {
		out.StepPercent = &n.StepPercent
	}
	if skew := int(n.ClockSkewSeconds); skew != 0 {
		out.ClockSkewSeconds = &skew
	}
	if d := n.Decision; d != nil {
		out.Decision = &gen.Decision{Verb: gen.DecisionVerb(d.Verb), Reason: string(d.Reason),
			Sentence: models.ReasonSentence(d.Reason, d.Subject, language),
			Subject:  some(d.Subject), Earliest: utc(d.Earliest)}
	}
	if m := n.Maintenance; m != nil {
		out.Maintenance = &gen.Maintenance{Until: m.Until.UTC(), Reason: m.Reason}
	}
	if len(n.Facts) > 0 {
		facts := each(n.Facts, func(f models.Fact) gen.Fact {
			return gen.Fact{Name: f.Name, Value: f.Value}
		})
		out.Facts = &facts
	}
	return out
}
