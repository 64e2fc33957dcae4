package proxy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/proxy"
)

// traveller is a client whose requests go out by the setting of a folder.
type traveller struct {
	t    *testing.T
	hub  *hub
	dir  string
	http *http.Client
}

func newTraveller(t *testing.T, h *hub, direct bool) *traveller {
	t.Helper()
	dir := t.TempDir()
	target := h.target(direct)
	transport := proxy.NewTransport(proxy.Options{Dir: dir, TLS: h.trust, Dial: target.Dial})
	t.Cleanup(transport.CloseIdleConnections)
	return &traveller{t, h, dir, &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

func (v *traveller) set(s proxy.Settings) {
	v.t.Helper()
	must(v.t, s.Save(v.dir))
}

func (v *traveller) ask() error {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.hub.url()+"/x",
		strings.NewReader("body"))
	must(v.t, err)
	res, err := v.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

func TestTheNextRequestFollowsAChangedSetting(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	first, second := newGate(t, h.address(), ""), newGate(t, h.address(), "node:secret")
	v := newTraveller(t, h, true)
	wants := func(what string, a, b int) {
		t.Helper()
		if err := v.ask(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if first.through() != a || second.through() != b {
			t.Errorf("%s: %d and %d", what, first.through(), second.through())
		}
	}
	wants("nothing set", 0, 0)
	v.set(first.settings())
	wants("a first proxy", 1, 0)
	wants("the same connection", 1, 0)
	s := second.settings()
	s.User, s.Password = "node", "secret"
	v.set(s)
	wants("a second proxy", 1, 1)
	s.NoProxy = hubName
	v.set(s)
	wants("an exception", 1, 1)
	s.NoProxy = ""
	v.set(s)
	wants("no exception", 1, 2)
	v.set(proxy.Settings{})
	wants("cleared", 1, 2)
}

func TestWhatIsUnderWayEndsOnTheWayItBegan(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	h.answers(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "one")
		_ = http.NewResponseController(w).Flush()
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "two")
	})
	g := newGate(t, h.address(), "")
	v := newTraveller(t, h, true)
	v.set(g.settings())
	done := make(chan string, 1)
	go func() {
		res, err := v.http.Get(v.hub.url())
		if err != nil {
			done <- err.Error()
			return
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		done <- string(text) + errText(err)
	}()
	<-begun
	h.answers(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	v.set(proxy.Settings{})
	must(t, v.ask())
	close(goOn)
	if got := <-done; got != "onetwo" {
		t.Errorf("the download under way ended with %q", got)
	}
	if g.through() != 1 {
		t.Errorf("%d through the proxy", g.through())
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return " " + err.Error()
}

func TestNothingIsSentWhileTheSettingCannotBeRead(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	v := newTraveller(t, h, true)
	must(t, os.WriteFile(filepath.Join(v.dir, "proxy.json"), []byte("{"), 0o600))
	if err := v.ask(); err == nil || !strings.Contains(err.Error(), "proxy's setting") {
		t.Errorf("sent: %v", err)
	}
	v.set(proxy.Settings{})
	must(t, v.ask())
}

func TestARefusalOfTheProxySaysItIsTheProxys(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	g := newGate(t, h.address(), "node:secret")
	v := newTraveller(t, h, true)
	s := g.settings()
	s.User, s.Password = "node", "canary"
	v.set(s)
	err := v.ask()
	var refusal *proxy.ConnectError
	if !errors.As(err, &refusal) || refusal.Status != 407 || strings.Contains(err.Error(), "canary") ||
		!strings.Contains(err.Error(), "refused the user name or the password (407)") {
		t.Errorf("%v", err)
	}
	if g.through() != 0 {
		t.Error("went through")
	}
	v.set(proxy.Settings{Address: "http://" + free(t), User: "node", Password: "canary"})
	if err := v.ask(); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}

func TestAnInspectingProxyNeedsItsCAToBeTrusted(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	inspector := newCA(t, "Inspector")
	stand := inspector.now(hubName)
	g := newGate(t, h.address(), "")
	g.inspect = &stand
	v := newTraveller(t, h, true)
	s := g.settings()
	v.set(s)
	if err := v.ask(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown inspector: %v", err)
	}
	s.TrustedCA = inspector.pem()
	v.set(s)
	must(t, v.ask())
	// trusted beside the hub's own CA, not in its place
	plain := newGate(t, h.address(), "")
	s.Address = "http://" + plain.address
	v.set(s)
	must(t, v.ask())
}

// TestALateProxyIsLeftAtTheDeadlineOfTheRequest is the slow drip for what is no probe.
func TestALateProxyIsLeftAtTheDeadlineOfTheRequest(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	v := newTraveller(t, h, true)
	v.set(proxy.Settings{Address: "http://" + stranger(t, silent)})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url(), nil)
	must(t, err)
	if res, err := v.http.Do(req); err == nil {
		_ = res.Body.Close()
		t.Error("answered")
	} else if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
