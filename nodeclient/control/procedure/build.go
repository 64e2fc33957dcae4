package procedure

import (
	"cmp"
	"errors"
	"slices"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/target"
)

// Chosen is a machine that somebody wants something done to, and what.
type Chosen struct {
	Host
	Facts target.Facts
	To    compat.Version // what it will have; zero where that is not known before
	File  *target.File
}

// Build orders what is to be done: stage by stage where the kind has stages, in a unit the publisher or
// side A first. All are the machines of the inventory. What is not in the plan yet (who, when, how many
// at once) is in the template.
func Build(template Plan, facts *compat.Facts, chosen []Chosen, all []Host) (Plan, error) {
	p := template
	if len(chosen) == 0 {
		return p, errors.New("no machine is left to do it on")
	}
	place := map[string]Stage{}
	for _, c := range chosen {
		s, err := stageOf(p, facts, c.Product, c.Side)
		if err == nil {
			err = alone(c.Host, all)
		}
		if err != nil {
			return p, err
		}
		place[c.Name] = s
	}
	order := func(a, b Chosen) int {
		return cmp.Or(place[a.Name].compare(place[b.Name], p.Kind == Rollback), rank(a.Host)-rank(b.Host),
			cmp.Compare(a.Side, b.Side))
	}
	chosen = slices.Clone(chosen)
	slices.SortStableFunc(chosen, order)
	p.Stages, p.Tasks = nil, nil
	for _, c := range chosen {
		s := place[c.Name]
		if n := len(p.Stages); n == 0 || p.Stages[n-1].compare(s, false) != 0 {
			p.Stages = append(p.Stages, s)
		}
		p.Tasks = append(p.Tasks, Task{Host: c.Host, Stage: len(p.Stages) - 1, From: c.Facts.Active.Level(),
			To: c.To, File: c.File, Steps: p.steps(c), Peers: Peers(c.Host, all),
			Family: family(facts, c.Product)})
	}
	return p, cmp.Or(p.Check(), p.left())
}

// rank puts the publisher of a cluster and side A of a pair first.
func rank(h Host) int {
	if h.Type == inventory.Publisher || h.Type == "" && h.Side == inventory.SideA {
		return 0
	}
	return 1
}

func (s Stage) compare(t Stage, backwards bool) int {
	c := cmp.Or(cmp.Compare(s.Number, t.Number), cmp.Compare(s.Step, t.Step))
	if backwards { // what came last goes back first
		c = -c
	}
	return cmp.Or(c, cmp.Compare(s.Side, t.Side))
}

// stageOf is where a product stands. The central controller has all of side A done before side B.
func stageOf(p Plan, facts *compat.Facts, product inventory.Product, side inventory.Side) (Stage, error) {
	if !p.Kind.Checked() {
		return Stage{}, nil
	}
	number, step, ok := facts.StageOf(p.DeploymentType, product)
	if !ok {
		return Stage{}, compat.Refusals{{Code: compat.NotOrchestrated, Product: string(product)}}
	}
	s := Stage{Number: number, Step: step}
	if family(facts, product) == central {
		s.Side = side
	}
	stages, err := facts.Stages(p.DeploymentType)
	if err != nil {
		return s, err
	}
	for _, row := range stages {
		if row.Number == number {
			s.ByHand = row.ByHand
		}
	}
	return s, nil
}

// steps are what one machine goes through.
func (p Plan) steps(c Chosen) []Step {
	steps := []Step{{Do: Check}}
	add := func(more ...Step) { steps = append(steps, more...) }
	if c.File != nil {
		add(Step{Do: Put})
	}
	vos := c.Product.VOS()
	if vos && c.Facts.RestartNeeded && p.Kind != Maintenance { // after a failed upgrade or rollback
		add(Step{Do: Restart}, Step{Do: Verify})
	}
	if p.Drain {
		add(Step{Work, target.Enter})
	}
	switch p.Kind {
	case PatchInstall:
		add(Step{Work, target.Patch}, Step{Do: Restart})
	case PatchRollback:
		add(Step{Work, target.Unpatch}, Step{Do: Restart})
	case MSInstall:
		add(Step{Work, target.Updates}, Step{Do: Restart})
	case MSRollback:
		add(Step{Work, target.RemoveUpdate}, Step{Do: Restart})
	case Upgrade:
		add(Step{Work, target.Install})
		if vos && p.Switch {
			add(Step{Work, target.Switch})
		}
		if !vos {
			add(Step{Do: Restart})
		}
	case SwitchForward:
		add(Step{Work, target.Switch})
	case Rollback:
		add(Step{Work, target.Back})
		if !vos {
			add(Step{Do: Restart})
		}
	case Maintenance:
		add(Step{Work, target.Enter})
	case Services:
		if c.Facts.Maintenance {
			add(Step{Work, target.Leave})
		}
		if !vos {
			add(Step{Work, target.Services})
		}
	}
	if p.Drain {
		add(Step{Work, target.Leave})
	}
	return append(steps, Step{Do: Verify})
}
