package inventory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"connecthub/models/inventory"
)

// broken is one way to spoil a file: in its line that holds where, old becomes fresh.
type broken struct {
	where, old, fresh string
	rule              inventory.Rule
	down              int // how many lines below that line the problem stands
}

// spoilt are mistakes that people make by hand in an editor.
var spoilt = []broken{
	{"inventory:", "inventory:", "Inventory:", inventory.RuleUnknownKey, 0},
	{"inventory:", "inventory:", "inventory", inventory.RuleSyntax, 0},
	{"inventory:", "inventory:", "inventory: {}", inventory.RuleSyntax, 1},
	{"VOS:", "VOS:", "vos:", inventory.RuleUnknownKey, 0},
	{"VOS:", "VOS:", "VOSS:", inventory.RuleUnknownKey, 0},
	{"Windows:", "Windows:", "windows:", inventory.RuleUnknownKey, 0},
	{"Windows:", "Windows:", "VOS:", inventory.RuleTwice, 0},
	{"VOS:", "VOS:", "VOS:\r", inventory.RuleLineEnding, 0},
	{"VOS:", "  VOS:", "\tVOS:", inventory.RuleTab, 0},
	{"Finesse-Cluster-1:", "      F", "    \tF", inventory.RuleTab, 0},
	{"Finesse-Cluster-1:", "Finesse-Cluster-1:", "Finesse-Cluster-1", inventory.RuleSyntax, 0},
	{"Finesse-Cluster-1:", "Finesse-Cluster-1:", "Finesse-cluster-1:", inventory.RuleClusterName, 0},
	{"Finesse-Cluster-1:", "Finesse-Cluster-1:", "Finesse-Cluster-0:", inventory.RuleClusterName, 0},
	{"Finesse-Cluster-1:", "Finesse-Cluster-1:", "Finesse-Cluster-01:", inventory.RuleClusterName, 0},
	{"Finesse-Cluster-1:", "Finesse-Cluster-1:", "Finesse-Cluster:", inventory.RuleClusterName, 0},
	{"Finesse-Cluster-1:", "Finesse-Cluster-1:", "VVB-Cluster-9:", inventory.RuleClusterName, 0},
	{"Finesse-Cluster-1:", "Finesse-Cluster-1:", "finesse1:", inventory.RuleClusterName, 0},
	{"Finesse-Cluster-1:", "Finesse-Cluster-1:", "&f Finesse-Cluster-1:", inventory.RuleIndirection, 0},
	{"VVB-Cluster-2:", "VVB-Cluster-2:", "VVB-Cluster-1:", inventory.RuleTwice, 0},
	{"VVB-Cluster-2:", "VVB-Cluster-2:", "VVB-Cluster-2", inventory.RuleSyntax, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `"vvb host"`, inventory.RuleHostName, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `"vvb_host"`, inventory.RuleHostName, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `"-vvb"`, inventory.RuleHostName, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `"10.0.0.256"`, inventory.RuleHostName, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `"http://vvb"`, inventory.RuleHostName, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `"vvb:22"`, inventory.RuleHostName, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `"vvb..local"`, inventory.RuleHostName, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `"ボイス"`, inventory.RuleHostName, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `"` + strings.Repeat("a", 64) + `"`, inventory.RuleHostName, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `""`, inventory.RuleBlank, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `" "`, inventory.RuleBlank, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, ``, inventory.RuleBlank, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `~`, inventory.RuleBlank, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `"vvb-host-2"`, inventory.RuleHostTwice, 5},
	{`"vvb-host-1"`, `"vvb-host-1"`, `[vvb]`, inventory.RuleKind, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `{a: b}`, inventory.RuleKind, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `*host`, inventory.RuleIndirection, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, `!!str vvb`, inventory.RuleIndirection, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, "\"vvb\x07\"", inventory.RuleControl, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, "\"vvb\xff\"", inventory.RuleEncoding, 0},
	{`"vvb-host-1"`, `"vvb-host-1"`, "\"vvb\u2028\"", inventory.RuleControl, 0},
	{`"vvb-host-1"`, `name`, "Name", inventory.RuleUnknownKey, 0},
	{`"vvb-host-1"`, `name`, "host", inventory.RuleUnknownKey, 0},
	{`"vvb-host-1"`, `- name`, "name", inventory.RuleSyntax, 1},
	{`"vvb-host-1"`, `- name: "vvb-host-1"`, `- "vvb-host-1"`, inventory.RuleSyntax, 1},
	{`"finesse-host`, `name`, `side`, inventory.RuleTwice, 1},
	{`"cvp1"`, `"cvp1"`, `"cvp2"`, inventory.RuleHostTwice, 3},
	{`"cvp1"`, `"cvp1"`, `"CVP2"`, inventory.RuleHostTwice, 3},
	{`CVPCALLSERVER`, `CVPCALLSERVER`, `CVP CALL SERVER`, inventory.RuleGroupName, 0},
	{`CVPCALLSERVER`, `CVPCALLSERVER`, `_CVP`, inventory.RuleGroupName, 0},
	{`CVPCALLSERVER`, `CVPCALLSERVER`, strings.Repeat("C", 65), inventory.RuleGroupName, 0},
	{`CVPSERVER:`, `CVPSERVER`, `AWHDS`, inventory.RuleProduct, 0},
	{`CVPSERVER:`, `CVPSERVER`, `CVP`, inventory.RuleProduct, 0},
	{`CVPSERVER:`, `CVPSERVER`, `VVB`, inventory.RuleProductPlace, 0},
	{`CVPSERVER:`, `CVPSERVER`, `finesse`, inventory.RuleProductPlace, 0},
	{`ROUTER:`, `ROUTER`, `ROGGER`, inventory.RuleTwice, 0},
	{`deploymentName`, `deploymentName`, `DeploymentName`, inventory.RuleUnknownKey, 0},
	{`deploymentName`, `"UnifiedCCE"`, ``, inventory.RuleBlank, 0},
	{`deploymentName`, `"UnifiedCCE"`, `""`, inventory.RuleBlank, 0},
	{`deploymentName`, `"UnifiedCCE"`, `"` + strings.Repeat("n", 129) + `"`, inventory.RuleName, 0},
	{`deploymentName`, `"UnifiedCCE"`, `"a\nb"`, inventory.RuleName, 0},
	{`deploymentName`, `"UnifiedCCE"`, `[a]`, inventory.RuleKind, 0},
	{`deploymentName`, `"UnifiedCCE"`, `"UnifiedCCE`, inventory.RuleSyntax, 1},
	{`deploymentType`, `deploymentType`, `deploymenttype`, inventory.RuleUnknownKey, 0},
	{`deploymentType`, `UCCE-`, `ucce-`, inventory.RuleDeployCase, 0},
	{`deploymentType`, `-Agents`, `-agents`, inventory.RuleDeployCase, 0},
	{`deploymentType`, `UCCE-`, `UCCX-`, inventory.RuleDeployment, 0},
	{`deploymentType`, `UCCE-`, `UCCE - `, inventory.RuleDeployment, 0},
	{`deploymentType`, `-Agents`, ``, inventory.RuleDeployment, 0},
	{`deploymentType`, `-Agents`, ` – エージェント`, inventory.RuleDeployment, 0},
	{`deploymentType`, `"UCCE-`, `"UCCE-1`, inventory.RuleDeployUnfit, 0},
}

// unfit are the sizes that exist and are not supported.
var unfit = []string{"UCCE-12000-Agents", "UCCE-24000-Agents", "UCCE-26000-Agents",
	"UCCE-36000-Agents", "PCCE-12000-Agents", "HCS-SCC", "HCS-SCC-Agents"}

// apply spoils the text and answers with the line that was changed, from 1.
func (b broken) apply(t *testing.T, text string) (string, int) {
	t.Helper()
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if strings.Contains(line, b.where) && strings.Contains(line, b.old) {
			lines[i] = strings.Replace(line, b.old, b.fresh, 1)
			return strings.Join(lines, ""), i + 1
		}
	}
	t.Fatalf("no line has %q and %q", b.where, b.old)
	return "", 0
}

func wanted(t *testing.T, text string, line int, rule inventory.Rule) {
	t.Helper()
	_, found := inventory.Parse([]byte(text))
	for _, p := range found {
		if p.Rule == rule && p.Line == line {
			if p.Column < 1 || p.Sentence("ja") == p.Sentence("en") {
				t.Errorf("%+v has no place or no Japanese", p)
			}
			return
		}
	}
	t.Errorf("%s expected in line %d, found: %v", rule, line, []inventory.Problem(found))
}

func layout(t *testing.T, d inventory.DeploymentType) string {
	t.Helper()
	i, err := inventory.Sample(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(inventory.Format(i))
}

func TestEachBrokenInventoryIsRefusedWithItsLineAndRule(t *testing.T) {
	t.Parallel()
	tried := 0
	try := func(name string, f func(t *testing.T)) {
		tried++
		t.Run(name, f)
	}
	for _, d := range []inventory.DeploymentType{inventory.UCCE2000, inventory.UCCE4000} {
		text := layout(t, d)
		for n, b := range spoilt {
			if b.rule == inventory.RuleDeployUnfit && d != inventory.UCCE2000 {
				continue
			}
			try(fmt.Sprintf("%s/%d", d, n), func(t *testing.T) {
				bad, line := b.apply(t, text)
				wanted(t, bad, line+b.down, b.rule)
			})
		}
		for _, p := range append(inventory.VOSProducts(), inventory.WindowsProducts()...) {
			key := fmt.Sprintf("    %s:", p)
			try(fmt.Sprintf("%s/%s blank", d, p), func(t *testing.T) {
				lines := strings.SplitAfter(text, "\n")
				from := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, key) })
				to := from + 1
				for strings.HasPrefix(lines[to], "      ") {
					to++ // what stood below it stands nowhere
				}
				bad := strings.Join(lines[:from], "") + key + "\n" + strings.Join(lines[to:], "")
				wanted(t, bad, from+1, inventory.RuleBlank)
			})
			try(fmt.Sprintf("%s/%s in the wrong case", d, p), func(t *testing.T) {
				b := broken{key, string(p), swapCase(string(p)), inventory.RuleProductCase, 0}
				bad, line := b.apply(t, text)
				wanted(t, bad, line, b.rule)
			})
		}
		for _, u := range unfit {
			try(string(d)+"/"+u, func(t *testing.T) {
				b := broken{"deploymentType", string(d), u, inventory.RuleDeployUnfit, 0}
				bad, line := b.apply(t, text)
				wanted(t, bad, line, b.rule)
			})
		}
	}
	if tried < 150 {
		t.Errorf("only %d broken inventories, 150 are promised", tried)
	}
	if !t.Failed() {
		fmt.Printf("proof 4.3 broken=%d refused_with_line_and_rule=%d\n", tried, tried)
	}
}

func swapCase(s string) string {
	if s == strings.ToUpper(s) {
		return strings.ToLower(s)
	}
	return strings.ToUpper(s)
}
