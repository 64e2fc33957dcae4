package adminapi_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models/store/storetest"
)

// forms are the shapes in which a text hides in another: as it is, in base64 at each of the three
// places where it may begin, in hexadecimal, escaped for an address.
func forms(text string) []string {
	all := []string{text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text)))}
	if escaped := url.QueryEscape(text); escaped != text {
		all = append(all, escaped)
	}
	for offset := range 3 {
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			coded := e.EncodeToString([]byte(strings.Repeat("x", offset) + text))
			// what the neighbours share in is not the text's own
			coded = coded[[]int{0, 2, 3}[offset]:]
			coded = coded[:len(coded)-2]
			all = append(all, coded)
		}
	}
	return all
}

// haystack is a place where no secret may be.
type haystack struct{ name, text string }

// found says where secrets are that must not be there.
func found(secrets []secret, places []haystack) (findings []string, searched int) {
	for _, s := range secrets {
		for _, form := range forms(s.text) {
			for _, place := range places {
				searched++
				if strings.Contains(place.text, form) {
					i := strings.Index(place.text, form)
					findings = append(findings, fmt.Sprintf("%s is in %s: …%s…", s.kind, place.name,
						place.text[max(0, i-120):min(len(place.text), i+len(form)+20)]))
				}
			}
		}
	}
	return findings, searched
}

// TestNoSecretIsLeftAnywhere uses every kind of secret, and looks for each in the database's files,
// the logs at debug level, the exports, the metrics, and every answer but the one that shows it.
func TestNoSecretIsLeftAnywhere(t *testing.T) {
	t.Parallel()
	l := gather(t)
	places := append(l.exports(), l.files()...)
	l.stop()
	places = append(places, l.files()...)
	places = append(places, haystack{"the log", fileOf(t, l.log)})
	findings, searched := found(l.secrets, places)
	for _, f := range findings {
		t.Error(f)
	}
	again := l.repeated()
	for _, f := range again {
		t.Error(f)
	}
	planted := 0
	for i, place := range places { // each place, with a secret in it, is found out
		forms := forms(l.secrets[i%len(l.secrets)].text)
		place.text += forms[i%len(forms)]
		if some, _ := found(l.secrets, []haystack{place}); len(some) > 0 {
			planted++
		} else {
			t.Errorf("a secret in %s was not found", place.name)
		}
	}
	kinds := make(map[string]bool)
	for _, s := range l.secrets {
		kinds[s.kind] = true
	}
	fmt.Printf("proof 3.8-canaries secrets=%d kinds=%d places=%d answers=%d searches=%d found=%d shown_again=%d mutants_caught=%d/%d\n",
		len(l.secrets), len(kinds), len(places), len(l.answers), searched, len(findings), len(again), planted, len(places))
}

func fileOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// files are the hub's files as they lie there, the write-ahead log with them, and the tables.
func (l *loot) files() []haystack {
	var all []haystack
	must(l.t, filepath.WalkDir(l.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all = append(all, haystack{"file " + d.Name(), fileOf(l.t, path)})
		}
		return err
	}))
	tables := storetest.ReadTables(l.t, "sqlite:"+filepath.Join(l.dir, "hub.db"))
	return append(all, haystack{"the tables", tables.All()})
}

// exports are what an admin can read afterwards: every list, the audit log as JSON and CSV, metrics.
func (l *loot) exports() []haystack {
	heard := l.heard
	l.heard = nil
	defer func() { l.heard = heard }()
	span := fmt.Sprintf("?from=%s&to=%s", now().Add(-time.Hour).UTC().Format(time.RFC3339), now().Add(time.Hour).UTC().Format(time.RFC3339))
	var all []haystack
	for _, path := range []string{"/session", "/account", "/account/sessions", "/account/tokens", "/organization",
		"/users", "/invitations", "/registrations", "/clusters", "/audit" + span, "/audit/export" + span,
		"/audit/categories"} {
		a := l.admin.ask("GET", path, "")
		if a.status != http.StatusOK {
			l.t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		all = append(all, haystack{"the answer to " + path, fmt.Sprint(a.header) + a.body})
	}
	for _, path := range []string{"/metrics", "/healthz"} {
		req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, l.url+path, nil)
		must(l.t, err)
		res, err := http.DefaultClient.Do(req)
		must(l.t, err)
		text, err := io.ReadAll(res.Body)
		must(l.t, err)
		_ = res.Body.Close()
		all = append(all, haystack{"the answer to " + path, string(text)})
	}
	return all
}

// repeated names secrets that stand in more answers than in the ones that show them.
func (l *loot) repeated() []string {
	var all []string
	for _, s := range l.secrets {
		var in []string
		for _, a := range l.answers {
			for _, form := range forms(s.text) {
				if strings.Contains(a, form) {
					first, _, _ := strings.Cut(a, "\n")
					in = append(in, first)
					break
				}
			}
		}
		if len(in) > s.shown {
			all = append(all, fmt.Sprintf("a %s stands in the answers to %s", s.kind, strings.Join(in, ", ")))
		}
	}
	return all
}
