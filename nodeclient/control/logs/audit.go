package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Outcome is how a command ended.
type Outcome string

// The outcomes. A command that was killed has begun and never ended.
const (
	Begun  Outcome = "begun"
	Done   Outcome = "done"
	Quit   Outcome = "quit" // left by its user
	Failed Outcome = "failed"
	// Alone: it goes on without another control node, which somebody says is down.
	Alone Outcome = "other-node-is-down"
)

// Act is one line of the audit log: who ran which command, when. What a command was given is left
// out: it is in the logs of what it did, and a password typed in the wrong place stays out of here.
type Act struct {
	Who     string
	Command string
	Process int // ties the end of a command to its begin
	Outcome Outcome
}

// Record writes an act to the audit log of a node. A folder that was never set up gets none.
func Record(dir string, now time.Time, a Act) error {
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		return nil //nolint:nilerr // there is no node whose log it could be
	}
	if err := Open(dir, Audit).Line(now, "user=%q command=%q process=%d outcome=%s", a.Who, a.Command,
		a.Process, a.Outcome); err != nil {
		return fmt.Errorf("cannot write the audit log: %w", err)
	}
	return nil
}
