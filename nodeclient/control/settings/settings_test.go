package settings_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/nodeclient/control/settings"
)

type proxy struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

func then() time.Time { return time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC) }

func open(t *testing.T) (*settings.Store, string) {
	t.Helper()
	dir := t.TempDir()
	return settings.Open(dir, then), dir
}

func set(t *testing.T, s *settings.Store, name settings.Name, p proxy) settings.Meta {
	t.Helper()
	meta, err := settings.Update(s, name, "ops", func(v *proxy) error { *v = p; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return meta
}

func TestASettingThatNobodyHasSetIsItsZeroValue(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	p, meta, err := settings.Read[proxy](s, settings.Proxy)
	if err != nil || p != (proxy{}) || meta != (settings.Meta{}) {
		t.Errorf("%v %v %v", p, meta, err)
	}
	if docs, err := s.Snapshot(); err != nil || len(docs) != 0 {
		t.Errorf("%v %v", docs, err)
	}
}

func TestEveryChangeIsTheNextRevision(t *testing.T) {
	t.Parallel()
	s, dir := open(t)
	want := proxy{"proxy.example.com", 3128}
	first := set(t, s, settings.Proxy, want)
	if first != (settings.Meta{Revision: 1, Time: then(), By: "ops"}) {
		t.Errorf("%v", first)
	}
	if again := set(t, s, settings.Proxy, want); again != first {
		t.Errorf("the same values made revision %d", again.Revision)
	}
	want.Port++
	set(t, s, settings.Proxy, want)
	p, meta, err := settings.Read[proxy](settings.Open(dir, then), settings.Proxy)
	if err != nil || p != want || meta.Revision != 2 {
		t.Errorf("%v %v %v", p, meta, err)
	}
	info, err := os.Stat(filepath.Join(dir, "control", "orchestration-proxy.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	boom := errors.New("no")
	_, err = settings.Update(s, settings.Proxy, "ops", func(v *proxy) error { v.Port = 1; return boom })
	if p, _, _ := settings.Read[proxy](s, settings.Proxy); !errors.Is(err, boom) || p != want {
		t.Errorf("a refused change was kept: %v %v", p, err)
	}
}

func TestChangesOfManyAreNeverLost(t *testing.T) {
	t.Parallel()
	_, dir := open(t)
	const writers, each = 8, 5
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			s := settings.Open(dir, then)
			for range each {
				_, err := settings.Update(s, settings.Download, "", func(v *proxy) error { v.Port++; return nil })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	p, meta, err := settings.Read[proxy](settings.Open(dir, then), settings.Download)
	if err != nil || p.Port != writers*each || meta.Revision != writers*each {
		t.Errorf("%v %v %v", p, meta, err)
	}
}

func TestASubscriberTakesWhatIsNewerOnly(t *testing.T) {
	t.Parallel()
	publisher, _ := open(t)
	subscriber, _ := open(t)
	set(t, publisher, settings.Proxy, proxy{"a", 1})
	set(t, publisher, settings.SSH, proxy{"b", 22})
	set(t, publisher, settings.Schedules, proxy{"its own", 0})
	old, err := publisher.Snapshot()
	if err != nil || len(old) != 2 || old[0].Name != settings.Proxy || old[1].Name != settings.SSH {
		t.Fatalf("%v %v", old, err)
	}
	if names, err := subscriber.Apply(old); err != nil || len(names) != 2 {
		t.Fatalf("%v %v", names, err)
	}
	set(t, publisher, settings.SSH, proxy{"b", 2222})
	fresh, err := publisher.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if names, err := subscriber.Apply(fresh); err != nil || len(names) != 1 || names[0] != settings.SSH {
		t.Errorf("%v %v", names, err)
	}
	if names, err := subscriber.Apply(old); err != nil || len(names) != 0 {
		t.Errorf("an older state was taken: %v %v", names, err)
	}
	p, meta, err := settings.Read[proxy](subscriber, settings.SSH)
	if err != nil || p.Port != 2222 || meta.Revision != 2 || meta.By != "ops" {
		t.Errorf("%v %v %v", p, meta, err)
	}
}

func TestWhatIsNoSettingIsRefused(t *testing.T) {
	t.Parallel()
	s, dir := open(t)
	good := settings.Document{Name: settings.Proxy, Meta: settings.Meta{Revision: 1}, Body: json.RawMessage(`{"port":1}`)}
	for what, change := range map[string]func(*settings.Document){
		"a path":        func(d *settings.Document) { d.Name = "../config" },
		"not a shared":  func(d *settings.Document) { d.Name = settings.Schedules },
		"no revision":   func(d *settings.Document) { d.Revision = 0 },
		"no object":     func(d *settings.Document) { d.Body = json.RawMessage(`[]`) },
		"no JSON":       func(d *settings.Document) { d.Body = json.RawMessage(`{"a":}`) },
		"nothing":       func(d *settings.Document) { d.Body = nil },
		"a long author": func(d *settings.Document) { d.By = strings.Repeat("x", 1000) },
		"too much": func(d *settings.Document) {
			d.Body = json.RawMessage(`{"host":"` + strings.Repeat("x", settings.MaxBytes) + `"}`)
		},
	} {
		bad := good
		change(&bad)
		if names, err := s.Apply([]settings.Document{good, bad}); err == nil || len(names) != 0 {
			t.Errorf("%s was taken", what)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("something was written: %v %v", entries, err)
	}
	if _, _, err := settings.Read[proxy](s, "../config"); !errors.Is(err, settings.ErrUnknown) {
		t.Error(err)
	}
	_, err := settings.Update(s, settings.Proxy, "ops", func(v *proxy) error {
		v.Host = strings.Repeat("x", settings.MaxBytes)
		return nil
	})
	if !errors.Is(err, settings.ErrTooLarge) {
		t.Error(err)
	}
}

func TestAFileThatWasTamperedWithIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", `{"name":"ssh","revision":1,"body":{}}`,
		`{"name":"orchestration-proxy","revision":0,"body":{}}`,
		`{"name":"orchestration-proxy","revision":1,"body":{"hots":"x"}}`,
		`{"name":"orchestration-proxy","revision":1,"body":{},"more":1}`} {
		s, dir := open(t)
		set(t, s, settings.Proxy, proxy{"a", 1})
		err := os.WriteFile(filepath.Join(dir, "control", "orchestration-proxy.json"), []byte(text), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := settings.Read[proxy](s, settings.Proxy); err == nil {
			t.Errorf("%q was read", text)
		}
		if _, err := settings.Update(s, settings.Proxy, "", func(*proxy) error { return nil }); err == nil {
			t.Errorf("%q was changed", text)
		}
	}
}
