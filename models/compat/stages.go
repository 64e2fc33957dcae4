package compat

import (
	"slices"

	"connecthub/models/inventory"
)

// Stage is what is finished inside one maintenance window. Its steps go one after the other; the
// products of a step go in any order.
type Stage struct {
	Number     int                   `json:"number"`
	Steps      [][]inventory.Product `json:"steps"`       // empty where all of it is by hand
	ByHand     []string              `json:"by_hand"`     // what orchestration does not do
	SameWindow bool                  `json:"same_window"` // the next stage belongs into the same window
}

// SideStep is one half of the central controller: its products on one side, of OneOf the first
// machine alone, of RestOf those that are left. Then it is verified before the next half.
type SideStep struct {
	Side     inventory.Side      `json:"side"`
	Products []inventory.Product `json:"products"`
	OneOf    []inventory.Product `json:"one_of"`
	RestOf   []inventory.Product `json:"rest_of"`
	Verify   string              `json:"verify"`
}

// What is verified after a side.
const (
	VerifySideA  = "side_a_in_service"
	VerifyDuplex = "duplex"
)

// DeploymentType reads a deployment's type, exactly as it must be spelled.
func (f *Facts) DeploymentType(name string) (inventory.DeploymentType, error) {
	t, rule, subject := inventory.JudgeDeploymentType(name)
	switch rule {
	case "":
		if _, refused := f.deployment(t); refused != nil {
			return "", refused
		}
		return t, nil
	case inventory.RuleDeployCase:
		return "", Refusal{Code: DeploymentCase, Has: name, Needs: subject}
	case inventory.RuleDeployUnfit:
		return "", Refusal{Code: DeploymentUnfit, Has: name}
	default:
		return "", Refusal{Code: DeploymentUnknown, Has: name}
	}
}

func (f *Facts) deployment(t inventory.DeploymentType) (deploymentRow, Refusals) {
	for _, row := range f.deployments.Types {
		if row.Type == t {
			return row, nil
		}
	}
	return deploymentRow{}, Refusals{{Code: DeploymentUnknown, Has: string(t)}}
}

// Stages lists a deployment's stages in their order.
func (f *Facts) Stages(t inventory.DeploymentType) ([]Stage, error) {
	row, refused := f.deployment(t)
	if refused != nil {
		return nil, refused
	}
	return slices.Clone(f.stages.Tables[row.Stages]), nil
}

// StageOf answers a product's stage and the step in it, both from 1.
func (f *Facts) StageOf(t inventory.DeploymentType, p inventory.Product) (stage, step int, ok bool) {
	row, refused := f.deployment(t)
	if refused != nil {
		return 0, 0, false
	}
	for _, s := range f.stages.Tables[row.Stages] {
		for i, products := range s.Steps {
			if slices.Contains(products, p) {
				return s.Number, i + 1, true
			}
		}
	}
	return 0, 0, false
}

// CentralController lists the halves of the central controller's upgrade: side A, then side B.
func (f *Facts) CentralController() []SideStep { return slices.Clone(f.stages.Central) }

// ClusterOrder is the order within a VOS cluster, of upgrade, switch-forward and rollback alike.
func (f *Facts) ClusterOrder() []inventory.NodeType { return slices.Clone(f.stages.Cluster) }

// rank is a product's place in a table, over all stages and steps.
func (f *Facts) rank(table string, p inventory.Product) (int, bool) {
	n := 0
	for _, s := range f.stages.Tables[table] {
		for _, step := range s.Steps {
			if slices.Contains(step, p) {
				return n, true
			}
			n++
		}
	}
	return 0, false
}
