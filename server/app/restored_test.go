package app_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/server/config"
)

// restoreScene is a hub that has stopped, whose database is copied and put back.
type restoreScene struct {
	t      *testing.T
	config config.Config
	pg     bool
}

func (s *restoreScene) dsn() string {
	if s.pg {
		return strings.TrimSpace(fileText(s.t, s.config.DSNFile))
	}
	return "sqlite:" + s.config.Database()
}

// put makes a copy of a database the hub's.
func (s *restoreScene) put(backup string) {
	s.t.Helper()
	dsn := storetest.Copy(s.t, backup)
	if s.pg {
		s.must(os.WriteFile(s.config.DSNFile, []byte(dsn), 0o600))
		return
	}
	s.must(os.Rename(strings.TrimPrefix(dsn, "sqlite:"), s.config.Database()))
}

func (s *restoreScene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *restoreScene) command(words ...string) (int, string, string) {
	if s.pg {
		words = append(words, "--dsn-file", s.config.DSNFile)
	}
	return run(s.t, s.config.Data, words...)
}

// works runs a command that must work, and answers what it prints.
func (s *restoreScene) works(words ...string) string {
	s.t.Helper()
	code, out, errOut := s.command(words...)
	if code != 0 {
		s.t.Fatalf("%v: %d %s %s", words, code, out, errOut)
	}
	return out
}

// alarms runs "audit verify" against kept checkpoints, which must find the log cut off.
func (s *restoreScene) alarms(when, kept string) {
	s.t.Helper()
	code, out, _ := s.command("audit", "verify", "--checkpoint", kept)
	if code == 0 || !strings.Contains(out, "BAD") {
		s.t.Errorf("%s: %d %s", when, code, out)
	}
}

// keep writes where the log stands now to a file.
func (s *restoreScene) keep() string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "kept")
	s.must(os.WriteFile(path, []byte(s.works("audit", "checkpoint")), 0o600))
	return path
}

// in runs a function on the tenant's rows.
func (s *restoreScene) in(do func(h *store.Hub, in *store.Scope) error) {
	s.t.Helper()
	db, err := store.Open(s.t.Context(), store.Options{DSN: s.dsn(), Now: time.Now})
	s.must(err)
	err = db.Update(s.t.Context(), func(tx *store.Tx) error {
		all, err := tx.Hub().Organizations()
		if err != nil {
			return err
		}
		for _, o := range all {
			if !o.Vendor {
				err = errors.Join(err, do(tx.Hub(), tx.In(o.ID)))
			}
		}
		return err
	})
	s.must(errors.Join(err, db.Close()))
}

func onRestoreScenes(t *testing.T, test func(t *testing.T, s *restoreScene)) {
	t.Helper()
	for name, pg := range map[string]bool{"sqlite": false, "postgres": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &restoreScene{t: t, pg: pg, config: settings(t, filepath.Join(t.TempDir(), "data"))}
			if pg {
				s.config.DSNFile = filepath.Join(t.TempDir(), "dsn")
				s.must(os.WriteFile(s.config.DSNFile, []byte(storetest.PostgresDSN(t)), 0o600))
			}
			s.must(start(t, s.config).stop())
			test(t, s)
		})
	}
}

// TestR34WhatABackupRevivesIsVoidedByTheRestoredCommand restores a backup with one of everything that
// lets somebody in and may have been used up or revoked since.
func TestR34WhatABackupRevivesIsVoidedByTheRestoredCommand(t *testing.T) {
	t.Parallel()
	onRestoreScenes(t, func(t *testing.T, s *restoreScene) {
		now := time.Now().UTC().Truncate(time.Microsecond)
		later := now.Add(time.Hour)
		var user models.UserID
		s.in(func(_ *store.Hub, in *store.Scope) error {
			users, err := in.Users()
			if err != nil || len(users) == 0 {
				return errors.Join(err, errors.New("nobody is there"))
			}
			user = users[0].ID
			return errors.Join(
				in.ReplaceRecoveryCodes(user, []models.RecoveryCode{{IDHash: "a", UserID: user, CreatedAt: now}}),
				in.CreateAPIToken(&models.APIToken{UserID: user, Name: "t", Prefix: "chp_a", SecretHash: "a",
					Scopes: "clusters:read", CreatedAt: now, ExpiresAt: later}),
				in.CreateInvitation(&models.Invitation{TokenHash: "a", Email: "a@example.com",
					Role: models.FullAdmin, InvitedBy: string(user), CreatedAt: now, ExpiresAt: later}),
				in.CreateChallenge(&models.SignInChallenge{IDHash: "a", UserID: user, Purpose: "sign_in",
					BrowserHash: "b", Data: []byte("{}"), CreatedAt: now, ExpiresAt: later}))
		})
		backup := storetest.Copy(t, s.dsn())
		s.put(backup)
		out := s.works("restored")
		for _, want := range []string{"removed 1 recovery codes", "people who were disabled",
			"recalled and paused releases", "deregistered"} {
			if !strings.Contains(out, want) {
				t.Errorf("does not say %q: %s", want, out)
			}
		}
		s.in(func(h *store.Hub, in *store.Scope) error {
			codes, err := in.RecoveryCodesLeft(user)
			tokens, err1 := in.APITokens(user)
			invitations, err2 := in.Invitations(now)
			if _, err := h.ChallengeByHash("a"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a challenge: %v", err)
			}
			if codes+len(tokens)+len(invitations) != 0 {
				t.Errorf("%d codes, %v, %v", codes, tokens, invitations)
			}
			return errors.Join(err, err1, err2)
		})
	})
}

// TestR34AKeptCheckpointIsExplainedByARestoreThatWasSigned keeps checkpoints of the life that a restore
// ends: they are an alarm until the command has run, and after it they are explained.
func TestR34AKeptCheckpointIsExplainedByARestoreThatWasSigned(t *testing.T) {
	t.Parallel()
	onRestoreScenes(t, func(t *testing.T, s *restoreScene) {
		early := s.keep()
		backup := storetest.Copy(t, s.dsn())
		for _, domain := range []string{"one.example", "two.example", "three.example"} {
			s.works("organization", "set-domain", "Tokyo", domain)
		}
		late := s.keep()
		s.put(backup)
		s.alarms("restored, and the command forgotten", late)
		s.in(func(_ *store.Hub, in *store.Scope) error { // who can write the database, and no more
			r := models.Actor{Kind: models.ActorCommand}.Audit("", time.Now(), models.Change{
				Action: "hub_restored", TargetKind: "hub", TargetID: "hub", TargetName: "hub"})
			return in.AppendAudit(&r)
		})
		s.keep() // and the hub goes on signing
		s.alarms("a record of a restore that nobody has signed", late)
		s.put(backup)
		s.works("restored")
		out := s.works("audit", "verify", "--checkpoint", early, "--checkpoint", late)
		if !strings.Contains(out, "restored from a backup") || !strings.Contains(out, "is lost") {
			t.Errorf("not explained: %s", out)
		}
		cut := storetest.Copy(t, s.dsn())
		s.works("organization", "set-domain", "Tokyo", "four.example")
		after := s.keep()
		s.works("audit", "verify", "--checkpoint", late, "--checkpoint", after)
		s.put(cut)
		s.alarms("cut off in the new life", after)
	})
}
