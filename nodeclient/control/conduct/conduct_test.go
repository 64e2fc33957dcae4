package conduct_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conduct"
	"connecthub/nodeclient/control/conduct/standtest"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/vosdriver"
	"connecthub/nodeclient/control/windriver"
)

// desk is a control node with a deployment of stand-ins.
type desk struct {
	*standtest.Deployment
	dir     string
	keyFile string
	signer  ssh.Signer
	pins    *remote.Pins
	files   map[string]string // by digest
}

func newDesk(t *testing.T, specs ...standtest.Spec) *desk {
	t.Helper()
	key := sftptest.NewKey(t)
	d := &desk{dir: t.TempDir(), keyFile: key.File, signer: key.Signer, files: map[string]string{}}
	d.Deployment = standtest.Start(t, d.signer.PublicKey(), specs...)
	d.pins = remote.OpenPins(d.dir, time.Now)
	for _, m := range d.Machines {
		if err := d.pins.Confirm(m.Address, m.Key.Signer.PublicKey(), "test"); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// open is the driver of a machine.
func (d *desk) open(ctx context.Context) func(procedure.Host) (target.Machine, error) {
	return func(h procedure.Host) (target.Machine, error) {
		link := remote.NewLink(ctx, d.pins, remote.Target{Address: h.Address, User: h.User,
			Signers: []ssh.Signer{d.signer}})
		if h.Product.VOS() {
			return vosdriver.New(link), nil
		}
		return windriver.New(link), nil
	}
}

func (d *desk) host(i int) procedure.Host {
	m := d.Machines[i]
	return procedure.Host{Name: m.Name, Address: m.Address, User: m.User, Product: m.Product, Group: m.Group,
		Side: m.Side, Type: m.Type}
}

func version(t testing.TB, text string) compat.Version {
	t.Helper()
	v, err := compat.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// file is an installer that a stand-in understands.
func (d *desk) file(t testing.TB, to string, exit int) *target.File {
	t.Helper()
	text := fmt.Appendf(nil, `{"installs":%q,"exit":%d}`+"\n", to, exit)
	sum := sha256.Sum256(text)
	digest := hex.EncodeToString(sum[:])
	d.files[digest] = filepath.Join(d.dir, digest)
	if err := os.WriteFile(d.files[digest], text, 0o600); err != nil {
		t.Fatal(err)
	}
	return &target.File{Path: "x/patch-" + digest[:8] + ".exe", SHA256: digest, Size: int64(len(text)),
		Target: version(t, to)}
}

// quick are limits for machines that answer at once.
func quick() procedure.Limits {
	return procedure.Limits{Check: 20 * time.Second, Put: 20 * time.Second, Work: 20 * time.Second,
		Updates: 20 * time.Second, Restart: 20 * time.Second, Verify: 20 * time.Second, Retry: 50 * time.Millisecond}
}

// plan is a procedure over all machines.
func (d *desk) plan(t testing.TB, kind procedure.Kind, to string, change func(*procedure.Plan)) procedure.Plan {
	t.Helper()
	facts, err := compat.Load()
	if err != nil {
		t.Fatal(err)
	}
	p := procedure.Plan{ID: "p-" + strings.ToLower(string(kind)), Kind: kind, By: "test", Created: time.Now(),
		Server: "cc", DeploymentType: inventory.UCCE2000, Parallel: 10, Limits: quick()}
	if change != nil {
		change(&p)
	}
	var chosen []procedure.Chosen
	var all []procedure.Host
	open := d.open(t.Context())
	for i := range d.Machines {
		all = append(all, d.host(i))
		m, _ := open(d.host(i))
		f, err := m.Facts(t.Context())
		m.Close()
		if err != nil {
			t.Fatal(err)
		}
		c := procedure.Chosen{Host: d.host(i), Facts: f}
		switch {
		case kind == procedure.SwitchForward || kind == procedure.Rollback && c.Product.VOS():
			c.To = f.Inactive.Level()
		case to != "":
			c.To = version(t, to)
			c.File = d.file(t, to, 3010)
		}
		chosen = append(chosen, c)
	}
	p, err = procedure.Build(p, facts, chosen, all)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// conduct goes through a journal.
func (d *desk) conduct(ctx context.Context, j *procedure.Journal) error {
	c := &conduct.Conductor{Journal: j, Open: d.open(ctx), Now: time.Now,
		Local: func(f target.File) string { return d.files[f.SHA256] }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	return c.Run(ctx)
}

func (d *desk) run(t testing.TB, p procedure.Plan) (procedure.State, error) {
	t.Helper()
	j, err := procedure.Create(d.dir, p)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	err = d.conduct(t.Context(), j)
	return j.State(), err
}

// resume goes on with a procedure as a new process would.
func (d *desk) resume(t testing.TB, id string) (procedure.State, error) {
	t.Helper()
	j, err := procedure.Open(d.dir, id)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Add(procedure.Event{At: time.Now(), What: procedure.Resumed}); err != nil {
		t.Fatal(err)
	}
	err = d.conduct(t.Context(), j)
	return j.State(), err
}

func pair(p inventory.Product, group string, work time.Duration) []standtest.Spec {
	a := standtest.Spec{Product: p, Group: group, Side: inventory.SideA, Work: work, Reboot: work}
	b := a
	b.Side = inventory.SideB
	if p.VOS() {
		a.Type, b.Type = inventory.Publisher, inventory.Subscriber
	}
	return []standtest.Spec{a, b}
}

func describe(s procedure.State) string {
	var b strings.Builder
	for i, t := range s.Tasks {
		fmt.Fprintf(&b, "%s %s step %d %s %s %s→%s\n", s.Plan.Tasks[i].Name, t.Status, t.Step, t.Code, t.Detail, t.From, t.To)
	}
	return b.String()
}

func TestAPatchIsInstalledOnAPairOneAfterTheOther(t *testing.T) {
	t.Parallel()
	d := newDesk(t, slices.Concat(pair(inventory.PeripheralGateway, "PG1", 100*time.Millisecond),
		pair(inventory.Finesse, "Finesse-Cluster-1", 100*time.Millisecond))...)
	s, err := d.run(t, d.plan(t, procedure.PatchInstall, "12.6(1)ES4", nil))
	if err != nil || s.Status != procedure.Done {
		t.Fatalf("%v\n%s", err, describe(s))
	}
	for i, task := range s.Tasks {
		if task.From.String() != "12.6(1)" || task.To.String() != "12.6(1)ES4" {
			t.Errorf("%s: %s to %s", s.Plan.Tasks[i].Name, task.From, task.To)
		}
	}
	for i, m := range d.Machines {
		times := m.Times(t)
		want := map[string]int{"patch": 1, "restart": 1}
		if i > 1 {
			want = map[string]int{"patch-install": 1}
		}
		if fmt.Sprint(times) != fmt.Sprint(want) || len(m.Disturbed(t)) != 1 {
			t.Errorf("%s: %v, %v", m.Name, times, m.Disturbed(t))
		}
	}
	if n := d.BothDisturbed(t); n != 0 {
		t.Errorf("both of a pair were disturbed %d times", n)
	}
	again, err := d.run(t, d.plan(t, procedure.PatchInstall, "12.6(1)ES4", func(p *procedure.Plan) { p.ID = "again" }))
	if err != nil || again.Status != procedure.Done || d.Machines[0].Times(t)["patch"] != 1 {
		t.Errorf("what was there was installed again: %v\n%s", err, describe(again))
	}
}

func contextOf() context.Context { return context.Background() }
