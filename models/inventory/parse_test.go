package inventory_test

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"connecthub/models/inventory"
)

func TestBothPublishedLayoutsAreReadAndWrittenAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, d := range inventory.DeploymentTypes() {
		want, err := inventory.Sample(d)
		if err != nil {
			t.Fatal(err)
		}
		text := inventory.Format(want)
		got, found := inventory.Parse(text)
		if len(found) > 0 {
			t.Fatal(found)
		}
		if again := inventory.Format(got); !bytes.Equal(again, text) {
			t.Errorf("%s changed on its way:\n%s", d, again)
		}
		if len(got.Machines()) != len(want.Machines()) {
			t.Errorf("%s: %d machines", d, len(got.Machines()))
		}
	}
	if _, err := inventory.Sample("UCCE-12000-Agents"); err == nil {
		t.Error("a sample of an unsupported size")
	}
	if !t.Failed() {
		fmt.Printf("proof 4.3-layouts round_trips=%d byte_exact=%d\n", len(inventory.DeploymentTypes()),
			len(inventory.DeploymentTypes()))
	}
}

func TestANewExportCarriesTheDefaultDeploymentType(t *testing.T) {
	t.Parallel()
	got, found := inventory.Parse(inventory.Format(inventory.Empty()))
	if len(found) > 0 || got.DeploymentType != inventory.UCCE2000 || len(got.Machines()) != 0 {
		t.Error(got, found)
	}
}

func TestWhatIsWrittenOtherwiseMeansTheSame(t *testing.T) {
	t.Parallel()
	block := `---
inventory:
  VOS:
    Finesse:
      Finesse-Cluster-1:
        hosts:
        - name: "f1"
          side: "A"
          type: "Publisher"
        - name: "10.1.2.3"
          side: "B"
          type: "Subscriber"
  Windows:
    PG:
      PG1:
        hosts:
        - name: "pg.example.com"
          side: "A"
          user: "dom\\adm"
  deploymentType: "HCS-CC-4000-Agents"
`
	flow := `# remarks
inventory: {deploymentType: HCS-CC-4000-Agents, Windows: {PG: {PG1: {hosts: [
  {user: 'dom\adm', side: A, name: pg.example.com}]}}},
  VOS: {Finesse: {Finesse-Cluster-1: {hosts: [{type: Publisher, name: f1, side: "A"},
  {name: 10.1.2.3, type: Subscriber, side: B}]}}}}
`
	a, found := inventory.Parse([]byte(block))
	if len(found) > 0 {
		t.Fatal(found)
	}
	b, found := inventory.Parse([]byte(flow))
	if len(found) > 0 {
		t.Fatal(found)
	}
	if !bytes.Equal(inventory.Format(a), inventory.Format(b)) {
		t.Errorf("%s\n%s", inventory.Format(a), inventory.Format(b))
	}
	if h := a.Machines()[1]; h.Host.Line != 10 || h.Product != inventory.Finesse ||
		h.Group != "Finesse-Cluster-1" {
		t.Error(h)
	}
}

func TestAllMistakesAreNamedAtOnceInTheOrderOfTheLines(t *testing.T) {
	t.Parallel()
	_, found := inventory.Parse([]byte(`inventory:
  VOS:
    Finesse:
    VVB:
      VVB-Cluster-1:
        hosts:
        - name: "v v"
          side: a
  Windows: {PG: {P: {hosts: []}}}
  deploymentType: uCCE-2000-Agents
`))
	var rules []string
	for _, p := range found {
		rules = append(rules, fmt.Sprintf("%d %s", p.Line, p.Rule))
	}
	want := []string{"3 blank", "7 missing_key", "7 host_name", "8 side", "9 no_hosts",
		"10 deployment_type_case"}
	if !reflect.DeepEqual(rules, want) {
		t.Errorf("%q", rules)
	}
	if !strings.Contains(found.Error(), "5 more") {
		t.Error(found.Error())
	}
}

func TestEveryRuleHasASentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, r := range inventory.Rules() {
		p := inventory.Problem{Line: 3, Column: 4, Rule: r, Subject: "X"}
		en, ja := p.Sentence("en"), p.Sentence("ja")
		if !strings.HasPrefix(en, "line 3, column 4: ") || !strings.HasPrefix(ja, "3 行 4 列: ") ||
			len(en) < 25 || len(ja) < 25 {
			t.Errorf("%s: %q %q", r, en, ja)
		}
	}
}

// bombs are texts that hurt parsers: by depth, by number, by what stands for something else.
func bombs() map[string]string {
	nested := &strings.Builder{}
	for i := range 4000 {
		fmt.Fprintf(nested, "%sa:\n", strings.Repeat(" ", i))
	}
	keys := &strings.Builder{}
	keys.WriteString("inventory:\n  VOS:\n")
	for i := range 2400 {
		fmt.Fprintf(keys, "    k%d: x\n", i)
	}
	flat := &strings.Builder{}
	flat.WriteString("inventory: {")
	for i := range 14_000 {
		fmt.Fprintf(flat, "k%d: x, ", i)
	}
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		laughs += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c,
			c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	return map[string]string{
		"brackets": strings.Repeat("[", 120_000), "braces": strings.Repeat("{a: ", 25_000),
		"dashes": strings.Repeat("- ", 100_000), "indents": nested.String(), "keys": keys.String(),
		"flat": flat.String(), "laughs": laughs, "questions": strings.Repeat("? ", 100_000),
		"long line":  "a: \"" + strings.Repeat("x", 120<<10) + "\"",
		"escapes":    "a: \"" + strings.Repeat(`\x41`, 25_000) + "\"",
		"huge":       strings.Repeat("x", 64<<20),
		"many lines": strings.Repeat("\n", 1<<20), "documents": strings.Repeat("---\n", 4000),
		"quotes": strings.Repeat(`"`, 120_000), "hashes": strings.Repeat("#\n", 2499),
		"merge": "inventory:\n  <<: {VOS: {}}\n", "colons": strings.Repeat("a: ", 40_000),
		"not UTF-8": strings.Repeat("\xff\n", 2499), "tags": strings.Repeat("!!a ", 25_000),
		"pipes": "a: |\n" + strings.Repeat("  |\n", 4900),
	}
}

func TestBombsAreRefusedWithinASecondAnd64MiB(t *testing.T) {
	var slowest time.Duration
	var most uint64
	for name, text := range bombs() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, found := inventory.Parse([]byte(text))
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		// Everything ever allocated is more than what was held at once.
		held := (after.TotalAlloc - before.TotalAlloc) >> 20
		slowest, most = max(slowest, took), max(most, held-min(held, uint64(len(text)>>20)))
		if len(found) == 0 || took > time.Second || held > 64+uint64(len(text)>>20) {
			t.Errorf("%s: %d problems in %s with %d MiB", name, len(found), took, held)
		}
	}
	if !t.Failed() {
		fmt.Printf("proof 4.3-bombs tried=%d refused=%d slowest_ms=%d most_mib=%d\n", len(bombs()),
			len(bombs()), slowest.Milliseconds(), most)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(byHand))
	f.Add(inventory.Format(inventory.Empty()))
	f.Add([]byte("inventory:\n  VOS:\n    Finesse:\n     F:\n        hosts:\n        - {}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, found := inventory.Parse(text)
		for _, p := range found {
			if p.Line < 1 || p.Column < 1 {
				t.Fatalf("a problem without a place: %+v", p)
			}
		}
		if len(found) > 0 {
			return
		}
		written := inventory.Format(read)
		again, found := inventory.Parse(written)
		if len(found) > 0 || !bytes.Equal(inventory.Format(again), written) {
			t.Fatalf("what was written is not what was read: %v\n%s", found, written)
		}
	})
}
