package permits_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/permits"
	"connecthub/nodeclient/journal"
)

func request(dir string) permits.Request {
	return permits.Request{Dir: dir, Kind: gate.Orchestration, What: "utils patch-manager install", Who: "root",
		Registered: true, Node: "cc-pub.example.com", Now: time.Now}
}

func note(t *testing.T, dir string, h permits.Heard) {
	t.Helper()
	if err := permits.Note(dir, h); err != nil {
		t.Fatal(err)
	}
}

// agent polls when the lock is taken, as the real one does, and notes what the hub answers.
func agent(t *testing.T, dir string, holder models.FQDN) {
	t.Helper()
	note(t, dir, permits.Heard{Asked: time.Now()})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if _, busy, err := gate.Busy(dir, gate.Orchestration); err == nil && busy {
				if err := permits.Note(dir, permits.Heard{Said: true, Holder: holder, Asked: time.Now()}); err != nil {
					t.Error(err)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
}

func TestNothingBeginsWhileAPermitOfTheClusterIsOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	agent(t, dir, "cc-sub.example.com")
	var open *permits.OpenError
	if _, err := permits.Begin(t.Context(), request(dir)); !errors.As(err, &open) || open.Holder != "cc-sub.example.com" {
		t.Fatal(err)
	}
	if _, busy, err := gate.Busy(dir, gate.Orchestration); busy || err != nil {
		t.Errorf("the lock is still held, %v", err)
	}
}

func TestItBeginsWhenTheHubHasHeardOfItAndNamesNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	agent(t, dir, "")
	r := request(dir)
	r.Unknown = func() { t.Error("the hub was asked") }
	hold, err := permits.Begin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	hold.Release()
}

// TestAnAnswerToAnEarlierPollDoesNotCount has an agent that never polls again.
func TestAnAnswerToAnEarlierPollDoesNotCount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	note(t, dir, permits.Heard{Said: true, Asked: now})
	r := request(dir)
	step := 0
	r.Now = func() time.Time { step++; return now.Add(time.Duration(step) * time.Second) }
	unknown := false
	r.Unknown = func() { unknown = true }
	hold, err := permits.Begin(t.Context(), r)
	if err != nil || !unknown {
		t.Fatal(err, unknown)
	}
	hold.Release()
}

// TestAnAnswerOfAClockThatWasSetBackDoesNotCount has an answer from what is the future now.
func TestAnAnswerOfAClockThatWasSetBackDoesNotCount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	note(t, dir, permits.Heard{Said: true, Asked: now.Add(time.Hour)})
	r := request(dir)
	step := 0
	r.Now = func() time.Time {
		if step++; step == 5 { // the agent polls, and hears of a permit
			note(t, dir, permits.Heard{Said: true, Holder: "cc-sub.example.com", Asked: now.Add(4 * time.Second)})
		}
		return now.Add(time.Duration(step) * time.Second)
	}
	var open *permits.OpenError
	if _, err := permits.Begin(t.Context(), r); !errors.As(err, &open) {
		t.Errorf("%v", err)
	}
}

func TestWithoutAnAgentThisNodesOwnJournalDecides(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unknown := 0
	r := request(dir)
	r.Unknown = func() { unknown++ }
	hold, err := permits.Begin(t.Context(), r)
	if err != nil || unknown != 1 {
		t.Fatal(err, unknown)
	}
	hold.Release()
	j, err := journal.Open(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Begin(journal.Entry{Permit: "p"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	var open *permits.OpenError
	if _, err := permits.Begin(t.Context(), r); !errors.As(err, &open) || open.Holder != r.Node {
		t.Error(err)
	}
	r.Registered = false
	if hold, err = permits.Begin(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	hold.Release()
}
