package authkeys_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/nodeclient/control/authkeys"
	"connecthub/nodeclient/control/keys"
)

// public is a control node's key; small, because only its form counts here.
func public(t *testing.T, c keys.Category, name models.FQDN) keys.Public {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return keys.Public{Category: c, HostName: name, PublicKey: keys.LineOf(key)}
}

func TestEveryKnownMistakeIsFoundWhereItStands(t *testing.T) {
	t.Parallel()
	pub := public(t, keys.Publisher, "pub.example.com")
	sub := public(t, keys.Subscriber, "sub.example.com")
	p, s := string(pub.PublicKey), string(sub.PublicKey)
	blob := strings.Fields(p)[1]
	end := fmt.Sprint(len(p) + 1)
	for name, c := range map[string]struct {
		file, text string
		lets       string   // P, S: whom it lets in
		found      []string // "line:column rule"
	}{
		"right":                     {"", p + "\n" + s + "\n", "PS", nil},
		"right, as Windows ends it": {"authorized_keys", p + "\r\n" + s, "PS", nil},
		"remarks, blanks and others": {"", "# x\n\n  \nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUu8mVUaOhiZFF5L4Yk6dUrcL3yVqf0n0oF0VCqgYpM a@b\n" +
			p + "\n" + s + "\n", "PS", nil},
		"empty":            {"", "", "", []string{"0:0 key_missing", "0:0 key_missing"}},
		"subscriber's not": {"", p + "\n", "P", []string{"0:0 key_missing"}},
		"trailing space":   {"", p + " \n" + s + "\t", "PS", []string{"1:" + end + " trailing_space", "2:" + end + " trailing_space"}},
		"comma at the end": {"", p + ",\n" + s + ";\n", "PS", []string{"1:" + end + " comma", "2:" + end + " comma"}},
		"comma in the key": {"", p[:30] + "," + p[30:] + "\n" + s, "S", []string{"1:31 comma", "1:1 key_damaged", "0:0 key_missing"}},
		"one line, space":  {"", p + " " + s, "P", []string{"1:" + fmt.Sprint(len(p)+10) + " two_keys_on_one_line", "0:0 key_missing"}},
		"one line, comma": {"", p + "," + s, "P", []string{"1:" + fmt.Sprint(len(p)+10) + " two_keys_on_one_line",
			"1:" + end + " comma", "0:0 key_missing"}},
		"JSON": {"", `{"category":"PUBLISHER","hostName":"pub.example.com","publicKey":"` + p + `"}` + "\n" + s, "S",
			[]string{"1:1 json_pasted", "0:0 key_missing"}},
		"JSON, broken up": {"", "{\n" + `  "publicKey": "` + p + `"` + "\n}\n" + s, "S",
			[]string{"1:1 json_pasted", "2:3 json_pasted", "3:1 json_pasted", "0:0 key_missing"}},
		"quotes":          {"", `"` + p + `"` + "\n" + s, "S", []string{"1:1 special_character", "1:1 key_damaged", "0:0 key_missing"}},
		"a typed quote":   {"", p + "”\n" + s, "PS", []string{"1:" + end + " special_character"}},
		"an unseen space": {"", "ssh-rsa\u00a0" + p[8:] + "\n" + s, "S", []string{"1:8 special_character", "1:1 key_damaged", "0:0 key_missing"}},
		"no type":         {"", blob + " root@localhost\n" + s, "S", []string{"1:1 type_missing", "0:0 key_missing"}},
		"wrapped": {"", p[:80] + "\n" + p[80:200] + "\n" + p[200:] + "\n" + s, "S",
			[]string{"1:1 key_wrapped", "2:1 key_wrapped", "3:1 key_wrapped", "0:0 key_missing"}},
		"end missing":      {"", p[:200] + "\n" + s, "S", []string{"1:1 key_wrapped", "0:0 key_missing"}},
		"damaged":          {"", p[:60] + "!" + p[61:] + "\n" + s, "S", []string{"1:1 key_damaged", "0:0 key_missing"}},
		"nonsense":         {"", "hello\n" + p + "\n" + s, "PS", []string{"1:1 key_damaged"}},
		"private":          {"", "-----BEGIN OPENSSH PRIVATE KEY-----\n" + p + "\n" + s, "PS", []string{"1:1 private_key"}},
		"PuTTY":            {"", "---- BEGIN SSH2 PUBLIC KEY ----\n" + p + "\n" + s, "PS", []string{"1:1 other_form"}},
		"options":          {"", `from="10.0.0.1,10.0.0.2" ` + p + "\n" + s, "S", []string{"1:1 options", "0:0 key_missing"}},
		"byte order mark":  {"", "\uFEFF" + p + "\n" + s, "S", []string{"1:1 encoding", "0:0 key_missing"}},
		"UTF-16":           {"", "\xff\xfes\x00s\x00h\x00", "", []string{"1:1 encoding", "0:0 key_missing", "0:0 key_missing"}},
		"UTF-16 unmarked":  {"", "s\x00s\x00h\x00", "", []string{"1:1 encoding", "0:0 key_missing", "0:0 key_missing"}},
		"RTF":              {"", `{\rtf1 ` + p, "", []string{"1:1 document", "0:0 key_missing", "0:0 key_missing"}},
		"a text file":      {`C:\Users\ops\.ssh\authorized_keys.txt`, p + "\n" + s, "PS", []string{"0:0 file_type"}},
		"a copy's name":    {"/tmp/from-host1", p + "\n" + s, "PS", nil},
		"administrators'":  {`C:\ProgramData\ssh\administrators_authorized_keys`, p + "\n" + s, "PS", nil},
		"administrators.t": {`administrators_authorized_keys.txt`, p + "\n" + s, "PS", []string{"0:0 file_type"}},
		"too long":         {"", strings.Repeat("#\n", 200<<10), "", []string{"0:0 too_long", "0:0 key_missing", "0:0 key_missing"}},
	} {
		r := authkeys.Check(c.file, []byte(c.text), []keys.Public{pub, sub})
		var found []string
		for _, f := range r.Problems {
			found = append(found, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Rule))
		}
		lets := ""
		for i, letter := range []string{"P", "S"} {
			if r.Lets[i] {
				lets += letter
			}
		}
		if lets != c.lets || !slices.Equal(found, c.found) {
			t.Errorf("%s: lets %q, want %q; found %q, want %q", name, lets, c.lets, found, c.found)
		}
	}
}

func TestEveryMistakeHasItsSentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, rule := range authkeys.Rules() {
		for _, language := range []string{"en", "ja"} {
			says := authkeys.Problem{Line: 3, Column: 7, Rule: rule, Subject: "SUBJECT"}.Sentence(language)
			if len(says) < 30 || seen[says] || strings.Contains(says, "{subject}") {
				t.Errorf("%s in %s: %q", rule, language, says)
			}
			seen[says] = true
		}
	}
	if got := (authkeys.Problem{Line: 3, Column: 7, Rule: authkeys.RuleTrailing}).Sentence("ja"); !strings.HasPrefix(got, "3 行 7 列: ") {
		t.Error(got)
	}
}

func FuzzAFileIsJudgedWhateverItHolds(f *testing.F) {
	f.Add([]byte("ssh-rsa AAAA root@localhost \n{\"publicKey\":\n\uFEFF"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, p := range authkeys.Check("authorized_keys.txt", text, nil).Problems {
			if p.Line < 0 || p.Sentence("ja") == "" || p.Line > 0 && p.Column < 1 {
				t.Errorf("%+v", p)
			}
		}
	})
}
