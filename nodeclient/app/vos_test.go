package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/vos"
	"connecthub/nodeclient/vos/trust"
	"connecthub/nodeclient/vos/vostest"
)

func TestAMachineIsSetUpOnceAndWithNothingThatAShellWouldRead(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{Program: program(t), NoSetup: true})
	flags := x.SetupFlags()
	with := func(flag, value string) []string {
		args := []string{"vos", "setup", "--dir", x.Dir}
		for i := 0; i < len(flags); i += 2 {
			if flags[i] != flag {
				args = append(args, flags[i], flags[i+1])
			}
		}
		return append(args, flag, value)
	}
	for _, c := range []struct{ flag, value, says string }{
		{"--product", "PG", "the product is one of"}, {"--fqdn", "a b", "its FQDN, or an address"},
		{"--cluster", "a b", "the cluster's name has"}, {"--user", "1x", "name the user"},
		{"--program", "/bin/x;id", "the path of --program is absolute and plain"},
		{"--authorized-keys", `/tmp/a"b`, "authorized_keys is absolute and plain"},
		{"--restart-command", "shutdown -r", "the restart command begins with the path of a program"},
		{"--node-type", "subscriber", "--join FILE"}, {"--keep-free", "7", "512MiB"},
	} {
		if code, _, e := call(t, with(c.flag, c.value)...); code != 1 || !strings.Contains(e, c.says) {
			t.Errorf("%s %s: %d %s", c.flag, c.value, code, e)
		}
		if _, err := os.Stat(filepath.Join(x.Dir, "vos.json")); err == nil {
			t.Fatalf("%s %s was taken", c.flag, c.value)
		}
	}
	// what the documents say, and what none says
	for _, command := range []string{"/usr/bin/sudo -n /sbin/shutdown -r now", ""} {
		y := vostest.New(t, vostest.Options{Program: program(t), NoSetup: true})
		args := []string{"vos", "setup", "--dir", y.Dir}
		for i := 0; i < len(flags); i += 2 {
			if flags[i] != "--restart-command" {
				args = append(args, flags[i], flags[i+1])
			}
		}
		if command != "" {
			args = append(args, "--restart-command", command)
		}
		if code, _, e := call(t, args...); code != 0 {
			t.Errorf("%q: %s", command, e)
		}
		if c, err := vos.LoadConfig(y.Dir); err != nil || !strings.HasSuffix(strings.Join(c.RestartCommand, " "), "/sbin/shutdown -r now") {
			t.Errorf("%+v %v", c, err)
		}
	}
	args := append([]string{"vos", "setup", "--dir", x.Dir}, flags...)
	if code, out, e := call(t, args...); code != 0 || !strings.Contains(out, "is set up as publisher of VVB, cluster test") {
		t.Fatalf("%d %s %s", code, out, e)
	}
	if code, _, e := call(t, args...); code != 1 || !strings.Contains(e, "is set up already") {
		t.Errorf("%d %s", code, e)
	}
	for _, c := range []struct {
		words []string
		says  string
	}{
		{args, "はすでに設定されています"},
		{[]string{"vos", "cert", "delete", "--dir", x.Dir, "0123456789", "--yes"}, "トラストストアにありません"},
		{[]string{"vos", "cert", "import", "--dir", x.Dir, filepath.Join(x.Dir, "vos.json"), "--yes"}, "証明書がありません"},
		{[]string{"vos", "show", "--dir", t.TempDir()}, "VOS マシン用に設定されていません"},
	} {
		if code, _, e := call(t, append(c.words, "--language", "ja")...); code != 1 || !strings.Contains(e, c.says) {
			t.Errorf("%v: %d %s", c.words, code, e)
		}
	}
	if info, err := os.Stat(filepath.Join(x.Dir, "vos.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	c, err := vos.LoadConfig(x.Dir)
	if err != nil || c.Name != "127.0.0.1" || c.KeepFree != 0 || c.Publisher != c.Name {
		t.Errorf("%+v %v", c, err)
	}
	for _, args := range [][]string{{"vos", "show"}, {"vos", "cert", "list"}, {"vos", "operations"}} {
		code, _, e := call(t, append(args, "--dir", t.TempDir())...)
		if code != 1 || !strings.Contains(e, "run \"nodeclient vos setup\" first") {
			t.Errorf("%v: %d %s", args, code, e)
		}
	}
}

func TestAMachineShowsHowItStandsInWordsAndAsJSON(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{Program: program(t)})
	at := func(args ...string) string {
		t.Helper()
		code, out, e := call(t, append(args, "--dir", x.Dir)...)
		if code != 0 {
			t.Fatalf("%v: %d %s", args, code, e)
		}
		return out
	}
	if out := at("vos", "show"); !strings.Contains(out, "active          none") || !strings.Contains(out, "nothing is installed") {
		t.Error(out)
	}
	if out := at("vos", "operations"); !strings.Contains(out, "has done anything on this machine yet") {
		t.Error(out)
	}
	if out := at("vos", "operations", "--json"); strings.TrimSpace(out) != "[]" {
		t.Error(out)
	}
	if out := at("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path); out != "VVB 12.6(1) is installed and serves\n" {
		t.Error(out)
	}
	for range 2 {
		at("vos", "package", "record", "ucos.keymanagement.cop.sgn")
	}
	for _, bad := range []string{"ucos", "../x.cop.sgn", "a b.cop.sgn"} {
		if code, _, _ := call(t, "vos", "package", "record", "--dir", x.Dir, bad); code != 1 {
			t.Errorf("%s is recorded", bad)
		}
	}
	var f vosapi.Facts
	if err := json.Unmarshal([]byte(at("vos", "show", "--json")), &f); err != nil || !f.Healthy ||
		f.Active.Version.String() != "12.6(1)" || len(f.Packages) != 1 {
		t.Errorf("%+v %v", f, err)
	}
	at("vos", "package", "forget", "ucos.keymanagement.cop.sgn")
	if code, _, e := call(t, "vos", "package", "forget", "--dir", x.Dir, "ucos.keymanagement.cop.sgn"); code != 1 ||
		!strings.Contains(e, "is not recorded") {
		t.Errorf("%d %s", code, e)
	}
	again := vostest.Pack(t, "VVB", "12.6(2)", false)
	if code, _, e := call(t, "vos", "install", "--dir", x.Dir, again.Path); code != 1 || !strings.Contains(e, "come from the control node") {
		t.Errorf("%d %s", code, e)
	}
}

func TestTheTrustStoreIsFilledAndEmptiedByHand(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{Program: program(t)})
	ca := newAuthority(t)
	list := func(more ...string) string {
		t.Helper()
		code, out, e := call(t, append([]string{"vos", "cert", "list", "--dir", x.Dir}, more...)...)
		if code != 0 {
			t.Fatal(e)
		}
		return out
	}
	if out := list(); !strings.Contains(out, "tomcat-trust is empty") {
		t.Error(out)
	}
	if code, _, e := call(t, "vos", "cert", "import", ca.file, "--dir", x.Dir, "--json"); code != 1 || !strings.Contains(e, "--yes") {
		t.Errorf("%d %s", code, e)
	}
	refused := atTerminal(t, "vos", "cert", "import", ca.file, "--dir", x.Dir)
	refused.waits("a CA, issued by CN=Example CA")
	refused.says("Type yes to go on: ", "y")
	if code, seen := refused.ends(); code != 1 || !strings.Contains(list(), "is empty") {
		t.Errorf("%d %s", code, seen)
	}
	if code, out, e := call(t, "vos", "cert", "import", ca.file, "--dir", x.Dir, "--json", "--yes"); code != 0 {
		t.Errorf("%d %s %s", code, out, e)
	}
	var all []trust.Certificate
	if err := json.Unmarshal([]byte(list("--json")), &all); err != nil || len(all) != 1 || !all[0].CA {
		t.Fatalf("%+v %v", all, err)
	}
	if code, _, e := call(t, "vos", "cert", "delete", "--dir", x.Dir, "0123456789", "--yes"); code != 1 ||
		!strings.Contains(e, "no certificate in the trust store") {
		t.Errorf("%d %s", code, e)
	}
	gone := atTerminal(t, "vos", "cert", "delete", "--dir", x.Dir, all[0].Fingerprint[:12])
	gone.says("Type yes to go on: ", "yes")
	if code, seen := gone.ends(); code != 0 || !strings.Contains(seen, "CN=Example CA is trusted no more") ||
		!strings.Contains(list(), "is empty") {
		t.Errorf("%d %s", code, seen)
	}
}
