// Package target is the contract between a procedure and the machines it works on: what a machine says
// of itself, what can be done to it, and what each outcome means. docs/drivers.md explains it. It knows
// what can go wrong on the way there, and neither what is said to a machine nor any procedure.
package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connecthub/models/compat"
)

// Side is an installed version with its patches, the oldest first.
type Side struct {
	Version compat.Version   `json:"version"`
	Patches []compat.Version `json:"patches,omitempty"`
}

// Level is the version with the latest patch.
func (s Side) Level() compat.Version {
	if n := len(s.Patches); n > 0 {
		return s.Patches[n-1]
	}
	return s.Version
}

// Facts are what a machine says of itself.
type Facts struct {
	Boot          string   `json:"boot"` // another one after each start of the machine
	Active        Side     `json:"active"`
	Inactive      *Side    `json:"inactive,omitempty"` // VOS: nil where nothing is there to switch to
	Packages      []string `json:"packages,omitempty"` // files of support packages (VOS)
	Updates       []string `json:"updates,omitempty"`  // KB numbers (Windows)
	Maintenance   bool     `json:"maintenance"`
	Serving       bool     `json:"serving"` // its services are up; false in maintenance is no failure
	Trouble       string   `json:"trouble,omitempty"`
	RestartNeeded bool     `json:"restartNeeded"`
	DiskFree      int64    `json:"diskFree"`
	Running       string   `json:"running,omitempty"` // the operation under way
}

// File is software that goes to a machine.
type File struct {
	Path   string         `json:"path"` // in the repository
	SHA256 string         `json:"sha256"`
	Size   int64          `json:"size"`
	Local  string         `json:"-"` // where it is now, absolute
	Target compat.Version `json:"version"`
}

// Kind is what an operation does.
type Kind string

// The kinds of operations.
const (
	Patch        Kind = "patch"         // an engineering special on the active version
	Unpatch      Kind = "unpatch"       // the latest one, away
	Install      Kind = "install"       // VOS: to the inactive side, disturbing nothing; Windows: in place
	Switch       Kind = "switch"        // VOS: to the inactive, higher version
	Back         Kind = "back"          // VOS: to the inactive, lower version; Windows: uninstall
	Restart      Kind = "restart"       // of the machine
	Updates      Kind = "updates"       // Windows Update, all categories
	RemoveUpdate Kind = "remove-update" // one KB
	Enter        Kind = "enter"         // maintenance: fail over gracefully
	Leave        Kind = "leave"
	Services     Kind = "services" // start what is stopped
)

// Work is one operation. ID names it for ever: doing it again answers what became of it, and does
// nothing a second time.
type Work struct {
	ID      string         `json:"id"`
	Kind    Kind           `json:"kind"`
	File    *File          `json:"file,omitempty"`
	Version compat.Version `json:"version,omitempty"` // what it leads to, or what it takes away
	Active  compat.Version `json:"active,omitempty"`  // what must be active, or nothing is done
	KB      string         `json:"kb,omitempty"`
	Boot    string         `json:"boot,omitempty"`   // Restart: only in this boot
	Reason  int            `json:"reason,omitempty"` // Enter, for Router and Rogger: 1 to 7
}

// Outcome is what a machine says after an operation.
type Outcome struct {
	Restart bool   `json:"restart,omitempty"` // it takes effect with the next start of the machine
	Detail  string `json:"detail,omitempty"`
}

// Machine is one machine. Nothing is connected before the first call, and after a lost connection the
// next call connects again. Calls of one Machine may overlap.
type Machine interface {
	// Facts asks, and changes nothing.
	Facts(ctx context.Context) (Facts, error)
	// Put makes a file be there, whole and verified; where it is already, nothing is sent.
	Put(ctx context.Context, f File, progress func(done int64)) error
	// Do starts an operation, unless one of that id was started, and waits for its end. An error that
	// is a *Failure is the machine's word that it failed; any other says that the end is unknown, and
	// doing it again with the same id is safe.
	Do(ctx context.Context, w Work) (Outcome, error)
	Close()
}

// Pause is how long to wait before a machine is asked again how an operation stands that was waited for so
// long: its end is noticed within a twentieth of the time that it took.
func Pause(waited time.Duration) time.Duration {
	return min(max(waited/20, 200*time.Millisecond), 5*time.Second)
}

// ErrAway says that a machine was not reached or was lost; asking again later may help.
var ErrAway = errors.New("the machine is not reachable")

// Failure is a machine's own word that an operation failed.
type Failure struct{ Reason }

// Fail is a Failure of a code, such as exit_1603 or disk_full, and what its sentence is about.
func Fail(code string, about ...string) *Failure { return &Failure{Because(code, about...)} }

// Error is the sentence in English, with the code.
func (f *Failure) Error() string {
	if s := f.Sentence("en"); s != "" {
		return fmt.Sprintf("%s (%s)", s, f.Code)
	}
	return f.Code
}

// DiskFull is the Failure's code where there is no room on the machine.
const DiskFull = "disk_full"

// Reasons are what a Router or Rogger is told when it goes into maintenance, in the order in which
// they are asked.
func Reasons() []string {
	return []string{"Software upgrade or patch", "Operating system update", "Hardware maintenance",
		"Network maintenance", "Configuration change", "Troubleshooting", "Other"}
}
