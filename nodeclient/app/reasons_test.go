package app_test

import (
	"strings"
	"testing"
	"time"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

// A journal keeps codes; whoever reads it reads sentences, in the language of the reading.
func TestR31AProceduresFailuresAreShownInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	plan := procedure.Plan{ID: "p", Kind: procedure.PatchInstall, Created: at, DeploymentType: inventory.UCCE2000,
		Parallel: 2, Stages: make([]procedure.Stage, 1)}
	for _, name := range []string{"new.example.com", "old.example.com"} {
		plan.Tasks = append(plan.Tasks, procedure.Task{Host: procedure.Host{Name: name, Group: name},
			Steps: []procedure.Step{{Do: procedure.Work, Work: target.Patch}}})
	}
	plan.Dropped = []procedure.Dropped{
		{Name: "left.example.com", Reason: target.Because("no_patch_installed"), Why: "No patch installed"},
		{Name: "before.example.com", Why: "as it was written then"}}
	j, err := procedure.Create(p.dir, plan)
	if err != nil {
		t.Fatal(err)
	}
	why := target.Because("exit_1619", target.Because("installer_failed").Inner())
	for _, e := range []procedure.Event{{What: procedure.Begun}, {What: procedure.Begun, Task: 1},
		{What: procedure.Broke, Code: why.Code, About: why.About, Detail: why.Sentence("en"), Final: true},
		{What: procedure.Broke, Task: 1, Code: "exit_1603", Detail: "what an old journal says", Final: true},
		{What: procedure.Ended}} {
		e.At = at
		if _, err := j.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for language, words := range map[string][2]string{
		"en": {"failed with exit code 1619 (the installer failed)", "No patch installed"},
		"ja": {"終了コード 1619 で失敗しました(インストーラが失敗しました)", "インストールされているパッチはありません"},
	} {
		args := []string{"utils", "deployment", "show", "in-progress", "--dir", p.dir, "--language", language}
		code, out, e := call(t, args...)
		if code != 0 || !strings.Contains(out, words[0]) || !strings.Contains(out, "what an old journal says") {
			t.Errorf("%d %s%s", code, out, e)
		}
		code, out, e = call(t, append(args, "--json")...)
		for _, word := range []string{words[0], words[1], `"code": "exit_1619"`, `"code": "no_patch_installed"`,
			"as it was written then", "what an old journal says"} {
			if code != 0 || !strings.Contains(out, word) {
				t.Errorf("%d lacks %q: %s%s", code, word, out, e)
			}
		}
	}
}
