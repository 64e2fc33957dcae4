package app_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"connecthub/nodeclient/app"
)

// driven remembers which commands the tests of this package ran, and how.
type driven struct {
	mu  sync.Mutex
	how map[string]map[string]bool
}

var drives = &driven{how: map[string]map[string]bool{"terminal": {}, "script": {}}}

// at takes the longest command that the words begin with. What stands between double quotes after
// "shell -c" is a command, too.
func (d *driven) at(how string, words []string) {
	if i := slices.Index(words, "-c"); i > 0 && slices.Contains(words, "shell") && i+1 < len(words) {
		words = strings.Fields(words[i+1])
	}
	var names []string
	for i := 0; i < len(words); i++ {
		if words[i] == "--dir" || words[i] == "--language" {
			i++
		} else if !strings.HasPrefix(words[i], "-") {
			names = append(names, words[i])
		}
	}
	line := strings.Join(names, " ") + " "
	for _, c := range app.PromptCommands() {
		if strings.HasPrefix(line, c+" ") {
			d.mu.Lock()
			d.how[how][c] = true
			d.mu.Unlock()
		}
	}
}

// everyCommandWasDriven is asked when all tests of the package have passed.
func everyCommandWasDriven() int {
	if flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.list").Value.String() != "" {
		return 0 // some tests only
	}
	all, missing := app.PromptCommands(), 0
	for _, how := range []string{"terminal", "script"} {
		for _, c := range all {
			if !drives.how[how][c] {
				missing++
				fmt.Printf("no test drives %q (%s)\n", c, how)
			}
		}
	}
	fmt.Printf("proof 4.2 commands=%d terminal=%d scripted=%d missing=%d\n", len(all),
		len(drives.how["terminal"]), len(drives.how["script"]), missing)
	return min(missing, 1)
}

var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (works|not here) \\| (.*) \\|$")

// Every command of the original that facts name stands in the table; what works is what is there.
func TestThePageOfCommandsSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		if _, twice := said[m[1]]; twice {
			t.Errorf("%s stands there twice", m[1])
		}
		if said[m[1]] = m[2]; m[2] == "not here" && strings.TrimSpace(m[3]) == "" {
			t.Errorf("%s is not here, without a reason", m[1])
		}
	}
	for _, c := range app.PromptCommands() {
		if said[c] != "works" {
			t.Errorf("docs/commands.md does not say that %q works", c)
		}
		delete(said, c)
	}
	for c, status := range said {
		if status == "works" {
			t.Errorf("docs/commands.md says that %q works, and it is not there", c)
		}
	}
}

func TestThePromptCompletesHelpsAndRemembers(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	x := atTerminal(t, "shell", "--dir", p.dir)
	x.waits("admin:")
	x.types("uti\tsys\tinv\tver\t\n") // utils system inventory versions
	x.waits("No inventory was imported yet.")
	x.waits("admin:")
	x.types("utils system inventory ?")
	x.waits("export")
	x.waits("import")
	x.types("\x03") // the line is dropped, the prompt stays
	x.waits("admin:")
	x.types("\x1b[A\n") // the command before
	x.waits("No inventory was imported yet.")
	x.admin("help utils system inventory sample")
	x.waits("UCCE-2000-Agents")
	x.admin("utils system inventory nonsense")
	x.waits("unexpected argument nonsense")
	x.admin(`utils system inventory check "`)
	x.waits("a quotation mark is missing")
	x.admin("show proxy")
	x.waits("proxy        none")
	x.admin("exit")
	if code, seen := x.ends(); code != 0 {
		t.Errorf("%d %s", code, seen)
	}
}

func TestALineOfTheShellEndsWithItsExitCode(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	code, out, _ := call(t, "shell", "--dir", p.dir, "-c", "utils system inventory versions --json")
	if code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("%d %s", code, out)
	}
	if code, _, e := call(t, "shell", "--dir", p.dir, "-c", "utils system inventory versions 7"); code != 1 ||
		strings.Count(e, "version 7 is not kept") != 1 {
		t.Errorf("%d %s", code, e)
	}
	if code, _, e := call(t, "shell", "--dir", p.dir, "-c", "reboot the world"); code != 2 {
		t.Errorf("%d %s", code, e)
	}
}

func TestOurOwnCommandsWorkAtThePrompt(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	x := atTerminal(t, "shell", "--dir", p.dir)
	x.admin("utils system inventory sample UCCE-2000-Agents")
	x.waits(`deploymentType: "UCCE-2000-Agents"`)
	x.admin("utils system inventory versions 3")
	x.waits("version 3 is not kept")
	x.admin("utils system inventory forget-host-key sftp.example.com")
	x.waits("nobody has confirmed the host key")
	x.admin("utils system inventory check /nowhere")
	x.waits("no such file")
	x.admin("set certificate --self-signed")
	x.waits("stored; a running agent shows it")
	x.admin("set proxy http://127.0.0.1:3128 --user ada")
	x.says("Password of the proxy: ", "canary-secret")
	x.waits("*************")
	x.waits("stored; a running agent uses it")
	x.admin("set application-user --name grace")
	x.says("New password: ", "a canary password")
	x.says("Once more: ", "a canary password")
	x.waits("stored for grace")
	x.admin("exit")
	if code, seen := x.ends(); code != 0 || strings.Contains(seen, "canary") {
		t.Errorf("%d %s", code, seen)
	}
}
