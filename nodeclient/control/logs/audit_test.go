package logs_test

import (
	"os"
	"path/filepath"
	"testing"

	"connecthub/nodeclient/control/logs"
)

func TestAnActIsOneLineOfANodesAuditLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	act := logs.Act{Who: "ops\nforged", Command: "utils system inventory import", Process: 7, Outcome: logs.Begun}
	if err := logs.Record(dir, then(), act); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(logs.Folder(dir)); err == nil {
		t.Error("a folder that is no node's got a log")
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := logs.Record(dir, then(), act); err != nil {
		t.Fatal(err)
	}
	want := `2026-11-22T02:00:00Z user="ops\nforged" command="utils system inventory import" process=7 outcome=begun` + "\n"
	if got := text(t, dir, "orchestration-audit.log"); got != want {
		t.Errorf("%q", got)
	}
}
