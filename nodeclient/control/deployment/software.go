package deployment

import (
	"slices"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/target"
)

// Offer is a file that a machine may get.
type Offer struct {
	File catalogue.File
	// Refused says why it may not, now; nil: it may.
	Refused compat.Refusals
}

// Target is the file as a procedure sends it.
func (o Offer) Target() *target.File {
	return &target.File{Path: o.File.Path, SHA256: o.File.SHA256, Size: o.File.Size, Target: o.File.Version}
}

// Patches are the patches of a machine's product and release that are newer than what it has, the
// newest last.
func (d *Deployment) Patches(all []catalogue.File, s Seen) []Offer {
	return d.offers(all, s, catalogue.Patch, func(f catalogue.File) (compat.Refusals, bool) {
		refused := d.Facts.Patch(s.State(), f.Version)
		for _, r := range refused {
			if r.Code != compat.NeedsPatchBefore {
				return nil, false
			}
		}
		return refused, true
	})
}

// Upgrades are the releases that a machine's product may go to, with what still keeps it from that.
func (d *Deployment) Upgrades(all []catalogue.File, s Seen, control compat.Version) []Offer {
	return d.offers(all, s, catalogue.Upgrade, func(f catalogue.File) (compat.Refusals, bool) {
		if f.Version.Compare(s.Facts.Active.Version) <= 0 {
			return nil, false
		}
		refused := d.Facts.Upgrade(s.State(), f.Version)
		if f.Version.Base() == s.Facts.Active.Version.Base() { // a service update
			refused = d.Facts.Patch(s.State(), f.Version)
		}
		if !control.IsZero() {
			refused = append(refused, d.Facts.Orchestrated(d.Inventory.DeploymentType, control, s.Product,
				f.Version)...)
		}
		return refused, true
	})
}

func (d *Deployment) offers(all []catalogue.File, s Seen, kind catalogue.Kind,
	fits func(catalogue.File) (compat.Refusals, bool)) []Offer {
	var offers []Offer
	for _, f := range all {
		if f.Kind != kind || !d.Facts.CountsAs(s.Product, f.Product) {
			continue
		}
		if refused, ok := fits(f); ok {
			offers = append(offers, Offer{f, refused})
		}
	}
	slices.SortStableFunc(offers, func(a, b Offer) int { return a.File.Version.Compare(b.File.Version) })
	return offers
}

// Best is the newest offer that nothing speaks against, or with a version, that one.
func Best(offers []Offer, version compat.Version) (Offer, bool) {
	for _, o := range slices.Backward(offers) {
		if len(o.Refused) == 0 && (version.IsZero() || o.File.Version == version) {
			return o, true
		}
	}
	return Offer{}, false
}
