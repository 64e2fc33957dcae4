package commands

import (
	"fmt"
	"slices"
	"strings"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/machines"
)

// nodeFlags choose machines of the inventory; without them a numbered list is shown.
type nodeFlags struct {
	All   bool     `help:"Every machine of the inventory."`
	Group []string `help:"All machines of a cluster or pair: PG1, or PG/PG1. Repeat it for more." placeholder:"GROUP" sep:"none"`
	Node  []string `help:"One machine, as the inventory names it. Repeat it for more." placeholder:"NAME" sep:"none"`
}

// inventoried answers the machines of this node's inventory.
func inventoried(s *console.Session) ([]inventory.Machine, error) {
	now, err := machines.Open(s.Dir, s.Now).Current()
	if err != nil {
		return nil, err
	}
	what, found := inventory.Parse(now.Text)
	if len(found) > 0 {
		return nil, fmt.Errorf("cannot read the inventory: %w", found)
	}
	all := what.Machines()
	if len(all) == 0 {
		return nil, console.Refuse("empty_inventory", "there is no machine in the inventory; onboard "+
			"VOS machines and import an inventory with the Windows machines first",
			"インベントリにマシンがありません。先に VOS マシンをオンボードし、Windows マシンを含むインベントリをインポートしてください")
	}
	return all, nil
}

// pick answers the chosen ones, in the order of the inventory.
func (f nodeFlags) pick(s *console.Session, prompt string, all []inventory.Machine) ([]inventory.Machine,
	error) {
	options, members := lines(all)
	given, err := f.given(all)
	if err != nil {
		return nil, err
	}
	chosen, err := s.Choose(prompt, "all, --group or --node", given, options, console.Many)
	if err != nil {
		return nil, err
	}
	taken := map[int]bool{}
	for _, c := range chosen {
		for _, i := range members[c] {
			taken[i] = true
		}
	}
	var picked []inventory.Machine
	for i, m := range all {
		if taken[i] {
			picked = append(picked, m)
		}
	}
	return picked, nil
}

// lines lists each group and, below it, its machines; members are the machines that a line stands for.
func lines(all []inventory.Machine) (options []console.Option, members [][]int) {
	for i, m := range all {
		if i == 0 || !sameGroup(all[i-1], m) {
			var group []int
			for j, other := range all {
				if sameGroup(m, other) {
					group = append(group, j)
				}
			}
			options = append(options, console.Option{Value: groupValue(m),
				Text: fmt.Sprintf("%s / %s (%s)", m.Product, m.Group, plural(len(group), "machine"))})
			members = append(members, group)
		}
		text := "    " + m.Host.Name
		if m.Host.Side != "" {
			text += "  side " + string(m.Host.Side)
		}
		if m.Product.VOS() {
			text += "  " + string(m.Host.Type)
		}
		options = append(options, console.Option{Value: nodeValue(m), Text: text})
		members = append(members, []int{i})
	}
	return options, members
}

func sameGroup(a, b inventory.Machine) bool { return a.Product == b.Product && a.Group == b.Group }

func groupValue(m inventory.Machine) string { return string(m.Product) + "/" + m.Group }

func nodeValue(m inventory.Machine) string { return groupValue(m) + "/" + m.Host.Name }

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// given turns the flags into values of the list. A name that stands in two products means both.
func (f nodeFlags) given(all []inventory.Machine) ([]string, error) {
	if f.All {
		return []string{console.All}, nil
	}
	var values []string
	for _, name := range f.Group {
		found := false
		for _, m := range all {
			if groupValue(m) == name || m.Group == name {
				values, found = append(values, groupValue(m)), true
			}
		}
		if !found {
			return nil, console.Refuse("unknown_choice", "--group %s: the inventory has no such group",
				"--group %s: インベントリにそのグループはありません", name)
		}
	}
	for _, name := range f.Node {
		found := false
		for _, m := range all {
			if strings.EqualFold(m.Host.Name, name) || nodeValue(m) == name {
				values, found = append(values, nodeValue(m)), true
			}
		}
		if !found {
			return nil, console.Refuse("unknown_choice", "--node %s: the inventory has no such machine",
				"--node %s: インベントリにそのマシンはありません", name)
		}
	}
	slices.Sort(values)
	return slices.Compact(values), nil
}
