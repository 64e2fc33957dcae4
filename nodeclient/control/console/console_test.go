package console_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"connecthub/nodeclient/control/console"
)

func scripted(t *testing.T) (*console.Session, *bytes.Buffer) {
	t.Helper()
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	var out bytes.Buffer
	return &console.Session{In: in, Out: &out, Err: &out, Lang: "en"}, &out
}

func TestWithoutATerminalEverythingIsAFlag(t *testing.T) {
	t.Parallel()
	s, _ := scripted(t)
	_, asked := s.Ask("SFTP Server", "server", "", "old.example.com")
	_, secret := s.Secret("Password", "password-file", "")
	_, chosen := s.Choose("Nodes", "node", nil, []console.Option{{Value: "a", Text: "A"}}, console.Many)
	for what, err := range map[string]error{"server": asked, "password-file": secret, "node": chosen,
		"yes": s.Confirm("Go?", "yes", false)} {
		var r *console.Refusal
		if !errors.As(err, &r) || r.Code != "flag_needed" || !strings.Contains(r.English, "--"+what) ||
			!strings.Contains(r.Japanese, "--"+what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got, err := s.Ask("SFTP Server", "server", "new", "old"); err != nil || got != "new" {
		t.Errorf("%q %v", got, err)
	}
	if err := s.Confirm("Go?", "yes", true); err != nil {
		t.Error(err)
	}
}

func TestASecretComesFromAFileWithItsBlanksAndWithoutItsLineEnd(t *testing.T) {
	t.Parallel()
	s, _ := scripted(t)
	for text, want := range map[string]string{"a b \n": "a b ", "a\r\nb": "a", "": "", "no end": "no end"} {
		file := t.TempDir() + "/secret"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Secret("Password", "password-file", file); err != nil || got != want {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	long := t.TempDir() + "/long"
	if err := os.WriteFile(long, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Secret("Password", "password-file", long); err == nil {
		t.Error("a secret of a megabyte was taken")
	}
}

func TestChoicesAreNamedByTheirValuesInAScript(t *testing.T) {
	t.Parallel()
	s, _ := scripted(t)
	list := []console.Option{{Value: "pga", Text: "PG A"}, {Value: "pgb", Text: "PG B"}, {Value: "vvb", Text: "VVB"}}
	for _, c := range []struct {
		given []string
		rule  console.Rule
		want  []int
		code  string
	}{
		{[]string{"vvb", "pga", "vvb"}, console.Many, []int{0, 2}, ""},
		{[]string{"all"}, console.Many, []int{0, 1, 2}, ""},
		{[]string{"pgb"}, console.One, []int{1}, ""},
		{[]string{"all"}, console.One, nil, "unknown_choice"},
		{[]string{"pga", "pgb"}, console.One, nil, "one_choice_only"},
		{[]string{"pga", "PGB"}, console.Many, nil, "unknown_choice"},
	} {
		got, err := s.Choose("Nodes", "node", c.given, list, c.rule)
		var r *console.Refusal
		if errors.As(err, &r) != (c.code != "") || r != nil && r.Code != c.code || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v %v", c.given, got, err)
		}
	}
	if _, err := s.Choose("Nodes", "node", nil, nil, console.Many); err == nil {
		t.Error("a list without anything to choose was shown")
	}
}

func TestALineIsSplitAtBlanksButNotWithinQuotes(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"  utils  smtp\tshow ": {"utils", "smtp", "show"}, "": nil,
		`set x "a b" ""`: {"set", "x", "a b", ""}, `a"b c"d`: {"ab cd"}, "run sql select * from t": {"run", "sql", "select", "*", "from", "t"},
	} {
		if got, err := console.Words(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q %v", line, got, err)
		}
	}
	if _, err := console.Words(`a "b`); err == nil {
		t.Error("an open quotation mark passed")
	}
}

func FuzzWordsNeverLoseAByteThatIsNoBlankOrQuote(f *testing.F) {
	f.Add(`utils "a b" c`)
	f.Add("\t\"\"")
	strip := strings.NewReplacer(" ", "", "\t", "", `"`, "")
	f.Fuzz(func(t *testing.T, line string) {
		words, err := console.Words(strings.ToValidUTF8(line, ""))
		if err == nil && strip.Replace(strings.Join(words, "")) != strip.Replace(strings.ToValidUTF8(line, "")) {
			t.Errorf("%q: %q", line, words)
		}
	})
}

func TestWhatOthersWroteCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	s, out := scripted(t)
	s.Say("name %s", "\x1b[2Jhost\r\x07")
	if got := out.String(); strings.ContainsAny(got, "\x1b\r\x07") || !strings.Contains(got, "host") {
		t.Errorf("%q", got)
	}
}

func TestARefusalSpeaksTheLanguageOfTheSession(t *testing.T) {
	t.Parallel()
	err := error(console.Refuse("x", "no %s", "%s はありません", "node"))
	if console.Sentence(err, "ja") != "node はありません" || console.Sentence(err, "en") != "no node" ||
		console.Sentence(errors.New("plain"), "ja") != "plain" {
		t.Error(console.Sentence(err, "ja"))
	}
}
