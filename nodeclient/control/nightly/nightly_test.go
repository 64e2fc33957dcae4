package nightly_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connecthub/handlers/binaries/binariestest"
	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/jobs"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/mail"
	"connecthub/nodeclient/control/mail/mailtest"
	"connecthub/nodeclient/control/nightly"
	"connecthub/nodeclient/control/repository"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/enroll"
	"connecthub/scheduler/window"
)

// node is a control node beside a real repository.
type node struct {
	t      *testing.T
	hub    *binariestest.Hub
	person models.Actor
	dir    string
	store  *settings.Store
	night  *nightly.Night
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, hub: binariestest.Start(t, time.Now), dir: t.TempDir()}
	n.store = settings.Open(n.dir, time.Now)
	n.must(enroll.Config{Hub: "https://hub.example.com", FQDN: "cc.example.com", PageListen: ":8445", AppUser: "ops",
		AppPasswordHash: "x"}.Save(n.dir))
	n.must(os.WriteFile(filepath.Join(n.dir, "hub-ca.pem"), n.hub.CA(), 0o600))
	n.person = n.hub.Holder("ops@acme.example")
	log := slog.New(slog.DiscardHandler)
	n.night = &nightly.Night{Dir: n.dir, Store: n.store, Now: time.Now, Log: log,
		Box: mail.Open(n.dir, mail.Options{Now: time.Now, Log: log, Server: "cc.example.com", Zone: time.UTC})}
	return n
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) set(kind repository.Kind, secret string, restricted bool, expires time.Time) {
	n.t.Helper()
	_, err := repository.Update(n.store, "ops", func(c *repository.Config) error {
		*c = repository.Config{Type: kind, URL: n.hub.URL(), Repository: binariestest.Repository, Kind: kind,
			Secret: repository.Secret(secret), Restricted: restricted, ExpiresAt: expires}
		return nil
	})
	n.must(err)
}

// mails makes a real SMTP server the node's.
func (n *node) mails() *mailtest.Server {
	n.t.Helper()
	server := mailtest.Start(n.t, "none", false)
	n.must(mail.Update(n.store, "ops", func(m *mail.Settings) error {
		*m = mail.Settings{Host: server.Address, TLS: mail.None, From: "cc@example.com"}
		return nil
	}))
	n.must(mail.Subscribe(n.store, "ops", "en", []string{"admin@acme.example"}))
	return server
}

func TestPeopleHearOfNewSoftwareOnceAndOfFailures(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	server := n.mails()
	layout, err := inventory.Sample("UCCE-2000-Agents")
	n.must(err)
	_, err = machines.Open(n.dir, time.Now).Import(inventory.Format(layout), 0, "ops", "test")
	n.must(err)
	if _, err := n.night.Download(t.Context(), "ops"); !errors.Is(err, jobs.ErrSkip) {
		t.Errorf("nothing is configured: %v", err)
	}
	n.set(repository.APIKey, n.hub.Key(n.person), false, time.Time{})
	n.hub.Add("vvb/vvb-es4.cop.sgn", "VVB", "12.6(1)ES4", false, "a patch")
	if _, err := n.night.Notify(); !errors.Is(err, jobs.ErrSkip) {
		t.Errorf("nothing is new: %v", err)
	}
	said, err := n.night.Download(t.Context(), "ops")
	if err != nil || !strings.Contains(said, "1 files were downloaded") {
		t.Errorf("%s %v", said, err)
	}
	_, err = n.night.Notify()
	n.must(err)
	if _, err := n.night.Notify(); !errors.Is(err, jobs.ErrSkip) {
		t.Errorf("people were told twice: %v", err)
	}
	n.hub.EULA("2")
	if _, err := n.night.Download(t.Context(), "ops"); err == nil {
		t.Error("no failure")
	}
	n.must(n.night.Box.Deliver(t.Context()))
	all := server.Waits(2)
	if len(all) != 2 || !strings.Contains(all[0].Body, "vvb-es4.cop.sgn") || !strings.Contains(all[0].Body, "Notes of vvb/vvb-es4.cop.sgn") ||
		!strings.Contains(all[0].Title, "UnifiedCCE") || !strings.Contains(all[1].Body, "not compliant with the End User License Agreement") {
		t.Errorf("%+v", all)
	}
}

func TestAFailedRotationIsMailedInTheLastDaysOnly(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.mails()
	n.hub.Add("a/b.exe", "CVP", "12.6(2)", false, "x")
	if _, err := n.night.Rotate(t.Context()); !errors.Is(err, jobs.ErrSkip) {
		t.Error(err)
	}
	token := n.hub.Token(n.person, 90)
	for days, want := range map[int]int{20: 0, 9: 1} {
		n.set(repository.IdentityToken, token, false, time.Now().Add(time.Duration(days)*24*time.Hour))
		n.hub.Between(func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		})
		before, _ := n.night.Box.Waiting()
		if _, err := n.night.Rotate(t.Context()); err == nil {
			t.Error("no failure")
		}
		if after, err := n.night.Box.Waiting(); err != nil || after-before != want {
			t.Errorf("%d days before: %d letters, %v", days, after-before, err)
		}
	}
	n.hub.Between(nil)
	if said, err := n.night.Rotate(t.Context()); err != nil || said == "" {
		t.Error(err)
	}
	if c, _, err := repository.Load(n.store); err != nil || string(c.Secret) == token {
		t.Errorf("%v %v", c, err)
	}
}

// TestARestartDownloadsTheOtherKindTenMinutesLater is the seed's: image-repository set, restart, and ten
// minutes after it the other kind is gone and the new one here; in the nights it comes at 02:00. Fake
// time, and a real repository.
func TestARestartDownloadsTheOtherKindTenMinutesLater(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hub.Add("vvb/open.cop", "VVB", "12.6(1)ES1", false, "unrestricted")
	n.hub.Add("vvb/closed.cop", "VVB", "12.6(1)ES1", true, "restricted")
	key := n.hub.Key(n.person)
	zone, err := window.LoadZone("Asia/Tokyo")
	n.must(err)
	var refused, met atomic.Int32
	n.hub.Between(func(_ http.ResponseWriter, r *http.Request) bool {
		met.Add(1)
		hold, err := gate.Take(n.dir, gate.Orchestration, "utils patch-manager install", "ops", time.Now())
		if errors.Is(err, gate.ErrBusy) {
			refused.Add(1)
		} else if err == nil {
			hold.Release()
		}
		return false
	})
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 22, 12, 0, 0, 0, zone.Location())))
		n.set(repository.APIKey, key, false, time.Time{})
		life := func(during time.Duration) {
			ctx, cancel := context.WithCancel(t.Context())
			r := jobs.Runner{Now: time.Now, Publisher: func() bool { return true }, Records: jobs.OnDisk(n.store),
				Schedule: func() (jobs.Schedule, error) { return jobs.Load(n.store, zone) }, Log: n.night.Log,
				Tasks: n.night.Tasks(func(_ context.Context, kind gate.Kind, what string) (func(), error) {
					hold, err := gate.Take(n.dir, kind, what, "agent", time.Now())
					if err != nil {
						return nil, err
					}
					return hold.Release, nil
				})}
			done := make(chan error)
			go func() { done <- r.Run(ctx) }()
			time.Sleep(during)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		life(9*time.Minute + 59*time.Second)
		n.lists(t, "")
		life(10*time.Minute + time.Second)
		first := n.lists(t, "vvb/open.cop")
		n.set(repository.APIKey, key, true, time.Time{})
		life(9*time.Minute + 59*time.Second)
		n.lists(t, "vvb/open.cop")
		life(11 * time.Minute)
		second := n.lists(t, "vvb/closed.cop")
		if at := second.At.Sub(first.At); at < 20*time.Minute || at > 21*time.Minute+20*time.Second {
			t.Errorf("it came %v after the first", at)
		}
		life(24 * time.Hour)
		night := n.lists(t, "vvb/closed.cop")
		if at := night.At.In(zone.Location()).Format("15:04:05"); at != "02:00:00" {
			t.Errorf("it came at %s", at)
		}
	})
	if met.Load() < 10 || refused.Load() != met.Load() {
		t.Errorf("%d of %d orchestrations were refused meanwhile", refused.Load(), met.Load())
	}
}

func (n *node) lists(t *testing.T, path string) catalogue.Catalogue {
	t.Helper()
	c, err := catalogue.Read(n.dir)
	if err != nil || path == "" && len(c.Files) != 0 || path != "" && (len(c.Files) != 1 || c.Files[0].Path != path) {
		t.Errorf("%+v %v, want %q", c, err, path)
	}
	return c
}
