package walk_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"connecthub/handlers/adminapi/client"
)

// hub is the hub's process, and its administrator's session.
type hub struct {
	w       *world
	console string
	nodes   string // host:port
	api     *client.ClientWithResponses
	cookie  string
}

const organization = "Acme"

func (w *world) hub() *hub {
	w.t.Helper()
	h := &hub{w: w, console: "http://" + w.address(1, 8080), nodes: w.address(1, 8443)}
	out := w.begin("server", "serve", "--data", w.path("hub"), "--listen", w.address(1, 8080),
		"--node-listen", h.nodes, "--node-names", w.ip(1), "--public-url", h.console, "--organization-name", organization,
		"--admin-email", "ada@acme.example")
	w.eventually("the hub is ready", 30*time.Second, func() bool { return answers(h.console + "/readyz") })
	printed := regexp.MustCompile(`(?m)[Pp]assword:?\s+(\S{12,})`).FindStringSubmatch(out.String())
	if printed == nil {
		w.t.Fatalf("the hub printed no password\n%s", out)
	}
	h.signIn("ada@acme.example", printed[1])
	return h
}

func (h *hub) signIn(email, password string) {
	h.w.t.Helper()
	api, err := client.NewClientWithResponses(h.console+"/api/admin/v1",
		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Origin", h.console)
			if h.cookie != "" {
				r.Header.Set("Cookie", h.cookie)
			}
			return nil
		}))
	if err != nil {
		h.w.t.Fatal(err)
	}
	h.api = api
	res, err := api.SignInWithResponse(h.w.t.Context(), client.SignIn{Email: email, Password: password})
	if err != nil || res.JSON200 == nil {
		h.w.t.Fatalf("cannot sign in: %v", err)
	}
	for _, c := range res.HTTPResponse.Cookies() {
		h.cookie = c.Name + "=" + c.Value
	}
}

// vendor runs a command of the hub's operator.
func (h *hub) vendor(words ...string) string {
	h.w.t.Helper()
	return h.w.does("server", "", append(words, "--data", h.w.path("hub"))...)
}

// downloadKey is made on the console's page; the agreement is accepted afterwards, as people do.
func (h *hub) downloadKey(name string) string {
	h.w.t.Helper()
	made, err := h.api.GenerateDownloadCredentialWithResponse(h.w.t.Context(),
		client.NewDownloadCredential{Kind: client.Key, Name: name})
	if err != nil || made.JSON201 == nil {
		h.w.t.Fatalf("no key: %v", err)
	}
	return made.JSON201.Secret
}

func (h *hub) acceptEULA(version string) {
	h.w.t.Helper()
	res, err := h.api.AcceptEulaWithResponse(h.w.t.Context(), client.AcceptEula{Version: version})
	if err != nil || res.StatusCode() != http.StatusNoContent {
		h.w.t.Fatalf("the agreement was not accepted: %v", err)
	}
}

func contains(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}
