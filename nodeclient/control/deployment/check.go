package deployment

import (
	"slices"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/procedure"
)

// Check judges a plan task by task, each against what those before it will have left: are all
// components there, and is everybody at the version or one that works with it. All are the machines
// of the inventory as they are now.
func (d *Deployment) Check(p procedure.Plan, all []Seen) compat.Refusals {
	states := make([]compat.State, len(all))
	for i, s := range all {
		states[i] = s.State()
	}
	type step struct {
		product inventory.Product
		to      compat.Version
	}
	judged := map[step]bool{}
	var found compat.Refusals
	for _, t := range p.Tasks {
		if !judged[step{t.Product, t.To}] {
			judged[step{t.Product, t.To}] = true
			for _, r := range d.Facts.Check(p.DeploymentType, states, t.Product, t.To) {
				if !slices.Contains(found, r) {
					found = append(found, r)
				}
			}
		}
		if p.Kind == procedure.Upgrade && t.Product.VOS() && !p.Switch {
			continue // the active version stays
		}
		for i, s := range states {
			if s.Machine == t.Name && s.Product == t.Product {
				states[i].Version = t.To
			}
		}
	}
	return found
}

// Requirements are what machines lack before they can be orchestrated at all.
func (d *Deployment) Requirements(all []Seen) compat.Refusals {
	var found compat.Refusals
	for _, s := range all {
		if s.Err == nil {
			found = append(found, d.Facts.Requirements(s.State())...)
		}
	}
	return found
}

// MayDrain says whether a product of a version knows maintenance mode.
func MayDrain(p inventory.Product, v compat.Version) bool {
	least := compat.Version{Major: 12, Minor: 6, Maintenance: 1}
	switch p {
	case inventory.PeripheralGateway, inventory.CVPServer, inventory.Finesse, inventory.IdentityService,
		inventory.CUICCoResident:
	case inventory.Router, inventory.Rogger:
		if !v.Less(compat.Version{Major: 15, Maintenance: 1}) {
			return true
		}
		least = compat.Version{Major: 12, Minor: 6, Maintenance: 2, ES: 68}
		return v.Base() == least.Base() && !v.Less(least)
	case inventory.CUIC, inventory.LiveData, inventory.VVB, inventory.CVPOAMP, inventory.CVPReporting,
		inventory.Distributor, inventory.Logger:
		return false
	}
	return !v.Less(least)
}

// AsksReason says whether a product wants to know why it goes into maintenance.
func AsksReason(p inventory.Product) bool { return p == inventory.Router || p == inventory.Rogger }
