package windriver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conduct/standtest"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/windriver"
)

func pg() standtest.Spec {
	return standtest.Spec{Product: inventory.PeripheralGateway, Group: "PG1", Side: "A", Available: []string{"KB5031364"}}
}

// kept is an operation as it stands on the machine.
func kept(t *testing.T, m *standtest.Machine, id string) (o struct {
	State string
	PID   int
	N     int
}) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.Dir, "operations", id+".json"))
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// do is Do, also through a restart of the machine.
func do(t *testing.T, w *windriver.Machine, work target.Work) (target.Outcome, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		o, err := w.Do(ctx, work)
		if !errors.Is(err, target.ErrAway) || ctx.Err() != nil {
			return o, err
		}
	}
}

func TestAnOperationThatHasLostItsRunnerKeepsNothingElseFromBeingDone(t *testing.T) {
	t.Parallel()
	m, w := machine(t, pg())
	for i, fault := range []string{"die", "not-begun", "crash"} {
		id := fmt.Sprintf("operation-%d", i)
		m.Fault(t, fault, "")
		_, err := do(t, w, target.Work{ID: id, Kind: target.Updates})
		var failed *target.Failure
		if !errors.As(err, &failed) || failed.Code != "lost" || kept(t, m, id).State != "lost" {
			t.Fatalf("%s: %v %+v", fault, err, kept(t, m, id))
		}
		if f, err := w.Facts(t.Context()); err != nil || f.Running != "" {
			t.Errorf("%s: %+v %v", fault, f, err)
		}
		if _, err := do(t, w, target.Work{ID: id + "-next", Kind: target.Services}); err != nil {
			t.Errorf("%s: %v", fault, err)
		}
	}
	if n := m.Times(t)["updates"]; n != 0 {
		t.Errorf("what was lost was done %d times", n)
	}
}

// Nobody may have to ask for the lost operation itself: its control node has given it up.
func TestFactsAndAnotherOperationFindOutThatARunnerIsGone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(map[string]any){
		"of another boot":                              func(o map[string]any) { o["boot"] = "0" },
		"of a process that is gone":                    func(o map[string]any) { o["pid"] = 1 << 22 },
		"of a process that is used for something else": func(o map[string]any) { o["pid"] = os.Getpid() },
		"of no process":                                func(o map[string]any) { o["pid"] = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, w := machine(t, pg())
			o := map[string]any{"id": "abandoned", "state": "running", "boot": "1", "pid": 0, "n": 1,
				"work": map[string]string{"kind": "patch"}}
			change(o)
			write := func() {
				text, err := json.Marshal(o)
				if err == nil {
					err = os.WriteFile(filepath.Join(m.Dir, "operations", "abandoned.json"), text, 0o666)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			write()
			if f, err := w.Facts(t.Context()); err != nil || f.Running != "" || kept(t, m, "abandoned").State != "lost" {
				t.Errorf("%+v %v", f, err)
			}
			write()
			if _, err := w.Do(t.Context(), target.Work{ID: "the-next-one", Kind: target.Services}); err != nil ||
				kept(t, m, "abandoned").State != "lost" {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTheLatestOperationsAreKept(t *testing.T) {
	t.Parallel()
	m, w := machine(t, pg())
	for n := 1; n <= 70; n++ {
		text := fmt.Sprintf(`{"id":"operation-%d","state":"done","boot":"0","n":%d}`, n, n)
		if err := os.WriteFile(filepath.Join(m.Dir, "operations", fmt.Sprintf("operation-%d.json", n)), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Do(t.Context(), target.Work{ID: "the-latest", Kind: target.Services}); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(m.Dir, "operations", "*.json"))
	if len(left) != 50 || kept(t, m, "the-latest").N != 71 || kept(t, m, "operation-22").State != "done" {
		t.Errorf("%d are kept", len(left))
	}
}

func TestARestartIsWantedUntilTheBootIsAnotherOneAndDoneThen(t *testing.T) {
	t.Parallel()
	m, w := machine(t, pg())
	m.Fault(t, "exit", "3010")
	if o, err := w.Do(t.Context(), target.Work{ID: "operation-1", Kind: target.Services}); err != nil || !o.Restart {
		t.Fatalf("%+v %v", o, err)
	}
	f, err := w.Facts(t.Context())
	if err != nil || !f.RestartNeeded || m.State(t)["restartNeeded"] == true { // in no flag of Windows
		t.Errorf("%+v %v", f, err)
	}
	restart := target.Work{ID: "operation-2", Kind: target.Restart, Boot: f.Boot}
	for range 2 {
		if _, err := do(t, w, restart); err != nil {
			t.Fatal(err)
		}
	}
	again, err := w.Facts(t.Context())
	if err != nil || again.RestartNeeded || again.Boot == f.Boot || m.Times(t)["restart"] != 1 {
		t.Errorf("%+v %v", again, err)
	}
	m.Fault(t, "exit", "3010")
	for _, id := range []string{"operation-1", "operation-2"} { // they answer what became of them, and do nothing
		if _, err := do(t, w, target.Work{ID: id, Kind: target.Services}); err != nil {
			t.Error(err)
		}
	}
	if f, err := w.Facts(t.Context()); err != nil || f.RestartNeeded {
		t.Errorf("%+v %v", f, err)
	}
}

func TestAPatchIsTheLatestByItsVersionNotByItsDay(t *testing.T) {
	t.Parallel()
	m, w := machine(t, pg())
	m.Set(t, "software", []map[string]string{{"name": "Cisco Unified ICM 12.6(1)_ES10"}, {"name": "Cisco Unified ICM 12.6(1)"},
		{"name": "Cisco Unified ICM 12.6(1)_ES9"}, {"name": "Cisco Unified ICM 12.6(1)_ES2"}})
	f, err := w.Facts(t.Context())
	if err != nil || fmt.Sprint(f.Active.Patches) != "[12.6(1)ES2 12.6(1)ES9 12.6(1)ES10]" {
		t.Errorf("%+v %v", f, err)
	}
}

// Whoever resumes takes a new id after a failure that a machine stated; then an operation that runs would
// be done twice.
func TestAScriptThatCannotAnswerSaysNothingOfTheOperation(t *testing.T) {
	t.Parallel()
	m, w := machine(t, pg())
	if err := os.WriteFile(filepath.Join(m.Dir, "machine.json"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := w.Do(t.Context(), target.Work{ID: "operation-1", Kind: target.Services})
	var failed *target.Failure
	if err == nil || errors.As(err, &failed) || target.Explain(err).Code != "script" {
		t.Errorf("%v", err)
	}
}

// The stand-in proves what the scripts do only as long as both have the same rules.
func TestTheScriptsAndTheStandInSayWhatTheTableSays(t *testing.T) {
	t.Parallel()
	read := func(path ...string) string {
		text, err := os.ReadFile(filepath.Join(path...))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	root := filepath.Join("..", "..", "..")
	_, table, found := strings.Cut(read(root, "docs", "drivers.md"), "### Script rule, stand-in rule")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| rule ") {
			continue
		}
		cells := strings.Split(strings.ReplaceAll(strings.Trim(strings.TrimSpace(line), "|"), `\|`, "\x00"), "|")
		if len(cells) != 5 {
			t.Fatalf("%d cells: %s", len(cells), line)
		}
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(strings.Trim(strings.TrimSpace(c), "`"), "\x00", "|")
		}
		rows++
		if !strings.Contains(read("scripts", cells[1]), cells[2]) {
			t.Errorf("%s: %s has no %s", cells[0], cells[1], cells[2])
		}
		if !strings.Contains(read(root, "tools", "winstand", cells[3]), cells[4]) {
			t.Errorf("%s: %s has no %s", cells[0], cells[3], cells[4])
		}
	}
	if !found || rows < 15 {
		t.Errorf("%d rows", rows)
	}
}

// A second rule beside Look is how an operation once blocked a machine.
func TestNoScriptJudgesWhatRunsButByTheOneRule(t *testing.T) {
	t.Parallel()
	for _, s := range []windriver.Script{windriver.Facts, windriver.Start, windriver.Status, windriver.Digest, windriver.Runner} {
		text, err := s.Text()
		if err != nil || !strings.HasPrefix(text, "param($q)\n$ErrorActionPreference = 'Stop'\n") ||
			strings.Count(text, "param($q)") != 1 || strings.Contains(text, "LastBootUpTime") {
			t.Errorf("%s: %v", s, err)
		}
		if reads := strings.Count(text, "ReadAllText($file)"); reads != 1 || strings.Contains(text, "Get-Content") {
			t.Errorf("%s reads operations in %d places", s, reads)
		}
		if strings.Count(text, "(") != strings.Count(text, ")") || strings.Count(text, "'")%2 != 0 {
			t.Errorf("%s: parentheses or quotes are odd", s)
		}
	}
}
