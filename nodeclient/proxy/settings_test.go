package proxy_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connecthub/nodeclient/proxy"
)

func TestASettingIsKeptToItsOwnerAndReadBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if s, err := proxy.Load(dir); err != nil || s != (proxy.Settings{}) {
		t.Errorf("of nothing: %+v %v", s, err)
	}
	want := proxy.Settings{Address: "Proxy.Example.test:3128", User: "node", Password: "p:ss wörd%",
		NoProxy:   " 10.0.0.0/8,\tLocal.example.test  *.example.net, [::1]:80 192.0.2.1:8443",
		TrustedCA: newCA(t, "Inspector").pem()}
	must(t, want.Save(dir))
	info, err := os.Stat(filepath.Join(dir, "proxy.json"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	got, err := proxy.Load(dir)
	must(t, err)
	want.Address = "http://proxy.example.test:3128"
	want.NoProxy = "10.0.0.0/8,local.example.test,*.example.net,[::1]:80,192.0.2.1:8443"
	if got != want {
		t.Errorf("read %+v", got)
	}
	if a := got.Authorities(); len(a) != 1 || a[0].Subject != "CN=Inspector" || len(a[0].SHA256) != 64 {
		t.Errorf("%+v", a)
	}
	must(t, proxy.Settings{}.Save(dir))
	if got, err := proxy.Load(dir); err != nil || got != (proxy.Settings{}) {
		t.Errorf("cleared: %+v %v", got, err)
	}
}

func TestAProxyOfAnEarlierSetUpHoldsUntilAnotherIsSet(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]proxy.Settings{
		"http://proxy.example.test:3128": {Address: "http://proxy.example.test:3128"},
		"http://proxy.example.test":      {Address: "http://proxy.example.test:80"},
		"http://u:p@[2001:db8::1]:3128/": {Address: "http://[2001:db8::1]:3128", User: "u", Password: "p"},
		"":                               {},
	} {
		dir := t.TempDir()
		text := fmt.Sprintf(`{"hub":"https://hub.example.test","proxy":%q}`, given)
		must(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600))
		if got, err := proxy.Load(dir); err != nil || got != want {
			t.Errorf("%s: %+v %v", given, got, err)
		}
		must(t, proxy.Settings{}.Save(dir))
		if got, err := proxy.Load(dir); err != nil || got != (proxy.Settings{}) {
			t.Errorf("%s came back: %+v %v", given, got, err)
		}
	}
}

func TestASettingThatCannotWorkIsRefusedInBothLanguages(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "Inspector")
	leaf := ca.now("leaf.example.test")
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	must(t, err)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	at := "http://proxy.example.test:3128"
	for name, s := range map[string]proxy.Settings{
		"https":               {Address: "https://proxy.example.test:3128"},
		"socks":               {Address: "socks5://proxy.example.test:3128"},
		"no port":             {Address: "proxy.example.test"},
		"port 0":              {Address: "proxy.example.test:0"},
		"port 65536":          {Address: "proxy.example.test:65536"},
		"a path":              {Address: at + "/x"},
		"a query":             {Address: at + "?"},
		"a fragment":          {Address: at + "#x"},
		"a user inside":       {Address: "http://u:p@proxy.example.test:3128"},
		"a space":             {Address: "http://proxy example.test:3128"},
		"no host":             {Address: "http://:3128"},
		"a foreign letter":    {Address: "http://プロキシ:3128"},
		"two lines":           {Address: "http://proxy.example.test:3128\r\nX: y"},
		"a long name":         {Address: "http://" + strings.Repeat("a.", 130) + "b:3128"},
		"a user alone":        {User: "node"},
		"a password alone":    {Address: at, Password: "x"},
		"a colon in a user":   {Address: at, User: "a:b"},
		"a line in a user":    {Address: at, User: "a\nb"},
		"a line in the word":  {Address: at, User: "a", Password: "b\r\nc"},
		"a long password":     {Address: at, User: "a", Password: proxy.Password(strings.Repeat("x", 257))},
		"an address excepted": {Address: at, NoProxy: "https://hub.example.test"},
		"a port 0 excepted":   {Address: at, NoProxy: "hub.example.test:0"},
		"a star inside":       {Address: at, NoProxy: "hub.*.test"},
		"a star before":       {Address: at, NoProxy: "*hub.test"},
		"too many":            {Address: at, NoProxy: strings.Repeat("a.example.test,", 400)},
		"no PEM":              {Address: at, TrustedCA: "hello"},
		"text after PEM":      {Address: at, TrustedCA: ca.pem() + "hello"},
		"a key":               {Address: at, TrustedCA: ca.pem() + block("PRIVATE KEY", key)},
		"a leaf":              {Address: at, TrustedCA: block("CERTIFICATE", leaf.Certificate[0])},
		"a broken one":        {Address: at, TrustedCA: block("CERTIFICATE", []byte("x"))},
		"nine":                {Address: at, TrustedCA: strings.Repeat(ca.pem(), 9)},
		"very long":           {Address: at, TrustedCA: strings.Repeat("# comment\n", 2000) + ca.pem()},
	} {
		dir := t.TempDir()
		err := s.Save(dir)
		var wrong *proxy.Wrong
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if en, ja := wrong.Sentence("en"), wrong.Sentence("ja"); en == ja || strings.Contains(en+ja, "{") {
			t.Errorf("%s: %q %q", name, en, ja)
		}
		if _, err := os.Stat(filepath.Join(dir, "proxy.json")); err == nil {
			t.Errorf("%s was stored", name)
		}
	}
}

func TestADamagedSettingIsAnErrorNotTheDirectWay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", `{"address":"http://u:p@x:1"}`, `{"via":"x"}`,
		`{"address":"` + strings.Repeat("x", 70<<10)} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "proxy.json"), []byte(text), 0o600))
		if s, err := proxy.Load(dir); err == nil {
			t.Errorf("%.20q: %+v", text, s)
		}
	}
}

func TestAPasswordIsNeverPrinted(t *testing.T) {
	t.Parallel()
	s := proxy.Settings{Address: "http://proxy.example.test:3128", User: "node", Password: "canary"}
	asJSON, err := json.Marshal(s)
	must(t, err)
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "settings", s, "password", s.Password)
	for _, text := range []string{string(asJSON), logged.String(), fmt.Sprint(s), fmt.Sprintf("%+v", s),
		fmt.Sprintf("%#v", s), fmt.Sprintf("%s %v %q", s.Password, s.Password, s.Password)} {
		if strings.Contains(text, "canary") || !strings.Contains(text, "****") {
			t.Error(text)
		}
	}
	if fmt.Sprint(proxy.Password("")) != "" {
		t.Error("no password looks like one")
	}
}

func TestExceptionsAreReachedDirectly(t *testing.T) {
	t.Parallel()
	s, err := proxy.Settings{Address: "proxy.example.test:3128", User: "u", Password: "p",
		NoProxy: "example.net,.example.org,192.0.2.0/24,hub.example.test:9443"}.Checked()
	must(t, err)
	for address, through := range map[string]bool{
		"https://hub.example.test": true, "https://hub.example.test:9443": false,
		"https://example.net": false, "https://a.example.net": false, "https://xexample.net": true,
		"https://example.org": true, "https://a.example.org": false, "https://192.0.2.7:8443": false,
		"https://192.0.3.7": true, "https://127.0.0.1:8443": false, "https://localhost": false,
		"https://[::1]:8443": false,
	} {
		if got, err := s.Through(address); err != nil || got != through {
			t.Errorf("%s: %v %v", address, got, err)
		}
	}
	u := s.For(&url.URL{Scheme: "https", Host: "hub.example.test"})
	if u == nil || u.User.String() != "u:p" || u.Host != "proxy.example.test:3128" {
		t.Errorf("%v", u)
	}
	s.NoProxy = "*"
	if through, err := s.Through("https://hub.example.test"); err != nil || through {
		t.Errorf("%v %v", through, err)
	}
}
