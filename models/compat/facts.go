package compat

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"connecthub/models/inventory"
)

// CloudConnect is the control node itself. It stands in no inventory.
const CloudConnect inventory.Product = "CloudConnect"

//go:embed facts/*.json
var files embed.FS

// Facts is what the data files say. Its methods decide nothing that is not in them.
type Facts struct {
	products     products
	requirements requirements
	paths        paths
	deployments  deployments
	stages       stages
}

type family string

type products struct {
	About     string      `json:"about"`
	Families  []familyRow `json:"families"`
	Unordered []family    `json:"unordered_families"`
	Never     []string    `json:"never"`
	NotIn     []notInRow  `json:"not_in"`
	Reach     []reachRow  `json:"reach"`
}

type familyRow struct {
	Family   family              `json:"family"`
	Products []inventory.Product `json:"products"`
}

type notInRow struct {
	Product inventory.Product          `json:"product"`
	Types   []inventory.DeploymentType `json:"types"`
}

type reachRow struct {
	CloudConnect Version `json:"cloud_connect"`
	From         Version `json:"from"`
	To           Version `json:"to"`
	Why          string  `json:"why"`
}

type requirements struct {
	About     string            `json:"about"`
	Packages  map[string]string `json:"packages"` // by stem: how it is called
	Decisions []string          `json:"decisions"`
	Rows      []needRow         `json:"rows"`
	Features  []featureRow      `json:"features"`
	Ways      []wayRow          `json:"ways"`
	Patches   []patchRow        `json:"patches"`
}

type needRow struct {
	Families []family     `json:"families"`
	At       Version      `json:"at"`
	Least    []Version    `json:"least"` // in the order in which they are installed
	Or       Version      `json:"or"`    // a release that serves instead
	Advised  Version      `json:"advised"`
	Packages []packageRow `json:"packages"`
}

type packageRow struct {
	Name  string `json:"name"`
	Least int    `json:"least"`
}

type featureRow struct {
	Feature  Feature  `json:"feature"`
	Families []family `json:"families"`
	Least    Version  `json:"least"`
}

type wayRow struct {
	Families []family     `json:"families"`
	From     Version      `json:"from"`
	To       []Version    `json:"to"`
	Packages []packageRow `json:"packages"`
	DiskGiB  int64        `json:"disk_gib"`
}

type patchRow struct {
	Families []family `json:"families"`
	Patch    Version  `json:"patch"`
	After    Version  `json:"after"`
}

type paths struct {
	About    string        `json:"about"`
	Allowed  []allowedRow  `json:"allowed"`
	Refused  []refusedRow  `json:"refused"`
	Backward []backwardRow `json:"backward"`
}

type allowedRow struct {
	From     Version `json:"from"`
	To       Version `json:"to"`
	AllNodes bool    `json:"all_nodes"`
}

type refusedRow struct {
	From Version `json:"from"`
	To   Version `json:"to"`
	Why  string  `json:"why"`
}

type backwardRow struct {
	Release  Version             `json:"release"`
	Of       []inventory.Product `json:"of"`       // who has the release; none: anybody
	Products []inventory.Product `json:"products"` // who stays behind; none: anybody
	Later    []Version           `json:"later_may_be"`
	Earlier  []Version           `json:"earlier_may_be"`
	Why      string              `json:"why"`
}

type deployments struct {
	About string                  `json:"about"`
	Types []deploymentRow         `json:"types"`
	Needs [][][]inventory.Product `json:"needs"`
}

type deploymentRow struct {
	Type     inventory.DeploymentType `json:"type"`
	Stages   string                   `json:"stages"`
	AllNodes bool                     `json:"all_nodes"`
}

type stages struct {
	About   string               `json:"about"`
	Tables  map[string][]Stage   `json:"tables"`
	Central []SideStep           `json:"central_controller"`
	Cluster []inventory.NodeType `json:"cluster"`
}

// Load reads the data files. They are part of the program: an error is a mistake in them.
func Load() (*Facts, error) { return load(files) }

func load(files fs.FS) (*Facts, error) {
	f := &Facts{}
	for name, into := range map[string]any{"products": &f.products, "requirements": &f.requirements,
		"paths": &f.paths, "deployments": &f.deployments, "stages": &f.stages} {
		text, err := fs.ReadFile(files, "facts/"+name+".json")
		if err != nil {
			return nil, fmt.Errorf("cannot read the facts: %w", err)
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(into); err != nil {
			return nil, fmt.Errorf("cannot read the facts of %s: %w", name, err)
		}
	}
	return f, f.check()
}

var errFacts = errors.New("cannot use the facts")

// check refuses facts that speak of what there is not.
func (f *Facts) check() error {
	for _, p := range slices.Concat(inventory.VOSProducts(), inventory.WindowsProducts()) {
		if f.family(p) == "" {
			return fmt.Errorf("%w: %s counts as nothing", errFacts, p)
		}
		for name := range f.stages.Tables {
			if _, ok := f.rank(name, p); !ok {
				return fmt.Errorf("%w: %s has no stage among those of %s", errFacts, p, name)
			}
		}
	}
	for _, d := range f.deployments.Types {
		if len(f.stages.Tables[d.Stages]) == 0 {
			return fmt.Errorf("%w: there are no stages %q", errFacts, d.Stages)
		}
	}
	for _, p := range f.paths.Allowed {
		if !p.From.Less(p.To) || p.From != p.From.Base() || p.To != p.To.Base() {
			return fmt.Errorf("%w: %s to %s is no path", errFacts, p.From, p.To)
		}
	}
	return nil
}

func (f *Facts) family(p inventory.Product) family {
	for _, row := range f.products.Families {
		if slices.Contains(row.Products, p) {
			return row.Family
		}
	}
	return ""
}

// Never lists the products of a contact center that orchestration leaves alone.
func (f *Facts) Never() []string { return slices.Clone(f.products.Never) }

// Products lists what a control node orchestrates in a deployment, itself first.
func (f *Facts) Products(t inventory.DeploymentType) []inventory.Product {
	var all []inventory.Product
	for _, row := range f.products.Families {
		for _, p := range row.Products {
			if !f.excluded(t, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

func (f *Facts) excluded(t inventory.DeploymentType, p inventory.Product) bool {
	return slices.ContainsFunc(f.products.NotIn, func(row notInRow) bool {
		return row.Product == p && slices.Contains(row.Types, t)
	})
}
