package nodeapi_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"connecthub/models"
	"connecthub/models/wire"
)

// machine is what a node can say of its packages.
type machine struct {
	digest   string
	facts    []models.Fact
	packages *models.Packages // nil: it has never heard of such a question
}

// newMany is a machine of n packages; its facts have room for the first of them.
func newMany(n int) machine {
	m := machine{digest: "facts of " + strconv.Itoa(n), packages: &models.Packages{}}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("package-%04d", i)
		if len(m.facts) < 250 {
			m.facts = append(m.facts, models.Fact{Name: "package:" + names[i], Value: "1.0"})
		}
	}
	m.facts = append(m.facts, models.Fact{Name: "packages", Value: strconv.Itoa(n)})
	m.packages.Names, m.packages.More = models.NewPackageSet(names)
	return m
}

// oldMany is a machine of many packages whose nodeclient does not count them.
func oldMany() machine {
	m := newMany(5000)
	m.digest, m.packages = "old", nil
	m.facts[len(m.facts)-1] = models.Fact{Name: "package:other", Value: "1"}
	for len(m.facts) < models.MaxFacts {
		m.facts = append(m.facts, models.Fact{Name: fmt.Sprintf("fact-%d", len(m.facts)), Value: "1"})
	}
	return m
}

// tells polls as the agent does until the hub asks for nothing that the machine can say, and
// answers what was asked.
func (n *node) tells(t *testing.T, m machine) (asked []string) {
	t.Helper()
	n.state.FactsDigest = m.digest
	for range 5 {
		answer := n.poll()
		n.state.Facts, n.state.Packages = nil, nil
		switch {
		case answer.SendFacts:
			asked, n.state.Facts = append(asked, "facts"), m.facts
		case answer.SendPackages && m.packages != nil:
			asked, n.state.Packages = append(asked, "packages"), m.packages
		default:
			return asked
		}
	}
	t.Fatalf("the hub never stops to ask: %v", asked)
	return nil
}

func (w walk) unmet(n *node, subject string) {
	w.Helper()
	w.held(n, models.ReasonRequirementUnmet)
	for _, v := range w.cluster(w.id).Nodes {
		if v.Name == n.name && v.Decision.Subject != subject {
			w.Fatalf("it lacks %q, not %q", v.Decision.Subject, subject)
		}
	}
}

func TestR23APackageBeyondWhatFactsCanNameIsNotMissing(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		if asked := w.pub.tells(w.T, newMany(5000)); !slices.Equal(asked, []string{"facts", "packages"}) {
			w.Fatalf("the hub asked for %v", asked)
		}
		if asked := w.sub.tells(w.T, newMany(5000)); len(asked) != 2 {
			w.Fatalf("the hub asked for %v", asked)
		}
		r := w.publish("2.0.0", models.Regular, "package-0001", "package-4999", "package-5000")
		w.unmet(w.pub, "cc-pub.example.com: package package-5000 (none)")
		w.release(r.ID, models.ReleaseRecalled)
		w.publish("3.0.0", models.Regular, "package-0001", "package-4999")
		w.opens(w.pub, w.sub)
		w.rolls(w.pub, w.sub)
	})
}

func TestAnOldNodeOfManyPackagesIsAskedInVainAndItsPackagesAreUntoldNotMissing(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.pub.tells(t, newMany(5000))
	if asked := w.sub.tells(t, oldMany()); !slices.Equal(asked, []string{"facts"}) {
		t.Fatalf("the hub asked for %v", asked)
	}
	w.publish("2.0.0", models.Regular, "package-0001") // its facts name that one
	w.opens(w.pub, w.sub)
	w.rolls(w.pub, w.sub)
	w.publish("3.0.0", models.Regular, "package-4999")
	w.unmet(w.pub, "cc-sub.example.com: package_untold package-4999 (none)")

	w.sub.state.ClientVersion = "9.9.9" // it is brought up to date
	w.sub.tells(t, newMany(5000))
	w.at("03:00")
	w.sub.poll()
	w.rolls(w.pub, w.sub)
}

func TestAnotherClientMayNotTellItsPackagesAnyMore(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.pub.tells(t, newMany(5000))
	w.sub.tells(t, newMany(5000))
	w.publish("2.0.0", models.Regular, "package-4999")
	w.sub.state.ClientVersion = "0.1.0"
	w.sub.tells(t, oldMany())
	w.unmet(w.pub, "cc-sub.example.com: package_untold package-4999 (none)")
}

func TestANodeWithMorePackagesThanASetHoldsIsNotSaidToLackOne(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	many := newMany(models.MaxPackages + 2000)
	w.pub.tells(t, many)
	w.sub.tells(t, newMany(100)) // named by its facts alone
	if !many.packages.More {
		t.Fatal("it has room for all")
	}
	var inside, outside string
	for i := 300; inside == "" || outside == ""; i++ {
		name := fmt.Sprintf("package-%04d", i)
		if many.packages.Names.Has(name) {
			inside = name
		} else {
			outside = name
		}
	}
	r := w.publish("2.0.0", models.Regular, outside)
	w.unmet(w.pub, "cc-pub.example.com: package_untold "+outside+" (none)")
	w.release(r.ID, models.ReleaseRecalled)
	w.publish("3.0.0", models.Regular, inside)
	w.unmet(w.pub, "cc-sub.example.com: package "+inside+" (none)")
}

func TestANodeWhoseFactsNameAllItsPackagesIsNeverAskedForMore(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	if asked := w.pub.tells(t, newMany(250)); !slices.Equal(asked, []string{"facts"}) {
		t.Errorf("the hub asked for %v", asked)
	}
	if asked := w.pub.tells(t, newMany(251)); !slices.Equal(asked, []string{"facts", "packages"}) {
		t.Errorf("the hub asked for %v", asked)
	}
	var again wire.PollResponse
	if again = w.pub.poll(); again.SendFacts || again.SendPackages {
		t.Errorf("asked again: %+v", again)
	}
}
