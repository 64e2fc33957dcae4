package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/logs"
)

const (
	notThere = "utils initiate software-download" // a procedure that was let begin, and has no software
	giveFlag = "give --other-node-is-down"
)

// installs begins a procedure that ends at once: nothing was downloaded.
func (m *machine) installs(t *testing.T, want string, flags ...string) {
	t.Helper()
	args := append([]string{"utils", "patch-manager", "install", "--all", "--yes", "--dir", m.dir}, flags...)
	if out := m.does(t, 1, args...); !strings.Contains(out, want) {
		t.Errorf("%v does not say %q: %s", args, want, out)
	}
}

// disturbs holds a node's lock as a procedure does.
func (m *machine) disturbs(t *testing.T, how gate.Procedure) *gate.Hold {
	t.Helper()
	hold, err := gate.Take(m.dir, gate.Orchestration, "patch install", "mika", time.Now())
	if err == nil {
		err = hold.Mark(how)
	}
	if err != nil {
		t.Fatal(err)
	}
	return hold
}

// TestAProcedureAsksTheOtherControlNodeFirst has a publisher and a subscriber with their real agents.
func TestAProcedureAsksTheOtherControlNodeFirst(t *testing.T) {
	t.Parallel()
	b := newTwo(t)
	for _, one := range []struct {
		here, other *machine
		name        string
	}{{b.sub, b.pub, "cc-pub.example.com"}, {b.pub, b.sub, "cc-sub.example.com"}} {
		one.here.installs(t, notThere)
		for _, how := range []gate.Procedure{gate.Asked, gate.Begun} {
			hold := one.other.disturbs(t, how)
			one.here.installs(t, one.name+", works on machines of the deployment, or is about to (patch install, by mika")
			one.here.installs(t, "もう一方の制御ノード "+one.name+" がデプロイメントのマシンに対して", "--language", "ja",
				"--other-node-is-down")
			hold.Release()
		}
		hold := one.other.disturbs(t, "") // it looks at machines only
		one.here.installs(t, notThere)
		hold.Release()
	}
	b.pub.dies()
	b.sub.installs(t, giveFlag)
	x := atTerminal(t, "utils", "patch-manager", "install", "--all", "--yes", "--dir", b.sub.dir)
	x.waits("The other control node, cc-pub.example.com, is not heard")
	x.says("It is known to be down. Type yes to go on: ", "no")
	x.end(1, "nothing was changed")
	x = atTerminal(t, "utils", "patch-manager", "install", "--all", "--yes", "--dir", b.sub.dir)
	x.says("It is known to be down. Type yes to go on: ", "yes")
	x.end(1, notThere)
	b.sub.installs(t, notThere, "--other-node-is-down")
	text, err := os.ReadFile(filepath.Join(logs.Folder(b.sub.dir), string(logs.Audit)))
	if err != nil || strings.Count(string(text), `command="without cc-pub.example.com"`) != 2 ||
		strings.Count(string(text), "outcome=other-node-is-down") != 2 {
		t.Errorf("%v %s", err, text)
	}
	b.pub.runs()
	b.sub.dies()
	b.pub.installs(t, "もう一方の制御ノード cc-sub.example.com と通信できません", "--language", "ja")
	b.pub.installs(t, notThere, "--other-node-is-down")
}
