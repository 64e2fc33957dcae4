package onboarding

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/vosapi"
)

const greetDeadline = 12 * time.Second

// enter writes the cluster into the inventory as a new version, or leaves it as it is where nothing
// changes. Sides stay what somebody has set.
func (d *Desk) enter(c *Cluster, group, by string) (int, error) {
	return d.edit(c.Product, by, "onboarding of "+c.Name, func(groups []inventory.Group) []inventory.Group {
		at := slices.IndexFunc(groups, func(g inventory.Group) bool {
			return g.Name == group || slices.ContainsFunc(g.Hosts, func(h inventory.Host) bool {
				return strings.EqualFold(h.Name, c.Nodes[0].Name)
			})
		})
		if at < 0 {
			at = len(groups)
			groups = append(groups, inventory.Group{Name: freeName(c.Product, groups)})
		}
		c.Group = groups[at].Name
		groups[at].Hosts = hosts(c.Nodes, groups[at])
		return groups
	})
}

// leave takes the cluster out of the inventory. What an administrator has taken out already is gone.
func (d *Desk) leave(c Cluster, by string) (int, error) {
	return d.edit(c.Product, by, "removal of "+c.Name, func(groups []inventory.Group) []inventory.Group {
		return slices.DeleteFunc(groups, func(g inventory.Group) bool {
			return slices.ContainsFunc(g.Hosts, func(h inventory.Host) bool {
				_, own := Find([]Cluster{c}, h.Name)
				return own
			})
		})
	})
}

func (d *Desk) edit(product inventory.Product, by, from string,
	how func([]inventory.Group) []inventory.Group) (int, error) {
	store := machines.Open(d.o.Dir, d.o.Now)
	for range importTries {
		now, err := store.Current()
		if err != nil {
			return 0, err
		}
		what, found := inventory.Parse(now.Text)
		if len(found) > 0 {
			return 0, fmt.Errorf("cannot read the inventory: %w", found)
		}
		before := groupsOf(what, product)
		after := how(groupsOf(what, product))
		if slices.EqualFunc(before, after, sameGroup) {
			return now.Number, nil
		}
		text, err := inventory.Replace(now.Text, product, after)
		if err != nil {
			var broken inventory.Problems
			if errors.As(err, &broken) {
				return 0, models.Conflict("inventory_refuses", broken.Error())
			}
			return 0, err
		}
		fresh, err := store.Import(text, now.Number, by, from)
		if !errors.Is(err, machines.ErrChanged) {
			return fresh.Number, err
		}
	}
	return 0, &models.Refusal{Kind: models.KindUnavailable, Code: "inventory_busy", RetryAfter: 5 * time.Second}
}

func groupsOf(what inventory.Inventory, product inventory.Product) []inventory.Group {
	for _, s := range what.VOS {
		if s.Product == product {
			return slices.Clone(s.Groups)
		}
	}
	return nil
}

func sameGroup(a, b inventory.Group) bool {
	return a.Name == b.Name && slices.EqualFunc(a.Hosts, b.Hosts, func(a, b inventory.Host) bool {
		return a.Name == b.Name && a.Side == b.Side && a.Type == b.Type
	})
}

// freeName is <Product>-Cluster-<n> with the lowest number that is free.
func freeName(p inventory.Product, groups []inventory.Group) string {
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s-Cluster-%d", p, n)
		if !slices.ContainsFunc(groups, func(g inventory.Group) bool { return g.Name == name }) {
			return name
		}
	}
}

// hosts are the machines with their sides: as somebody has set them, or the publisher on side A and the
// others on side B. A cluster of one machine stands on the sides in turns, as in the published layouts.
func hosts(nodes []Node, g inventory.Group) []inventory.Host {
	var all []inventory.Host
	for _, n := range nodes {
		h := inventory.Host{Name: n.Name, Type: n.Type, Side: inventory.SideA}
		last := g.Name[len(g.Name)-1]
		if n.Type == inventory.Subscriber || len(nodes) == 1 && (last-'0')%2 == 0 {
			h.Side = inventory.SideB
		}
		for _, was := range g.Hosts {
			if strings.EqualFold(was.Name, n.Name) && was.Side != "" {
				h.Side = was.Side
			}
		}
		all = append(all, h)
	}
	return all
}

// greet signs in to every machine that was reached, with this control node's key and nothing else, and
// notes which of them cannot be orchestrated yet.
func (d *Desk) greet(ctx context.Context, c *Cluster) {
	pair, err := keys.Own(d.o.Dir)
	var all sync.WaitGroup
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if n.Trouble != "" {
			continue
		}
		if err != nil {
			n.Trouble = vosapi.Plain(err.Error())
			continue
		}
		all.Go(func() {
			if err := d.ping(ctx, pair.Signer(), *n, c.Product); err != nil {
				n.Trouble = vosapi.Plain("the control node cannot sign in: " + err.Error())
			}
		})
	}
	all.Wait()
}

func (d *Desk) ping(ctx context.Context, signer ssh.Signer, n Node, product inventory.Product) error {
	ctx, cancel := context.WithTimeout(ctx, greetDeadline)
	defer cancel()
	address, _, err := d.place(n)
	if err != nil {
		return err
	}
	client, err := remote.Dial(ctx, remote.OpenPins(d.o.Dir, d.o.Now), remote.Target{Address: address,
		User: n.User, Signers: []ssh.Signer{signer}, Timeout: greetDeadline})
	if err != nil {
		return err
	}
	defer client.Close()
	var text bytes.Buffer
	if err := vosapi.Write(&text, vosapi.Request{Protocol: vosapi.Protocol, Verb: vosapi.Ping}); err != nil {
		return err
	}
	result, err := client.Run(ctx, vosapi.Command, &text)
	if err != nil {
		return err
	}
	a, err := vosapi.ReadAnswer(bytes.NewReader(result.Stdout))
	if err == nil {
		err = a.Err()
	}
	if err == nil && (a.Ping == nil || a.Ping.Name != n.Name || a.Ping.Product != product) {
		err = errors.New("another machine answers there")
	}
	return err
}
