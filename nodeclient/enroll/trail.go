package enroll

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/atomicfile"
)

const (
	trailFile = "registrations.json"
	trailLock = "registrations.lock"
	maxTrail  = 256 << 10
	keptTrail = 50
)

// What happened to a registration, as the node saw it.
const (
	EventShown      = "shown" // on the page, or as a headless offer
	EventAllowed    = "allowed"
	EventDenied     = "denied"
	EventRefused    = "refused" // by the hub
	EventRegistered = "registered"
	EventEnded      = "ended" // allowed, and yet nothing came of it
	EventForgotten  = "forgotten"
)

// By is who decides something on this node, and from where.
type By struct {
	User    string `json:"user,omitempty"`
	Address string `json:"address,omitempty"`
}

// Event is one line of the node's own record of its registrations. The hub keeps another one; this
// one stays with the node's administrators, whatever becomes of the hub's.
type Event struct {
	At   time.Time `json:"at"`
	What string    `json:"what"` // one of the Event words
	By
	Organization   string `json:"organization,omitempty"`
	Domain         string `json:"domain,omitempty"`
	RequestedBy    string `json:"requested_by,omitempty"`
	Cluster        string `json:"cluster,omitempty"`
	ComparisonCode string `json:"comparison_code,omitempty"`
	Why            string `json:"why,omitempty"`
}

// about fills in what a registration is about.
func (v Event) about(r wire.InspectResponse) Event {
	v.Organization, v.Domain, v.RequestedBy = r.Organization, r.Domain, r.RequestedBy
	v.Cluster, v.ComparisonCode = r.DisplayName, r.ComparisonCode
	return v
}

// same says whether w is the same news as v, at another time.
func (v Event) same(w Event) bool {
	v.At, w.At = time.Time{}, time.Time{}
	return v == w
}

// Trail is the node's record, oldest first; the agent need not run.
func Trail(dir string) ([]Event, error) {
	var events []Event
	err := atomicfile.ReadJSON(filepath.Join(dir, trailFile), maxTrail, &events)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return events, err
}

// note adds to the record; what is news of before again is left out.
func (e *Enrollment) note(v Event) error {
	unlock, err := lockFile(filepath.Join(e.o.Dir, trailLock))
	if err != nil {
		return err
	}
	defer unlock()
	events, err := Trail(e.o.Dir)
	if err != nil {
		events = nil // a damaged record is begun afresh: it must not keep a node from registering
	}
	if n := len(events); n > 0 && events[n-1].same(v) {
		return nil
	}
	v.At = e.o.Now().UTC()
	events = append(events, v)
	if len(events) > keptTrail {
		events = events[len(events)-keptTrail:]
	}
	return atomicfile.WriteJSON(filepath.Join(e.o.Dir, trailFile), events)
}

// lockFile waits until no other process, nor another part of this one, writes the same.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the record of registrations: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot lock the record of registrations: %w", err)
	}
	return func() { _ = f.Close() }, nil
}

// lastEnd is why the last registration came to nothing, where nothing has happened since.
func lastEnd(dir string) string {
	events, err := Trail(dir)
	if err != nil || len(events) == 0 {
		return ""
	}
	last := events[len(events)-1]
	if last.What == EventEnded || last.What == EventForgotten {
		return last.Why
	}
	return ""
}

// endOf is the one word for why a registration ended without an identity.
func endOf(state models.RegistrationState, why models.EndedWhy) string {
	if why != "" {
		return string(why)
	}
	return string(state)
}
