package oidc_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connecthub/hub/oidc"
	"connecthub/models"
	"connecthub/tools/oidcprovider/op"
)

func TestSettingsThatAProviderMayNotHave(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	right := oidc.Settings{Issuer: s.issuer, ClientID: "hub", Secret: "s"}
	set := func(o models.Organization, change func(*oidc.Settings)) error {
		settings := right
		change(&settings)
		return s.oidc.Set(t.Context(), caller, o.ID, settings, true)
	}
	for what, change := range map[string]func(*oidc.Settings){
		"plain http":                 func(o *oidc.Settings) { o.Issuer = "http://login.example" },
		"no host":                    func(o *oidc.Settings) { o.Issuer = "https://" },
		"a file":                     func(o *oidc.Settings) { o.Issuer = "file:///etc/passwd" },
		"a user":                     func(o *oidc.Settings) { o.Issuer = "https://u:p@login.example" },
		"a query":                    func(o *oidc.Settings) { o.Issuer = "https://login.example?x=1" },
		"a fragment":                 func(o *oidc.Settings) { o.Issuer = "https://login.example#x" },
		"a long issuer":              func(o *oidc.Settings) { o.Issuer += "/" + strings.Repeat("a", 600) },
		"a host with a path":         func(o *oidc.Settings) { o.Hosts = []string{"a.example/b"} },
		"a host in capitals":         func(o *oidc.Settings) { o.Hosts = []string{"A.example"} },
		"an empty host":              func(o *oidc.Settings) { o.Hosts = []string{""} },
		"two hosts in one":           func(o *oidc.Settings) { o.Hosts = []string{"a.example b.example"} },
		"no client":                  func(o *oidc.Settings) { o.ClientID = "" },
		"no secret":                  func(o *oidc.Settings) { o.Secret = "" },
		"a long secret":              func(o *oidc.Settings) { o.Secret = models.Secret(strings.Repeat("s", 2000)) },
		"a secret with a line in it": func(o *oidc.Settings) { o.Secret = "a\nb" },
	} {
		if err := set(s.acme, change); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	if err := set(s.organization("Other", ""), func(*oidc.Settings) {}); err == nil {
		t.Error("a provider without a domain is accepted")
	}
	if err := set(s.acme, func(o *oidc.Settings) { o.Required = true }); err != nil {
		t.Error(err)
	}
	last := s.records("oidc_set")[0]
	if strings.Contains(last.After, `"s"`) || !strings.Contains(last.After, `"required":true`) ||
		!strings.Contains(last.Before, `"required":false`) {
		t.Errorf("%s\n%s", last.Before, last.After)
	}
	p, err := s.oidc.Provider(t.Context(), s.acme.ID)
	if err != nil || !p.Required || strings.Contains(p.SealedSecret, "client secret") {
		t.Errorf("%+v %v", p, err)
	}
}

func TestAProviderIsAskedBeforeItIsSet(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.provider.Misbehave(op.NoS256)
	err := s.oidc.Set(t.Context(), caller, s.acme.ID, oidc.Settings{Issuer: s.issuer,
		ClientID: "hub", Secret: "s"}, false)
	if err == nil || !strings.Contains(err.Error(), "S256") {
		t.Errorf("%v", err)
	}
}

func TestEndpointsAtAnotherHostWorkWhereTheOperatorNamedIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	tokens := httptest.NewServer(s.provider)
	t.Cleanup(tokens.Close)
	elsewhere := strings.TrimPrefix(tokens.URL, "http://")
	s.provider.EndpointsAt(tokens.URL)
	s.restart()
	_, err := s.oidc.Begin(t.Context(), caller, oidc.Beginning{Email: taro})
	s.refused(err, "oidc_unavailable")
	err = s.oidc.Set(t.Context(), caller, s.acme.ID, oidc.Settings{Issuer: s.issuer,
		ClientID: "hub", Secret: "client secret"}, false)
	if err == nil || !strings.Contains(err.Error(), elsewhere) {
		t.Errorf("what is missing is not named: %v", err)
	}
	s.set(s.acme, s.issuer, elsewhere)
	s.browser(taro).signedIn()
}

func TestThisMachineIsNoProviderUnlessThatIsAllowed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	var handler http.Handler
	asked := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	key, err := oneKey()
	if err != nil {
		t.Fatal(err)
	}
	handler, err = op.New(op.Config{Issuer: server.URL, Now: s.clock.Now, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	try := func(loopback bool, roots *x509.CertPool, issuer string) error {
		options := s.options
		options.Loopback, options.Roots = loopback, roots
		return oidc.New(options).Set(t.Context(), caller, s.acme.ID, oidc.Settings{
			Issuer: issuer, ClientID: "hub", Secret: "s"}, false)
	}
	if try(false, roots, server.URL) == nil || try(false, roots, s.issuer) == nil || asked != 0 {
		t.Error("loopback is connected to")
	}
	if try(true, nil, server.URL) == nil || asked != 0 {
		t.Error("a certificate of nobody's is believed")
	}
	if err := try(true, roots, server.URL); err != nil {
		t.Error(err)
	}
}
