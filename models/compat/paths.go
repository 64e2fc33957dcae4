package compat

import (
	"slices"
	"strings"

	"connecthub/models/inventory"
)

// Orchestrated says whether this control node may bring a product to a version: the product, in
// this deployment, within what the control node's own version reaches.
func (f *Facts) Orchestrated(t inventory.DeploymentType, control Version, p inventory.Product,
	to Version) Refusals {
	r := Refusal{Product: string(p), Has: control.String(), Needs: to.String()}
	switch {
	case f.family(p) == "" || p == CloudConnect:
		r.Code = NotOrchestrated
	case f.excluded(t, p):
		r.Code, r.Needs = NotOrchestratedHere, string(t)
	case f.reach(control).Less(to.Base()):
		r.Code = CloudConnectTooOld
	default:
		return nil
	}
	return Refusals{r}
}

// reach is the newest release that a control node orchestrates: that of the newest row which is not
// newer than itself.
func (f *Facts) reach(control Version) Version {
	var to Version
	for _, row := range f.products.Reach {
		if !control.Less(row.CloudConnect) && to.Less(row.To) {
			to = row.To
		}
	}
	return to
}

// Upgrade says why a machine may not go to a release.
func (f *Facts) Upgrade(s State, to Version) Refusals {
	from, target := s.Version.Base(), to.Base()
	switch {
	case s.Version.IsZero() || to.IsZero():
		return Refusals{s.refuse(VersionUnknown, to.String())}
	case s.Version == to:
		return Refusals{s.refuse(AlreadyThere, to.String())}
	case to.Less(s.Version):
		return Refusals{s.refuse(WouldGoBack, to.String())}
	case from == target:
		return Refusals{s.refuse(IsAPatch, to.String())}
	}
	for _, row := range f.paths.Refused {
		if row.From == from && row.To == target {
			return Refusals{f.instead(s.refuse(PathRefused, to.String()), from)}
		}
	}
	for _, row := range f.paths.Allowed {
		if row.From == from && row.To == target {
			return f.way(s, to)
		}
	}
	return Refusals{f.instead(s.refuse(PathUnknown, to.String()), from)}
}

// instead adds where one may go.
func (f *Facts) instead(r Refusal, from Version) Refusal {
	r.Instead = list(f.Targets(from))
	return r
}

// Targets lists the releases to which a path leads, the lowest first.
func (f *Facts) Targets(from Version) []Version {
	var all []Version
	for _, row := range f.paths.Allowed {
		if row.From == from.Base() {
			all = append(all, row.To)
		}
	}
	slices.SortFunc(all, Version.Compare)
	return all
}

// AllNodes says why one run may not bring all machines to a release.
func (f *Facts) AllNodes(t inventory.DeploymentType, machines []State, to Version) Refusals {
	row, refused := f.deployment(t)
	if refused != nil {
		return refused
	}
	if !row.AllNodes {
		return Refusals{{Code: NotAllNodes, Needs: string(t)}}
	}
	var all Refusals
	for _, m := range machines {
		if m.Version.Base() != machines[0].Version.Base() {
			all = append(all, m.refuse(NotAllNodesMixed, machines[0].Version.Base().String()))
		}
	}
	if len(all) > 0 || len(machines) == 0 {
		return all
	}
	from := machines[0].Version.Base()
	for _, p := range f.paths.Allowed {
		if p.From == from && p.To == to.Base() && !p.AllNodes {
			return Refusals{{Code: NotAllNodesPath, Has: from.String(), Needs: to.String()}}
		}
	}
	return nil
}

// Patch says why a machine may not get a patch.
func (f *Facts) Patch(s State, patch Version) Refusals {
	switch {
	case s.Version.IsZero() || patch.IsZero():
		return Refusals{s.refuse(VersionUnknown, patch.String())}
	case patch.ES == 0 && patch.SU == 0:
		return Refusals{s.refuse(NotAPatch, patch.String())}
	case patch.Base() != s.Version.Base():
		return Refusals{s.refuse(OtherRelease, patch.String())}
	case patch == s.Version:
		return Refusals{s.refuse(AlreadyThere, patch.String())}
	case patch.Less(s.Version):
		return Refusals{s.refuse(WouldGoBack, patch.String())}
	case patch.ES > 0 && patch.SU > s.Version.SU:
		update := patch
		update.ES = 0
		return Refusals{s.refuse(NeedsPatchBefore, update.String())}
	}
	for _, row := range f.requirements.Patches {
		if slices.Contains(row.Families, f.family(s.Product)) && !patch.Less(row.Patch) &&
			patch.Base() == row.Patch.Base() && s.Version.Less(row.After) {
			return Refusals{s.refuse(NeedsPatchBefore, row.After.String())}
		}
	}
	return nil
}

// SwitchForward says why a VOS machine may not switch to its inactive version.
func (f *Facts) SwitchForward(s State, inactive Version) Refusals {
	if s.Version.IsZero() || inactive.IsZero() {
		return Refusals{s.refuse(VersionUnknown, "")}
	}
	if !s.Version.Less(inactive) {
		r := s.refuse(NotHigher, s.Version.String())
		r.Has = inactive.String()
		return Refusals{r}
	}
	return nil
}

// Rollback says why a VOS machine may not switch back to its inactive version.
func (f *Facts) Rollback(s State, inactive Version) Refusals {
	if s.Version.IsZero() || inactive.IsZero() {
		return Refusals{s.refuse(VersionUnknown, "")}
	}
	if !inactive.Less(s.Version) {
		r := s.refuse(NotLower, s.Version.String())
		r.Has = inactive.String()
		return Refusals{r}
	}
	return nil
}

func list(versions []Version) string {
	words := make([]string, len(versions))
	for i, v := range versions {
		words[i] = v.String()
	}
	return strings.Join(words, " / ")
}
