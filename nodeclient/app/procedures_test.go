package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/conduct/standtest"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/mail/mailtest"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/control/settings"
)

// plant is a publisher with a deployment of stand-ins and software for them.
type plant struct {
	place
	*standtest.Deployment
}

func newPlant(t *testing.T, specs ...standtest.Spec) plant {
	t.Helper()
	p := plant{place: setUp(t)}
	t.Cleanup(func() { // a worker that still has mail to deliver writes into the folder
		tick, deadline := time.NewTicker(20*time.Millisecond), time.Now().Add(20*time.Second)
		defer tick.Stop()
		for len(workers(t, p.dir)) > 0 && time.Now().Before(deadline) {
			<-tick.C
		}
	})
	pair, err := keys.Own(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	p.Deployment = standtest.Start(t, pair.Signer().PublicKey(), specs...)
	pins := remote.OpenPins(p.dir, time.Now)
	for _, m := range p.Machines {
		if err := pins.Confirm(m.Address, m.Key.Signer.PublicKey(), "test"); err != nil {
			t.Fatal(err)
		}
	}
	p.imports(t)
	if code, _, e := call(t, "set", "orchestration", "ssh-port", strconv.Itoa(p.Port), "--dir", p.dir); code != 0 {
		t.Fatal(e)
	}
	return p
}

// imports makes the inventory, and the record of onboarding that its VOS machines would have left.
func (p plant) imports(t *testing.T) {
	t.Helper()
	what := inventory.Empty()
	type node struct {
		Name    string             `json:"name"`
		Type    inventory.NodeType `json:"type"`
		User    string             `json:"user"`
		Version string             `json:"version"`
	}
	var nodes []node
	for _, m := range p.Machines {
		sections := &what.Windows
		h := inventory.Host{Name: m.Name, Side: m.Side, User: m.User}
		if m.Product.VOS() {
			sections, h = &what.VOS, inventory.Host{Name: m.Name, Side: m.Side, Type: m.Type}
			nodes = append(nodes, node{m.Name, m.Type, m.User, ""})
		}
		i := slices.IndexFunc(*sections, func(s inventory.Section) bool { return s.Product == m.Product })
		if i < 0 {
			*sections = append(*sections, inventory.Section{Product: m.Product})
			i = len(*sections) - 1
		}
		s := &(*sections)[i]
		j := slices.IndexFunc(s.Groups, func(g inventory.Group) bool { return g.Name == m.Group })
		if j < 0 {
			s.Groups = append(s.Groups, inventory.Group{Name: m.Group})
			j = len(s.Groups) - 1
		}
		s.Groups[j].Hosts = append(s.Groups[j].Hosts, h)
	}
	store := machines.Open(p.dir, time.Now)
	now, err := store.Current()
	if err == nil {
		_, err = store.Import(inventory.Format(what), now.Number, "test", "test")
	}
	if err != nil {
		t.Fatal(err)
	}
	type cluster struct {
		Nodes []node `json:"nodes"`
	}
	type record struct {
		Clusters []cluster `json:"clusters"`
	}
	_, err = settings.Update(settings.Open(p.dir, time.Now), settings.Onboarding, "test", func(r *record) error {
		r.Clusters = []cluster{{nodes}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// offers is what was downloaded: path, product and version of each file.
func (p plant) offers(t *testing.T, files ...[3]string) {
	t.Helper()
	c := catalogue.Catalogue{At: time.Now().UTC(), Repository: "r"}
	for _, f := range files {
		v, err := compat.Parse(f[2])
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Appendf(nil, `{"installs":%q,"exit":3010} %s`+"\n", f[2], f[0])
		sum := sha256.Sum256(text)
		entry := catalogue.File{Path: f[0], Product: f[1], Version: v, Kind: catalogue.KindOf(f[0], v),
			Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), Notes: "Fixes", Published: time.Unix(1, 0).UTC(),
			Since: time.Unix(2, 0).UTC()}
		local := catalogue.Local(p.dir, entry.SHA256, entry.Path)
		err = errors.Join(os.MkdirAll(filepath.Dir(local), 0o700), os.WriteFile(local, text, 0o600))
		if err != nil {
			t.Fatal(err)
		}
		c.Files = append(c.Files, entry)
	}
	if err := catalogue.Write(p.dir, c); err != nil {
		t.Fatal(err)
	}
}

// script runs a command as a process of its own, as a script would: a procedure's worker is one, too.
func (p plant) script(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	drives.at("script", args)
	cmd := exec.CommandContext(t.Context(), os.Args[0], append(args, "--dir", p.dir)...)
	cmd.Env = append(os.Environ(), actAsNode+"=1")
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// wants runs a script and looks for words in what it says.
func (p plant) wants(t *testing.T, code int, words string, args ...string) string {
	t.Helper()
	got, out, e := p.script(t, args...)
	if got != code {
		t.Fatalf("%v: %d %s %s\n%s", args, got, out, e, p.log(t))
	}
	for word := range strings.SplitSeq(words, "|") {
		if !strings.Contains(out+e, word) {
			t.Errorf("%v does not say %q: %s %s", args, word, out, e)
		}
	}
	return out
}

func (p plant) log(t *testing.T) string {
	t.Helper()
	text, _ := os.ReadFile(filepath.Join(p.dir, "control", "logs", "procedure.log"))
	return string(text)
}

// at is a command at a terminal.
func (p plant) at(t *testing.T, words string) *terminal {
	t.Helper()
	return atTerminal(t, append(strings.Fields(words), "--dir", p.dir)...)
}

func (x *terminal) end(code int, words string) {
	x.t.Helper()
	got, seen := x.ends()
	if got != code {
		x.t.Fatalf("%d %s", got, seen)
	}
	for word := range strings.SplitSeq(words, "|") {
		if !strings.Contains(seen, word) {
			x.t.Errorf("no %q: %s", word, seen)
		}
	}
}

func duplex(p inventory.Product, group string) []standtest.Spec {
	a := standtest.Spec{Product: p, Group: group, Side: inventory.SideA, Work: 50 * time.Millisecond,
		Reboot: 50 * time.Millisecond}
	b := a
	b.Side = inventory.SideB
	if p.VOS() {
		a.Type, b.Type = inventory.Publisher, inventory.Subscriber
		a.Packages = []string{"ucos.keymanagement.v02.cop.sgn"}
		b.Packages = a.Packages
	}
	return []standtest.Spec{a, b}
}

func TestPatchesAreListedInstalledAndTakenAway(t *testing.T) {
	t.Parallel()
	p := newPlant(t, slices.Concat(duplex(inventory.PeripheralGateway, "PG1"),
		duplex(inventory.Finesse, "Finesse-Cluster-1"))...)
	a, b, f := p.Machines[0].Name, p.Machines[1].Name, p.Machines[2].Name
	p.wants(t, 1, "utils initiate software-download", "utils", "patch-manager", "list", "--all")
	p.wants(t, 1, "utils initiate software-download", "utils", "patch-manager", "install", "--all", "--yes")
	p.offers(t, [3]string{"icm/ES4.exe", "UCCE", "12.6(1)ES4"}, [3]string{"icm/ES5.exe", "UCCE", "12.6(1)ES5"},
		[3]string{"icm/other.exe", "UCCE", "12.5(1)ES70"})
	p.wants(t, 0, "12.6(1)ES4|12.6(1)ES5|No patch available|Fixes", "utils", "patch-manager", "list", "--all")
	x := p.at(t, "utils patch-manager list")
	x.waits("a: all")
	x.says("List for which of them: ", "4")
	x.end(0, a+"|"+b+"|icm/ES4.exe")
	p.wants(t, 0, "No patch installed|"+f, "utils", "deployment", "show", "status", "--all")
	x = p.at(t, "utils deployment show status")
	x.says("Show the status of which of them: ", "q")
	x.end(0, "nothing was chosen")

	x = p.at(t, "utils patch-manager install --patch 12.6(1)ES4")
	x.says("Install a patch on which of them: ", "2,5")
	x.waits(f + ": ")
	x.says("Continue with "+a+"? Type yes to go on: ", "yes")
	x.says("Maintenance mode: ", "1")
	x.waits("side A)  12.6(1) → 12.6(1)ES4  [check, copy, enter, patch, restart, leave, verify]")
	x.says("installed on 1 node. Type yes to go on: ", "yes")
	x.says("restarted where the patch asks for it. Type yes to go on: ", "no")
	x.end(1, "nothing was changed")
	if len(p.Machines[0].Times(t)) != 0 {
		t.Error("something was done without a yes")
	}
	x = p.at(t, "utils patch-manager install --patch 12.6(1)ES4 --node "+a)
	x.says("Maintenance mode: ", "2")
	x.says("Type yes to go on: ", "yes")
	x.says("Type yes to go on: ", "yes")
	x.end(0, a+": patch …|"+a+": restart done|12.6(1) → 12.6(1)ES4  done")

	out := p.wants(t, 0, "", "utils", "patch-manager", "install", "--group", "PG1", "--maintenance", "with", "--yes", "--json")
	var v struct {
		Status string
		Nodes  []struct{ Name, From, To, Status string }
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Status != "done" || len(v.Nodes) != 2 ||
		v.Nodes[0].From != "12.6(1)ES4" || v.Nodes[1].From != "12.6(1)" || v.Nodes[1].To != "12.6(1)ES5" {
		t.Errorf("%v %s", err, out)
	}
	if n := p.BothDisturbed(t); n != 0 {
		t.Errorf("both of a pair were disturbed %d times", n)
	}
	p.wants(t, 0, "  12.6(1)ES4|  12.6(1)ES5", "utils", "deployment", "show", "status", "--node", a)
	p.wants(t, 1, "none of the 1 chosen nodes has a patch", "utils", "patch-manager", "install", "--node", a, "--yes")

	p.wants(t, 0, "No patch installed|12.6(1)ES5 → 12.6(1)ES4", "utils", "patch-manager", "rollback", "--node", a,
		"--node", f, "--maintenance", "without", "--yes")
	x = p.at(t, "utils patch-manager rollback --group PG1 --maintenance without")
	x.says("taken away on 2 nodes. Type yes to go on: ", "yes")
	x.says("The machines will be restarted. Type yes to go on: ", "yes")
	x.end(0, "12.6(1)ES4 → 12.6(1)  done|12.6(1)ES5 → 12.6(1)  done")
}

func TestWindowsUpdatesComeAndGoByTheirNumber(t *testing.T) {
	t.Parallel()
	specs := duplex(inventory.PeripheralGateway, "PG1")
	specs[0].Available, specs[1].Updates = []string{"KB5031364", "KB5031365"}, []string{"KB5031364"}
	p := newPlant(t, specs...)
	a, b := p.Machines[0].Name, p.Machines[1].Name
	p.wants(t, 0, "updates done", "utils", "patch-manager", "ms-patches", "install", "--node", a, "--node", b,
		"--maintenance", "without", "--yes")
	p.wants(t, 0, "Microsoft: KB5031364 KB5031365", "utils", "deployment", "show", "status", "--all")
	x := p.at(t, "utils patch-manager ms-patches install --maintenance without")
	x.says("Run Windows Update on which of them: ", "2")
	x.says("CriticalUpdates", "no")
	x.end(1, "nothing was changed")
	p.wants(t, 1, "a KB number is KB", "utils", "patch-manager", "ms-patches", "rollback", "--all", "--kb", "x;reboot", "--yes")
	p.wants(t, 0, b+": KB5031365 is not installed", "utils", "patch-manager", "ms-patches", "rollback", "--all",
		"--kb", "5031365", "--maintenance", "without", "--yes")
	x = p.at(t, "utils patch-manager ms-patches rollback --all --maintenance without")
	x.says("KB number: ", "KB5031364")
	x.says("KB5031364 will be taken away on 2 nodes. Type yes to go on: ", "yes")
	x.says("Type yes to go on: ", "yes")
	x.end(0, "remove-update done")
	if state := p.Machines[1].State(t); len(state["updates"].([]any)) != 0 {
		t.Errorf("%v", state)
	}
}

func TestMaintenanceIsForOneOfAPairAndServicesStartAgain(t *testing.T) {
	t.Parallel()
	specs := slices.Concat(duplex(inventory.PeripheralGateway, "PG1"), duplex(inventory.Rogger, "RGR1"),
		duplex(inventory.Finesse, "Finesse-Cluster-1"))
	specs[2].Version, specs[3].Version = "15.0(1)", "15.0(1)"
	p := newPlant(t, specs...)
	a, b, r, f := p.Machines[0].Name, p.Machines[1].Name, p.Machines[2].Name, p.Machines[4].Name
	p.wants(t, 1, "only one of them can be in maintenance", "utils", "system", "maintenance", "initiate", "--group", "PG1", "--yes")
	p.wants(t, 0, a+" (PG, side A)", "utils", "system", "maintenance", "initiate", "--node", a, "--yes")
	p.wants(t, 1, a+", the other machine of PG1, is already in maintenance", "utils", "system", "maintenance", "initiate",
		"--node", b, "--yes")
	p.wants(t, 1, "すでにメンテナンス中です", "utils", "system", "maintenance", "initiate", "--node", b, "--language", "ja", "--json", "--yes")
	p.wants(t, 1, "give --reason", "utils", "system", "maintenance", "initiate", "--node", r, "--yes")
	x := p.at(t, "utils system maintenance initiate --node "+r)
	x.waits("7: Other")
	x.says("Reason for the maintenance: ", "3")
	x.says("Type yes to go on: ", "yes")
	x.end(0, "enter done")
	if state := p.Machines[2].State(t); state["maintenance"] != true || state["reason"] != 3.0 {
		t.Errorf("%v", state)
	}
	p.wants(t, 0, f, "utils", "system", "maintenance", "initiate", "--node", f, "--yes")
	p.Machines[4].Set(t, "packages", []string{}) // what it lacks does not keep it in maintenance
	p.wants(t, 0, "Services started", "utils", "system", "icm-services", "start", "--all", "--yes")
	p.wants(t, 0, "Services running", "utils", "system", "icm-services", "start", "--all", "--yes")
	p.Machines[1].Set(t, "stopped", []string{"Cisco ICM PG1B"})
	x = p.at(t, "utils system icm-services start")
	x.says("Start the services of which of them: ", "a")
	x.waits(a + ": Services running")
	x.says("Type yes to go on: ", "yes")
	x.end(0, "Services started")
	for _, m := range p.Machines {
		if state := m.State(t); state["maintenance"] == true {
			t.Errorf("%s is still in maintenance", m.Name)
		}
	}
}

func TestWhatMustNotBeDisturbedTogetherIsRefusedBeforeItBegins(t *testing.T) {
	t.Parallel()
	p := newPlant(t, slices.Concat(duplex(inventory.PeripheralGateway, "PG1"), duplex(inventory.PeripheralGateway, "PG2"))...)
	p.offers(t, [3]string{"icm/ES4.exe", "UCCE", "12.6(1)ES4"})
	a, other := p.Machines[0], p.Machines[3]
	maintenance := []string{"utils", "system", "maintenance", "initiate", "--yes", "--node", a.Name, "--node", other.Name}
	p.wants(t, 1, "only one side can be in maintenance", maintenance...)
	p.wants(t, 1, "片方のサイドだけです", append(maintenance, "--language", "ja")...)
	pins := remote.OpenPins(p.dir, time.Now)
	if err := errors.Join(pins.Forget(other.Address), pins.Confirm(other.Address, a.Key.Signer.PublicKey(), "test")); err != nil {
		t.Fatal(err)
	}
	p.wants(t, 1, a.Name+" and "+other.Name+" show the same host key", "utils", "patch-manager", "install", "--node", a.Name,
		"--maintenance", "without", "--yes")
	for _, m := range p.Machines {
		if times := m.Times(t); len(times) > 0 {
			t.Errorf("%s: %v", m.Name, times)
		}
	}
}

// whole are machines of every kind that the compatibility check asks for.
func whole() []standtest.Spec {
	specs := slices.Concat(duplex(inventory.CVPServer, "CVP1"), duplex(inventory.VVB, "VVB-Cluster-1")[:1],
		duplex(inventory.Finesse, "Finesse-Cluster-1"), duplex(inventory.CUICCoResident, "CUIC_LiveData_IdS-Cluster-1")[:1],
		duplex(inventory.Rogger, "RGR1"), duplex(inventory.Distributor, "AW1")[:1], duplex(inventory.PeripheralGateway, "PG1"))
	return specs
}

func TestAnUpgradeGoesStageByStageAndBack(t *testing.T) {
	t.Parallel()
	p := newPlant(t, whole()...)
	p.offers(t, [3]string{"cvp/CVP.exe", "CVP", "12.6(2)"}, [3]string{"vvb/VVB.iso", "VVB", "12.6(2)"},
		[3]string{"finesse/F.iso", "Finesse", "12.6(2)"}, [3]string{"cuic/C.iso", "CUIC", "12.6(2)"},
		[3]string{"icm/ICM.exe", "UCCE", "12.6(2)"})
	mails := mailtest.Start(t, "none", false)
	p.done(t, "set smtp-host "+mails.Address+" --tls none")
	p.done(t, "set smtp-from-email cc@example.com")
	p.done(t, "utils smtp subscribe a@example.com")
	rgr, f, pg := p.Machines[6].Name, p.Machines[3].Name, p.Machines[9].Name
	p.wants(t, 1, "never made", "utils", "upgrade-manager", "list", "--all")
	p.wants(t, 0, "Triggered at|Nodes : 11", "utils", "deployment", "cache", "initiate", "--type", "all")
	p.wants(t, 0, "icm/ICM.exe|vvb/VVB.iso|As of", "utils", "upgrade-manager", "list", "--all")
	x := p.at(t, "utils upgrade-manager list --group CVP1")
	x.end(0, "cvp/CVP.exe")
	p.wants(t, 1, "and must be at 12.6(2) first|nothing was begun", "utils", "upgrade-manager", "upgrade", "--group", "RGR1", "--to", "12.6(2)", "--yes")
	if len(p.Machines[6].Times(t)) != 0 {
		t.Error("an incompatible Rogger was upgraded")
	}
	x = p.at(t, "utils upgrade-manager upgrade")
	x.says("Upgrade which of them: ", "a")
	x.says("Upgrade to: ", "1")
	x.says("Switch VOS machines to the new version at the end: ", "1")
	x.waits("Stage 2.3")
	x.waits("Stage 4.2 side A")
	x.waits("Stage 4.2 side B")
	x.says("11 nodes will be upgraded to 12.6(2). Back up the machines first. Type yes to go on: ", "yes")
	x.says("The machines will be restarted. Type yes to go on: ", "yes")
	x.end(0, rgr+" (ROGGER, side A)  12.6(1) → 12.6(2)  done|"+f+" (Finesse, side A)  12.6(1) → 12.6(2)  done")
	if n := p.BothDisturbed(t); n != 0 {
		t.Errorf("both of a pair were disturbed %d times", n)
	}
	p.stages(t)
	said := mails.Waits(8) // seven stages, and all of it
	last := said[len(said)-1]
	if len(said) != 8 || !strings.Contains(said[0].Title, "1") || !strings.HasPrefix(last.Title, "Upgrade") || !strings.HasSuffix(last.Title, "Success") ||
		!strings.Contains(last.Body, rgr+" (ROGGER)") || !strings.Contains(last.Body, "12.6(2)") {
		t.Errorf("%d mails, the first %q, the last %q\n%s", len(said), said[0].Title, last.Title, last.Body)
	}
	p.wants(t, 1, "at the latest version", "utils", "upgrade-manager", "upgrade", "--all", "--to", "12.6(2)", "--yes")

	p.wants(t, 1, "not done to all nodes", "utils", "upgrade-manager", "rollback", "--all", "--yes")
	mails.Fault("stall") // nobody waits for the mail of a procedure
	p.wants(t, 0, "12.6(2) → 12.6(1)", "utils", "upgrade-manager", "rollback", "--group", "PG1", "--yes")
	letters, err := filepath.Glob(filepath.Join(p.dir, "control", "outbox", "*.json"))
	if err != nil || len(letters) != 1 {
		t.Fatalf("%v %v", letters, err)
	}
	if text, err := os.ReadFile(letters[0]); err != nil || !strings.Contains(string(text), `"attempts": 0`) &&
		!strings.Contains(string(text), `"attempts":0`) {
		t.Errorf("%s %v", text, err)
	}
	x = p.at(t, "utils upgrade-manager rollback --node "+f)
	x.waits(f + ": active 12.6(2), inactive 12.6(1)")
	x.end(1, "nothing was begun")
	p.wants(t, 0, "check is disabled", "utils", "deployment", "compatibility-check", "--enforcement", "disable", "--yes")
	p.wants(t, 0, "does not stop the procedure|12.6(2) → 12.6(1)", "utils", "upgrade-manager", "rollback", "--group", "Finesse-Cluster-1", "--yes")
	p.wants(t, 0, "active 12.6(1), inactive 12.6(2)", "utils", "upgrade-manager", "switch-forward", "--group", "Finesse-Cluster-1", "--yes")
	x = p.at(t, "utils upgrade-manager switch-forward --node "+f)
	x.end(1, "none of the 1 chosen nodes")
	p.wants(t, 0, pg, "utils", "upgrade-manager", "upgrade", "--side", "A", "--to", "12.6(2)", "--yes")
}

// stages looks from outside whether no machine of a stage was disturbed before the former stage was over.
func (p plant) stages(t *testing.T) {
	t.Helper()
	order := [][]int{{0, 1}, {2}, {3, 4, 5}, {6}, {7}, {8}, {9, 10}}
	last := int64(0)
	for _, stage := range order {
		latest := last
		for _, i := range stage {
			for _, span := range p.Machines[i].Disturbed(t) {
				if span.From < last {
					t.Errorf("%s was disturbed before the former stage was over", p.Machines[i].Name)
				}
				latest = max(latest, span.To)
			}
		}
		last = latest
	}
}

func TestAProcedureSurvivesItsTerminalAndIsResumedOrAbandoned(t *testing.T) {
	t.Parallel()
	specs := duplex(inventory.PeripheralGateway, "PG1")
	specs[0].Work = 1500 * time.Millisecond
	p := newPlant(t, specs...)
	a, b := p.Machines[0].Name, p.Machines[1].Name
	p.offers(t, [3]string{"icm/ES4.exe", "UCCE", "12.6(1)ES4"})
	p.wants(t, 0, "none was run on this node", "utils", "deployment", "show", "in-progress")
	p.wants(t, 1, "no procedure that was interrupted", "utils", "deployment", "resume", "--yes")
	p.wants(t, 1, "no procedure that was interrupted", "utils", "deployment", "abandon", "--yes")
	x := p.at(t, "utils patch-manager install --all --maintenance without")
	x.says("Type yes to go on: ", "yes")
	x.says("Type yes to go on: ", "yes")
	x.waits(a + ": patch …")
	_ = x.cmd.Process.Kill() // the terminal is lost; the procedure is not
	_, _ = x.ends()
	p.wants(t, 0, "In progress:|running  patch", "utils", "deployment", "show", "in-progress")
	p.wants(t, 1, "Previous operation is still in progress", "utils", "patch-manager", "list", "--all")
	x = p.at(t, "utils deployment show in-progress --follow")
	x.end(0, b+": verify done|12.6(1) → 12.6(1)ES4  done")
	p.wants(t, 0, "The last one:|done", "utils", "deployment", "show", "in-progress")

	p.Machines[0].Fault(t, "exit", "1603")
	p.wants(t, 1, "1603|what remains: "+a+", "+b, "utils", "patch-manager", "rollback", "--all", "--maintenance", "without", "--yes")
	x = p.at(t, "utils deployment resume")
	x.says("goes on with: "+a+", "+b+". Type yes to go on: ", "yes")
	x.end(0, "resumed by|"+a+": unpatch done")
	p.Machines[0].Fault(t, "exit", "1603")
	p.wants(t, 1, "stopped at the first failure", "utils", "patch-manager", "install", "--all", "--maintenance", "without", "--yes")
	p.wants(t, 0, "utils deployment resume", "utils", "deployment", "show", "in-progress")
	p.wants(t, 1, "stopped at a failure, and "+a+", "+b+" remain; first run: utils deployment resume", "utils",
		"patch-manager", "rollback", "--all", "--yes")
	x = p.at(t, "utils deployment abandon")
	x.says("will not be done: "+a+", "+b+". Type yes to go on: ", "yes")
	x.end(0, "was abandoned")
	p.wants(t, 0, "12.6(1)ES4", "utils", "patch-manager", "install", "--all", "--maintenance", "without", "--yes", "--no-wait")
	p.interrupted(t, a, b)
}

// interrupted kills the worker in the middle; nothing else begins before somebody has decided.
func (p plant) interrupted(t *testing.T, a, b string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for p.Machines[0].Times(t)["patch"] == 0 && time.Now().Before(deadline) {
		if state, err := procedure.Last(p.dir); err != nil || state.Tasks[0].Step >= 2 {
			break
		}
	}
	killWorker(t, p.dir)
	p.wants(t, 0, "interrupted", "utils", "deployment", "show", "in-progress")
	p.wants(t, 1, "was interrupted; first run: utils deployment resume", "utils", "patch-manager", "install", "--all", "--yes")
	out := p.wants(t, 0, a+"|"+b, "utils", "deployment", "resume", "--yes", "--json")
	if !strings.Contains(out, `"status": "done"`) || p.Machines[0].Times(t)["patch"] != 3 || p.Machines[1].Times(t)["patch"] != 2 {
		t.Errorf("%v %v %s", p.Machines[0].Times(t), p.Machines[1].Times(t), out)
	}
	p.damaged(t)
}

// damaged spoils the last journal: that is said once, and keeps nobody from going on.
func (p plant) damaged(t *testing.T) {
	t.Helper()
	ids, err := procedure.List(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	where := filepath.Join(procedure.Folder(p.dir), ids[0]+".journal")
	text, err := os.ReadFile(where)
	if err == nil {
		err = os.WriteFile(where, append(text, "abc\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.wants(t, 1, "journal damaged", "utils", "deployment", "show", "in-progress")
	p.wants(t, 1, "is damaged and was put aside as "+where, "utils", "patch-manager", "rollback", "--all", "--yes")
	p.wants(t, 0, "", "utils", "deployment", "show", "in-progress")
}

// workers are the ids of the processes that conduct a procedure of a node's folder.
func workers(t *testing.T, dir string) (all []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		line, err2 := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && err2 == nil && bytes.Contains(line, []byte("\x00conduct\x00--dir\x00"+dir+"\x00")) {
			all = append(all, pid)
		}
	}
	return all
}

// killWorker ends the worker of a node's folder as a crash would.
func killWorker(t *testing.T, dir string) {
	t.Helper()
	all := workers(t, dir)
	if len(all) != 1 {
		t.Fatalf("%d workers", len(all))
	}
	if worker, err := os.FindProcess(all[0]); err != nil || worker.Kill() != nil {
		t.Fatal("the worker was not killed")
	}
}

func TestWhatHoldsForProceduresIsSetOnThePublisher(t *testing.T) {
	t.Parallel()
	p := newPlant(t, duplex(inventory.PeripheralGateway, "PG1")...)
	a, b := p.Machines[0].Name, p.Machines[1].Name
	p.wants(t, 1, "from 1 to 2", "utils", "set", "orchestration", "max-parallel-tasks", "3")
	p.wants(t, 1, "from 1 to 2", "utils", "set", "orchestration", "max-parallel-tasks", "0")
	p.wants(t, 0, "tasks : 2", "utils", "set", "orchestration", "max-parallel-tasks", "2")
	x := p.at(t, "utils set orchestration max-parallel-tasks")
	x.says("Parallel tasks (1 to 2) [2]: ", "1")
	x.end(0, "tasks : 1")
	p.wants(t, 0, "tasks : 10", "utils", "orchestration", "max-parallel-tasks", "reset-to-default")
	x = p.at(t, "utils orchestration max-parallel-tasks reset-to-default")
	x.end(0, "tasks : 10")

	x = p.at(t, "utils deployment compatibility-check")
	x.waits("The compatibility check is enabled.")
	x.says("Compatibility check: ", "2")
	x.says("Type yes to go on: ", "no")
	x.end(1, "nothing was changed")
	p.wants(t, 0, `"enforced": true`, "utils", "deployment", "compatibility-check", "--json")

	p.wants(t, 0, "never refreshed", "utils", "deployment", "cache", "status")
	p.Machines[1].Down(true)
	x = p.at(t, "utils deployment cache initiate")
	x.waits("4: Nodes that were not reached")
	x.says("Refresh: ", "1")
	x.end(0, "Unreachable nodes : 1|"+b)
	p.Machines[1].Down(false)
	p.wants(t, 0, "Unreachable nodes : 0|Nodes : 2", "utils", "deployment", "cache", "initiate", "--type", "missing")
	x = p.at(t, "utils deployment cache status")
	x.end(0, "Nodes with missing data : 0")

	server := sftptest.StartOpenSSH(t)
	flags := []string{"--server", server.Address, "--user", sftptest.User, "--directory", server.Home, "--password-file",
		secretFile(t, sftptest.Password+"\n"), "--accept-host-key", server.Key.Fingerprint()}
	p.wants(t, 0, "exported to sftp://"+server.Address+server.Home+"/patch-status-", append([]string{"utils", "deployment", "export-status"}, flags...)...)
	p.wants(t, 0, `"nodes": 2`, append([]string{"utils", "patch-manager", "export", "status", "--json"}, flags...)...)
	files, err := filepath.Glob(filepath.Join(server.Home, "patch-status-*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(text), a+" (PG / PG1, side A)  12.6(1)\n  No patch installed\n") {
		t.Errorf("%v %s", err, text)
	}
	for _, words := range []string{"utils deployment export-status", "utils patch-manager export status"} {
		x = p.at(t, words)
		x.says("SFTP Server ["+server.Address+"]: ", "")
		x.says("SFTP User", "")
		x.says("Password: ", sftptest.Password)
		x.says("SFTP Directory", "")
		x.end(0, "was exported to")
	}
}
