// Package byhand is how a command asks a node's agent to do what stops or starts its services, and how
// the agent answers: small files in the node's folder. It knows neither hub nor services.
package byhand

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/atomicfile"
)

const (
	requestFile = "by-hand.json"
	answerFile  = "by-hand-answer.json"
	reportsFile = "by-hand-reports.json"
	fileLimit   = 64 << 10

	// PickUp is how long a request waits for an agent. What is older is never begun: nobody expects
	// it any more.
	PickUp = 30 * time.Second
)

// Start is the one kind of work that stops nothing, and so needs no permit.
const Start models.HandWork = "start_services"

// Request is what somebody wants to be done now.
type Request struct {
	ID   string          `json:"id"`
	Work models.HandWork `json:"work"`
	// WithoutPermit: where the hub cannot be reached, it is done all the same (R33).
	WithoutPermit bool      `json:"without_permit,omitempty"`
	Who           string    `json:"who"`
	At            time.Time `json:"at"`
}

// State is how far a request is.
type State string

// The states. Refused, Stopped and Ended are final.
const (
	Running State = "running"
	Refused State = "refused" // nothing was disturbed
	Stopped State = "stopped" // the services are down until they are started
	Ended   State = "ended"
)

// Final says whether nothing more is said of the request.
func (s State) Final() bool { return s != Running }

// Why a request was refused by the node itself.
const (
	Busy         = "busy"              // an upgrade, or other work by hand, is under way
	NotInstalled = "not_installed"     // nothing is installed
	NoOther      = "no_other_version"  // there is no inactive version
	NotLower     = "not_lower"         // the inactive version is not older
	NotHigher    = "not_higher"        // the inactive version is not newer
	NotSigned    = "not_signed"        // it is not known of which signed bundle the version is
	Unfit        = "unfit"             // this node has no values for the inactive version
	NotStopped   = "not_stopped"       // there is nothing to start
	NoHub        = "hub_unreachable"   // and nobody said to go on without a permit
	Held         = "held"              // the hub said no: Reason and Subject
	Restarted    = "restarted"         // the machine started again before anything was stopped
	Lapsed       = "not_picked_up"     // no agent took it in time
	NotAllowed   = "not_in_this_state" // the node is being deregistered
)

// Answer is what an agent says of a request.
type Answer struct {
	ID      string         `json:"id"`
	State   State          `json:"state"`
	Step    string         `json:"step,omitempty"`
	Code    string         `json:"code,omitempty"`   // of a refusal
	Reason  models.Reason  `json:"reason,omitempty"` // the hub's
	Subject string         `json:"subject,omitempty"`
	Outcome models.Outcome `json:"outcome,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	Version models.Version `json:"version,omitempty"` // that is, or will be, active
	// Unpermitted: it is done, or was, although the hub could not be asked.
	Unpermitted bool      `json:"unpermitted,omitempty"`
	At          time.Time `json:"at"`
}

// Ask leaves a request for the agent. It refuses while another one waits.
func Ask(dir string, r Request) (Request, error) {
	if waiting, ok, err := Pending(dir); err != nil {
		return r, err
	} else if ok && r.At.Sub(waiting.At) < PickUp {
		return r, fmt.Errorf("another request (%s, by %s) waits for the agent", waiting.Work,
			waiting.Who)
	}
	r.ID = strings.ToLower(rand.Text())
	return r, atomicfile.WriteJSON(filepath.Join(dir, requestFile), r)
}

// Pending is the request that waits, if there is one.
func Pending(dir string) (Request, bool, error) {
	var r Request
	err := atomicfile.ReadJSON(filepath.Join(dir, requestFile), fileLimit, &r)
	if errors.Is(err, os.ErrNotExist) {
		return r, false, nil
	}
	return r, err == nil, err
}

// Take answers the request that waits and removes it, so that it is begun once; one that has waited
// too long is answered and not given out.
func Take(dir string, now time.Time) (Request, bool, error) {
	r, ok, err := Pending(dir)
	if err != nil {
		return r, false, errors.Join(err, Withdraw(dir))
	}
	if !ok {
		return r, false, nil
	}
	if err := Withdraw(dir); err != nil {
		return r, false, err
	}
	if age := now.Sub(r.At); age > PickUp || age < -PickUp {
		return r, false, Tell(dir, Answer{ID: r.ID, State: Refused, Code: Lapsed, At: now})
	}
	return r, true, nil
}

// Withdraw removes the request that waits, if there is one.
func Withdraw(dir string) error { return atomicfile.Remove(filepath.Join(dir, requestFile)) }

// Tell says how far a request is.
func Tell(dir string, a Answer) error {
	return atomicfile.WriteJSON(filepath.Join(dir, answerFile), a)
}

// Answered is what was last said of the request; false where nothing was yet.
func Answered(dir, id string) (Answer, bool, error) {
	var a Answer
	err := atomicfile.ReadJSON(filepath.Join(dir, answerFile), fileLimit, &a)
	if errors.Is(err, os.ErrNotExist) {
		return a, false, nil
	}
	return a, err == nil && a.ID == id, err
}

// Reports are the work without a permit that the hub has still to hear of.
func Reports(dir string) ([]wire.HandReport, error) {
	var all []wire.HandReport
	err := atomicfile.ReadJSON(filepath.Join(dir, reportsFile), fileLimit, &all)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return all, err
}

// Keep notes a report until the hub has heard it; the same id takes the place of what it said before.
// Beyond what one poll can say, the oldest is dropped.
func Keep(dir string, r wire.HandReport) error {
	all, err := Reports(dir)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(o wire.HandReport) bool { return o.ID == r.ID })
	all = append(all, r)
	if extra := len(all) - wire.MaxByHand; extra > 0 {
		all = all[extra:]
	}
	return atomicfile.WriteJSON(filepath.Join(dir, reportsFile), all)
}

// Heard forgets what the hub has heard.
func Heard(dir string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	all, err := Reports(dir)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(all), func(r wire.HandReport) bool {
		return slices.Contains(ids, r.ID)
	})
	if len(left) == len(all) {
		return nil
	}
	return atomicfile.WriteJSON(filepath.Join(dir, reportsFile), left)
}
