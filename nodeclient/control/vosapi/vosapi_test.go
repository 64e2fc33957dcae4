package vosapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/vosapi"
)

var digest = vosapi.Digest(strings.Repeat("ab", 32))

func version(t *testing.T, text string) compat.Version {
	t.Helper()
	v, err := compat.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEveryRequestIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	enter, none := true, []vosapi.Key{}
	for _, q := range []vosapi.Request{
		{Verb: vosapi.Ping}, {Verb: vosapi.GetFacts},
		{Verb: vosapi.PutFile, File: &vosapi.File{SHA256: digest, Size: 1}},
		{Verb: vosapi.PutDone, File: &vosapi.File{SHA256: digest, Size: vosapi.MaxFile}},
		{Verb: vosapi.Start, Operation: "procedure-1_7", Work: &vosapi.Work{Kind: vosapi.Install, SHA256: digest,
			Version: version(t, "12.6(2)"), Active: version(t, "12.6(1)ES4")}},
		{Verb: vosapi.Start, Operation: "procedure-1_8", Work: &vosapi.Work{Kind: vosapi.Restart}},
		{Verb: vosapi.Status, Operation: "procedure-1_7"}, {Verb: vosapi.Cancel, Operation: "procedure-1_7"},
		{Verb: vosapi.Maintenance, Enter: &enter}, {Verb: vosapi.PutKeys, Keys: &none},
	} {
		q.Protocol = vosapi.Protocol
		var b bytes.Buffer
		if err := vosapi.Write(&b, q); err != nil {
			t.Fatal(err)
		}
		got, err := vosapi.ReadRequest(&b)
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("%+v came as %+v: %v", q, got, err)
		}
	}
}

func TestWhatIsNoRequestIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]vosapi.Code{
		"": vosapi.Malformed, "{}": vosapi.WrongProtocol, `{"protocol":2,"verb":"ping"}`: vosapi.WrongProtocol,
		`{"protocol":1,"verb":"sh"}`:                                                                                                vosapi.UnknownVerb,
		`{"protocol":1,"verb":"ping","command":"x"}`:                                                                                vosapi.Malformed,
		`{"protocol":1,"verb":"ping"} {}`:                                                                                           vosapi.Malformed,
		`{"protocol":1,"verb":"ping","operation":"12345678"}`:                                                                       vosapi.Malformed,
		`{"protocol":1,"verb":"status"}`:                                                                                            vosapi.Malformed,
		`{"protocol":1,"verb":"status","operation":"../../etc"}`:                                                                    vosapi.Malformed,
		`{"protocol":1,"verb":"status","operation":"-rf12345"}`:                                                                     vosapi.Malformed,
		`{"protocol":1,"verb":"put","file":{"sha256":"../x","size":1}}`:                                                             vosapi.Malformed,
		`{"protocol":1,"verb":"put","file":{"sha256":"` + string(digest) + `","size":0}}`:                                           vosapi.Malformed,
		`{"protocol":1,"verb":"put","file":{"sha256":"` + string(digest) + `","size":17179869185}}`:                                 vosapi.TooLarge,
		`{"protocol":1,"verb":"start","operation":"12345678","work":{"kind":"install"}}`:                                            vosapi.Malformed,
		`{"protocol":1,"verb":"start","operation":"12345678","work":{"kind":"switch","sha256":"` + string(digest) + `"}}`:           vosapi.Malformed,
		`{"protocol":1,"verb":"start","operation":"12345678","work":{"kind":"shell"}}`:                                              vosapi.Malformed,
		`{"protocol":1,"verb":"ping","x":"` + strings.Repeat("x", vosapi.MaxRequest) + `"}`:                                         vosapi.Malformed,
		`{"protocol":1,"verb":"keys","keys":[` + strings.Repeat(`{"category":"PUBLISHER"},`, vosapi.MaxKeys) + `{"category":"x"}]}`: vosapi.Malformed,
	} {
		_, err := vosapi.ReadRequest(strings.NewReader(text))
		var r *vosapi.Refusal
		if !errors.As(err, &r) || r.Code != want {
			t.Errorf("%.80s: %v, want %s", text, err, want)
		}
	}
}

func TestAnAnswerHasLimitsAndNothingThatSteersATerminal(t *testing.T) {
	t.Parallel()
	good := func() vosapi.Answer {
		return vosapi.Answer{Protocol: 1, Facts: &vosapi.Facts{Pong: vosapi.Pong{Name: "vvb1.example.com"},
			Packages: []string{"ucos.keymanagement.v02.cop.sgn"}, HostKeys: []string{"ssh-ed25519 AAAA"}},
			Operation: &vosapi.Operation{ID: "12345678", State: vosapi.Done}}
	}
	for name, change := range map[string]func(*vosapi.Answer){
		"a detail":       func(a *vosapi.Answer) { a.Detail = "\x1b[2J" },
		"a code":         func(a *vosapi.Answer) { a.Code = "a\nb" },
		"a long name":    func(a *vosapi.Answer) { a.Facts.Name = strings.Repeat("x", 513) },
		"a package":      func(a *vosapi.Answer) { a.Facts.Packages[0] = "a b" },
		"a step":         func(a *vosapi.Answer) { a.Operation.Step = "a\rb" },
		"a host key":     func(a *vosapi.Answer) { a.Facts.HostKeys[0] = "ssh-rsa x\nssh-rsa y" },
		"many host keys": func(a *vosapi.Answer) { a.Facts.HostKeys = make([]string, 9) },
		"a protocol":     func(a *vosapi.Answer) { a.Protocol = 2 },
	} {
		a := good()
		change(&a)
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vosapi.ReadAnswer(bytes.NewReader(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	text, err := json.Marshal(good())
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(text), "{", `{"new":1,`, 1)
	if a, err := vosapi.ReadAnswer(strings.NewReader(newer)); err != nil || a.Facts.Name != "vvb1.example.com" {
		t.Errorf("%+v %v", a, err)
	}
	if _, err := vosapi.ReadAnswer(strings.NewReader(strings.Repeat(" ", vosapi.MaxAnswer+1))); err == nil {
		t.Error("an endless answer is taken")
	}
}

func TestEveryRefusalHasASentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	japanese := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.Han, unicode.Katakana, unicode.Hiragana) })
	}
	fallback := (&vosapi.Refusal{Code: vosapi.Internal, Detail: "x"}).Error()
	for _, c := range vosapi.Codes() {
		r := &vosapi.Refusal{Code: c, Detail: "x"}
		if c != vosapi.Internal && r.Error() == fallback || !japanese(r.Sentence("ja")) || japanese(r.Error()) {
			t.Errorf("%s: %q %q", c, r.Error(), r.Sentence("ja"))
		}
		if !errors.Is(r, &vosapi.Refusal{Code: c}) {
			t.Errorf("%s is not itself", c)
		}
	}
}
