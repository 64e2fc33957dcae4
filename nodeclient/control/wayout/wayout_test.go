package wayout_test

import (
	"testing"
	"time"

	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/control/wayout"
	"connecthub/nodeclient/proxy"
)

func TestTheProxyIsTheNodesOneSettingAndTheSubscriberFollows(t *testing.T) {
	t.Parallel()
	publisher, subscriber := t.TempDir(), t.TempDir()
	ours, theirs := settings.Open(publisher, time.Now), settings.Open(subscriber, time.Now)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(proxy.Settings{Address: "http://old.example.com:80", User: "ada", Password: "secret",
		NoProxy: "10.0.0.0/8"}.Save(publisher))
	want := wayout.Config{Configured: true, Host: "proxy.example.com", Port: 3128}
	must(wayout.Set(publisher, ours, "ops", want))
	s, err := proxy.Load(publisher)
	if err != nil || s.Address != "http://proxy.example.com:3128" || s.User != "" || s.Password != "" || s.NoProxy != "10.0.0.0/8" {
		t.Errorf("%+v %v", s, err)
	}
	for _, bad := range []wayout.Config{{Configured: true, Port: 1}, {Configured: true, Host: "a/b", Port: 1},
		{Configured: true, Host: "u:p@h", Port: 1}, {Configured: true, Host: "h", Port: 70000}, {Configured: true, Host: "h"}} {
		if wayout.Set(publisher, ours, "ops", bad) == nil {
			t.Errorf("%+v was stored", bad)
		}
	}
	if c, err := wayout.Load(publisher); err != nil || c != want {
		t.Errorf("%+v %v", c, err)
	}
	follow := func(wanted bool) {
		t.Helper()
		docs, err := ours.Snapshot()
		must(err)
		_, err = theirs.Apply(docs)
		must(err)
		if changed, err := wayout.Follow(subscriber, theirs); err != nil || changed != wanted {
			t.Errorf("%v %v", changed, err)
		}
	}
	follow(true)
	if c, err := wayout.Load(subscriber); err != nil || c != want {
		t.Errorf("%+v %v", c, err)
	}
	must(proxy.Settings{Address: "http://own.example.com:8080"}.Save(subscriber))
	follow(false)
	if c, err := wayout.Load(subscriber); err != nil || c.Host != "own.example.com" {
		t.Errorf("its administrator's was overwritten: %+v %v", c, err)
	}
	must(wayout.Set(publisher, ours, "ops", wayout.Config{}))
	follow(true)
	if c, err := wayout.Load(subscriber); err != nil || c.Configured {
		t.Errorf("%+v %v", c, err)
	}
	if changed, err := wayout.Follow(t.TempDir(), settings.Open(t.TempDir(), time.Now)); err != nil || changed {
		t.Errorf("%v %v", changed, err)
	}
}
