package app_test

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connecthub/nodeclient/app"
	"connecthub/nodeclient/proxy"
)

func setUp(t *testing.T, more ...string) place {
	t.Helper()
	p := newPlace(t)
	if code, _, e := call(t, p.setup(more...)...); code != 0 {
		t.Fatal(e)
	}
	return p
}

func (p place) proxy(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	return call(t, append([]string{"set", "proxy", "--dir", p.dir}, args...)...)
}

// wants sets, and reads what is stored.
func (p place) wants(t *testing.T, want proxy.Settings, args ...string) {
	t.Helper()
	code, out, e := p.proxy(t, args...)
	if code != 0 {
		t.Fatalf("%v: %s %s", args, out, e)
	}
	got, err := proxy.Load(p.dir)
	if err != nil || got != want {
		t.Errorf("%v: %+v %v", args, got, err)
	}
	if strings.Contains(out+e, "canary") {
		t.Errorf("%v prints the password: %s %s", args, out, e)
	}
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheProxyIsChangedPartByPart(t *testing.T) {
	t.Parallel()
	p := setUp(t, "--proxy", "first.example.com:3128")
	want := proxy.Settings{Address: "http://first.example.com:3128"}
	if got, err := proxy.Load(p.dir); err != nil || got != want {
		t.Fatalf("of set-up: %+v %v", got, err)
	}
	want.User, want.Password = "node", "canary"
	p.wants(t, want, "--user", "node", "--password-file", secretFile(t, "canary\r\nmore\n"))
	want.NoProxy = "10.0.0.0/8,intra.example.com"
	p.wants(t, want, "--no-proxy", "10.0.0.0/8, intra.example.com")
	want.Password = "canary2"
	p.wants(t, want, "--password-file", secretFile(t, "canary2"))
	p.wants(t, want, "http://FIRST.example.com:3128")
	// a password goes to no other proxy than its own
	want = proxy.Settings{Address: "http://second.example.com:3128", NoProxy: want.NoProxy}
	p.wants(t, want, "second.example.com:3128")
	want.NoProxy = ""
	p.wants(t, want, "--no-proxy", "")
	want.User = "node"
	p.wants(t, want, "--user", "node", "--password-file", secretFile(t, ""))
	want.User = ""
	p.wants(t, want, "--user", "")
	ca, err := os.ReadFile(p.ca)
	if err != nil {
		t.Fatal(err)
	}
	want.TrustedCA = string(ca)
	p.wants(t, want, "--trust-ca", p.ca)
	code, out, _ := call(t, "show", "proxy", "--dir", p.dir)
	if code != 0 || !strings.Contains(out, "can read what this node sends") || !strings.Contains(out, "SHA-256") {
		t.Errorf("%d %s", code, out)
	}
	want.TrustedCA = ""
	p.wants(t, want, "--distrust-ca")
	p.wants(t, proxy.Settings{}, "--clear")
}

func TestAProxyIsShownWithoutItsPassword(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	code, out, _ := call(t, "show", "proxy", "--dir", p.dir)
	if code != 0 || !strings.Contains(out, "none") || !strings.Contains(out, "directly") {
		t.Errorf("%d %s", code, out)
	}
	code, _, e := p.proxy(t, "http://proxy.example.com:3128", "--user", "node", "--no-proxy", "example.net",
		"--password-file", secretFile(t, "canary"), "--trust-ca", p.ca)
	if code != 0 {
		t.Fatal(e)
	}
	code, out, _ = call(t, "show", "proxy", "--dir", p.dir)
	if code != 0 || strings.Contains(out, "canary") || !strings.Contains(out, "********") ||
		!strings.Contains(out, "https://hub.example.com:8443, through the proxy") {
		t.Errorf("%d %s", code, out)
	}
	code, out, _ = call(t, "show", "proxy", "--json", "--dir", p.dir)
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 {
		t.Fatalf("%d %v %s", code, err, out)
	}
	if v["password"] != "********" || v["user"] != "node" || v["address"] != "http://proxy.example.com:3128" ||
		v["no_proxy"] != "example.net" || v["hub_through_proxy"] != true || len(v["trusted_ca"].([]any)) != 1 {
		t.Errorf("%v", v)
	}
}

func TestAProxyThatIsWronglyGivenChangesNothing(t *testing.T) {
	t.Parallel()
	p := setUp(t, "--proxy", "http://first.example.com:3128")
	word := secretFile(t, "canary")
	for _, c := range []struct {
		says string
		args []string
	}{
		{"address", nil},
		{"fields of their own", []string{"http://node:canary@first.example.com:3128"}},
		{"http://HOST:PORT", []string{"https://first.example.com:3128"}},
		{"goes alone", []string{"--clear", "--no-proxy", "x"}},
		{"goes alone", []string{"--clear", "http://first.example.com:3128"}},
		{"not both", []string{"--trust-ca", p.ca, "--distrust-ca"}},
		{"certificates in PEM form", []string{"--trust-ca", word}},
		{"needs a user", []string{"--password-file", word}},
		{"no exception", []string{"--no-proxy", "https://x"}},
		{"colon", []string{"--user", "a:b", "--password-file", word}},
	} {
		code, out, e := p.proxy(t, c.args...)
		if code == 0 || !strings.Contains(e, c.says) || strings.Contains(out, "stored;") {
			t.Errorf("%v: %d %s %s", c.args, code, out, e)
		}
	}
	if got, err := proxy.Load(p.dir); err != nil || got.Address != "http://first.example.com:3128" || got.User != "" {
		t.Errorf("%+v %v", got, err)
	}
	if code, _, e := call(t, "set", "proxy", "--dir", t.TempDir(), "x:1"); code == 0 || !strings.Contains(e, "setup") {
		t.Errorf("a folder that is not set up: %s", e)
	}
	if code, _, e := call(t, newPlace(t).setup("--proxy", "http://u:p@x:1")...); code == 0 ||
		!strings.Contains(e, "fields of their own") {
		t.Errorf("set-up took a password: %s", e)
	}
}

func TestAProxyThatFailsItsTestIsNotStored(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	code, out, e := p.proxy(t, "http://"+address, "--test")
	if code != 1 || !strings.Contains(out, "connection was refused") || !strings.Contains(e, "nothing was stored") {
		t.Errorf("%d %s %s", code, out, e)
	}
	if got, err := proxy.Load(p.dir); err != nil || got.Address != "" {
		t.Errorf("%+v %v", got, err)
	}
	if code, _, e := p.proxy(t, "http://"+address); code != 0 {
		t.Fatal(e)
	}
	code, out, e = p.proxy(t, "--test")
	if code != 1 || !strings.Contains(out, "connection was refused") || strings.Contains(e, "stored") {
		t.Errorf("%d %s %s", code, out, e)
	}
}

func TestADamagedProxySettingIsReplacedByAWholeOne(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	if err := os.WriteFile(filepath.Join(p.dir, "proxy.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, e := p.proxy(t, "--no-proxy", "x.example.com"); code == 0 || !strings.Contains(e, "cannot") {
		t.Errorf("changed a part of what cannot be read: %s", e)
	}
	p.wants(t, proxy.Settings{Address: "http://proxy.example.com:3128"}, "proxy.example.com:3128")
}

func TestTheProxysPasswordIsReadFromStandardInput(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"one line\nanother": "one line", "no end": "no end", "\r\n": ""} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		if got, err := app.ReadProxyPassword("-", r); err != nil || got != want {
			t.Errorf("%q: %q %v", text, got, err)
		}
		// a pipe is no terminal: nobody is there to type
		if _, err := app.ReadProxyPassword("", r); err == nil || !strings.Contains(err.Error(), "--password-file") {
			t.Errorf("%v", err)
		}
		_ = r.Close()
	}
}

func TestASettingIsWrittenByTheFoldersOwnerOnly(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("only root can give a folder away; the refusal is the same for everybody")
		return
	}
	p := setUp(t)
	if err := os.Chown(p.dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	code, _, e := p.proxy(t, "proxy.example.com:3128")
	if code == 0 || !strings.Contains(e, "user id 12345") {
		t.Errorf("%d %s", code, e)
	}
}
