package binaries_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"connecthub/handlers/binaries"
	"connecthub/hub/software"
	"connecthub/models"
	"connecthub/models/store"
)

// subject is one person of the matrix: how it stands, and what the oracle knows of it.
type subject struct {
	state, contract, eula string
	actor                 models.Actor
	secrets               map[string]software.Generated // by the state of the credential
}

var (
	states    = []string{"present", "lapsed", "disabled", "organization disabled"}
	contracts = []string{"none", "ended", "over", "not yet", "another product", "covers", "cleared elsewhere", "cleared"}
	agreed    = []string{"no", "the old one", "yes"}
	held      = []string{"key", "revoked key", "token", "expired token", "key as token", "unknown", "malformed"}
)

// answerOf is the oracle: the table of docs/repository-api.md, said once more.
func answerOf(s subject, credential, file string) (int, string) {
	covered := s.contract == "covers" || s.contract == "cleared" || s.contract == "cleared elsewhere"
	switch {
	case credential != "key" && credential != "token" && credential != "expired token",
		s.state == "disabled", s.state == "organization disabled":
		return 401, "invalid_download_credential"
	case credential == "expired token":
		return 401, "download_token_expired"
	case s.state == "lapsed":
		return 401, "download_key_lapsed"
	case s.contract == "none" || s.contract == "ended" || s.contract == "over" || s.contract == "not yet":
		return 403, "not_entitled"
	case s.eula != "yes":
		return 403, "eula_not_accepted"
	case file == "none":
		return 404, "not_found"
	case !covered:
		return 403, "product_not_entitled"
	case file == guarded && s.contract != "cleared":
		return 403, "export_restricted"
	}
	return 200, ""
}

// people makes everybody of the matrix while everything is still possible, and then puts each into
// its state.
func (w *world) people() []subject {
	w.t.Helper()
	var all []subject
	_, unknown := newWorld(w.t).holder("of@another.example") // right in form, and of another hub
	for _, state := range states {
		for _, contract := range contracts {
			for _, eula := range agreed {
				o := w.org
				if state == "organization disabled" {
					o = w.shut
				}
				s := subject{state: state, contract: contract, eula: eula,
					actor: w.person(o, fmt.Sprintf("p%d@acme.example", len(all))), secrets: map[string]software.Generated{}}
				first := w.entitle(s.actor, true, models.AllProducts)
				s.secrets["key"] = w.generate(s.actor, models.DownloadKey, 0)
				s.secrets["revoked key"] = w.generate(s.actor, models.DownloadKey, 0)
				s.secrets["token"] = w.generate(s.actor, models.IdentityToken, 30)
				s.secrets["expired token"] = w.generate(s.actor, models.IdentityToken, 1)
				w.must(w.sw.Revoke(w.t.Context(), s.actor, s.secrets["revoked key"].Holder.Credential.ID))
				_, err := w.sw.EndEntitlement(w.t.Context(), vendor(), first)
				w.must(err)
				s.secrets["unknown"] = unknown
				if eula == "the old one" {
					w.accept(s.actor, "1")
				}
				all = append(all, s)
			}
		}
	}
	w.eula("2")
	w.clock.Advance(24 * time.Hour)
	for _, s := range all {
		w.settle(s)
	}
	return all
}

func (w *world) settle(s subject) {
	w.t.Helper()
	today := w.clock.Now().Truncate(24 * time.Hour)
	switch s.contract {
	case "over":
		w.contract(s.actor, true, today.AddDate(-1, 0, 0), today.AddDate(0, 0, -1), models.AllProducts)
	case "not yet":
		w.contract(s.actor, true, today.AddDate(0, 0, 1), today.AddDate(1, 0, 0), models.AllProducts)
	case "another product":
		w.entitle(s.actor, true, "CVP")
	case "covers":
		w.entitle(s.actor, false, "Finesse", "VVB")
	case "cleared elsewhere":
		w.entitle(s.actor, true, "CVP")
		w.entitle(s.actor, false, "VVB")
	case "cleared":
		w.entitle(s.actor, true, "VVB")
	}
	if s.eula == "yes" {
		w.accept(s.actor, "2")
	}
	w.must(w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		in := tx.In(s.actor.Organization)
		switch s.state {
		case "lapsed":
			return in.SignedIn(s.actor.UserID, w.clock.Now().AddDate(0, -7, 0))
		case "disabled":
			return in.DisableUser(s.actor.UserID, w.clock.Now())
		}
		return nil
	}))
}

func (s subject) headers(credential string) []string {
	switch credential {
	case "token", "expired token":
		return bearer(s.secrets[credential])
	case "key as token":
		return bearer(s.secrets["key"])
	case "malformed":
		return []string{"X-JFrog-Art-Api", s.secrets["key"].Secret.Reveal() + "a"}
	}
	return []string{"X-JFrog-Art-Api", s.secrets[credential].Secret.Reveal()}
}

// TestEveryDownloadIsCheckedWhole tries every state of a credential, its person, the contract, the
// agreement and the file against an oracle.
func TestEveryDownloadIsCheckedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := w.people()
	w.must(w.store.Update(t.Context(), func(tx *store.Tx) error {
		return tx.Hub().DisableOrganization(w.shut.ID, w.clock.Now())
	}))
	methods := []string{http.MethodGet, http.MethodHead, "storage"}
	tried, failed, served := 0, 0, 0
	for i, s := range people {
		for j, credential := range held {
			for k, file := range []string{plain, guarded, "none"} {
				for m, method := range methods {
					if !long() && m != (i+j+k)%len(methods) {
						continue
					}
					w.clock.Advance(2 * time.Second) // a guesser may go on
					verb, address := method, "/binaries/"+repo+"/"+file
					if method == "storage" {
						verb, address = http.MethodGet, "/api/storage/"+repo+"/"+file
					}
					a := w.ask(verb, address, s.headers(credential)...)
					status, code := answerOf(s, credential, file)
					tried++
					if status == 200 {
						served++
					}
					if got := a.Header().Get(binaries.HeaderRefusal); a.Code != status || got != code {
						if failed++; failed < 20 {
							t.Errorf("%s, contract %s, agreement %s, %s, %s %s: %d %q, want %d %q", s.state, s.contract,
								s.eula, credential, method, file, a.Code, got, status, code)
						}
					}
				}
			}
		}
	}
	if served == 0 {
		t.Error("nothing was served")
	}
	fmt.Printf("proof 4.1-keys people=%d tried=%d served=%d wrong=%d\n", len(people), tried, served, failed)
}
