// Package procedure is what is done to many machines in which order: the plan, how far it is, what may
// be begun next, and a journal that is on disk before anything happens. It talks to no machine.
package procedure

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/target"
)

// Kind is what a procedure does.
type Kind string

// The kinds.
const (
	PatchInstall  Kind = "patch-install"
	PatchRollback Kind = "patch-rollback"
	MSInstall     Kind = "ms-patches-install"
	MSRollback    Kind = "ms-patches-rollback"
	Upgrade       Kind = "upgrade"
	SwitchForward Kind = "switch-forward"
	Rollback      Kind = "rollback"
	Maintenance   Kind = "maintenance"
	Services      Kind = "services-start"
)

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{PatchInstall, PatchRollback, MSInstall, MSRollback, Upgrade, SwitchForward, Rollback,
		Maintenance, Services}
}

// Title is the kind as mails and screens name it.
func (k Kind) Title(language string) string {
	t := titles[k]
	if language == "ja" {
		return t[1]
	}
	return t[0]
}

var titles = map[Kind][2]string{
	PatchInstall: {"Patch install", "パッチのインストール"}, PatchRollback: {"Patch rollback", "パッチのロールバック"},
	MSInstall:  {"Microsoft patches install", "Microsoft パッチのインストール"},
	MSRollback: {"Microsoft patches rollback", "Microsoft パッチのロールバック"},
	Upgrade:    {"Upgrade", "アップグレード"}, SwitchForward: {"Switch forward", "スイッチフォワード"},
	Rollback: {"Rollback", "ロールバック"}, Maintenance: {"Maintenance", "メンテナンス"},
	Services: {"Services start", "サービスの開始"},
}

// Mailed says whether subscribers are told: not of patches.
func (k Kind) Mailed() bool { return k == Upgrade || k == SwitchForward || k == Rollback }

// Checked says whether compatibility is judged before.
func (k Kind) Checked() bool { return k.Mailed() }

// Required says whether a machine must have what orchestration needs: not to get it back.
func (k Kind) Required() bool {
	return k != Services && k != Rollback && k != PatchRollback
}

// Host is one machine of the inventory, with how it is reached.
type Host struct {
	Name    string             `json:"name"`
	Address string             `json:"address"` // HOST:PORT
	User    string             `json:"user"`
	Product inventory.Product  `json:"product"`
	Group   string             `json:"group"`
	Side    inventory.Side     `json:"side"`
	Type    inventory.NodeType `json:"type,omitempty"`
	Key     string             `json:"key,omitempty"` // the fingerprint of the host key that was confirmed
}

// Unit names the pair or cluster of which one machine at a time is disturbed.
func (h Host) Unit() string { return string(h.Product) + "/" + h.Group }

// Do is what a step does.
type Do string

// The steps.
const (
	Check   Do = "check"   // is it what was planned for; do the others of its unit serve
	Put     Do = "copy"    // the file
	Work    Do = "work"    // one operation
	Restart Do = "restart" // where the operation or the machine asks for it
	Verify  Do = "verify"  // is it there, and does it serve
)

// Step is one step on one machine; each is in the journal before and after.
type Step struct {
	Do   Do          `json:"do"`
	Work target.Kind `json:"work,omitempty"` // of Work
}

// String is the step as progress shows it.
func (s Step) String() string {
	if s.Do == Work {
		return string(s.Work)
	}
	return string(s.Do)
}

// Disturbs says whether the machine may stop serving in this step.
func (s Step) Disturbs(p inventory.Product) bool {
	switch s.Do {
	case Restart:
		return true
	case Work:
		return s.Work != target.Services && s.Work != target.Leave && (s.Work != target.Install || !p.VOS())
	case Check, Put, Verify:
	}
	return false
}

// Task is what is done to one machine.
type Task struct {
	Host
	Stage int            `json:"stage"` // place in Plan.Stages
	From  compat.Version `json:"from"`
	To    compat.Version `json:"to"`
	File  *target.File   `json:"file,omitempty"`
	Steps []Step         `json:"steps"`
	Peers []Host         `json:"peers,omitempty"` // the others of its units, whether they are in the plan or not
	// Family is what is never disturbed on both sides at once.
	Family string `json:"family,omitempty"`
}

// Stage is what is done before the next one begins. Number is 0 where the kind has no stages.
type Stage struct {
	Number int            `json:"number"`
	Step   int            `json:"step"`
	Side   inventory.Side `json:"side,omitempty"`
	ByHand []string       `json:"byHand,omitempty"` // what orchestration does not do there
}

// Dropped is a machine that was chosen and is not in the plan.
type Dropped struct {
	Name string `json:"name"`
	target.Reason
	Why string `json:"why"` // in English; where an old journal has no code, in the language of its session
}

// Said is why, in the reader's language.
func (d Dropped) Said(language string) string { return d.Say(language, d.Why) }

// Limits are how long things may take. The zero value of each is the usual one.
type Limits struct {
	Check   time.Duration `json:"check,omitempty"`
	Put     time.Duration `json:"put,omitempty"`
	Work    time.Duration `json:"work,omitempty"`
	Updates time.Duration `json:"updates,omitempty"`
	Restart time.Duration `json:"restart,omitempty"`
	Verify  time.Duration `json:"verify,omitempty"`
	Retry   time.Duration `json:"retry,omitempty"` // the first pause before a machine is asked again
}

// Of is how long a step may take.
func (l Limits) Of(s Step) time.Duration {
	given, usual := l.Check, 3*time.Minute
	switch s.Do {
	case Check:
	case Put:
		given, usual = l.Put, 3*time.Hour
	case Restart:
		given, usual = l.Restart, 45*time.Minute
	case Verify:
		given, usual = l.Verify, 30*time.Minute
	case Work:
		given, usual = l.Work, 150*time.Minute
		if s.Work == target.Updates {
			given, usual = l.Updates, 4*time.Hour
		}
	}
	if given > 0 {
		return given
	}
	return usual
}

// Plan is what a procedure will do. It does not change once it has begun.
type Plan struct {
	ID             string                   `json:"id"`
	Kind           Kind                     `json:"kind"`
	By             string                   `json:"by"`
	Created        time.Time                `json:"created"`
	Server         string                   `json:"server"` // the control node's name
	DeploymentName string                   `json:"deploymentName,omitempty"`
	DeploymentType inventory.DeploymentType `json:"deploymentType"`
	Parallel       int                      `json:"parallel"` // how many machines at once
	Enforced       bool                     `json:"enforced"` // the compatibility check
	Drain          bool                     `json:"drain"`    // with maintenance mode
	Switch         bool                     `json:"switch"`   // VOS: switch forward at the end
	Reason         int                      `json:"reason,omitempty"`
	KB             string                   `json:"kb,omitempty"`
	Stages         []Stage                  `json:"stages"`
	Tasks          []Task                   `json:"tasks"` // in the order in which they begin
	Dropped        []Dropped                `json:"dropped,omitempty"`
	Limits         Limits                   `json:"limits,omitzero"`
}

const (
	maxTasks = 500
	maxSteps = 12
	idLength = 48
	idTime   = "20060102-150405"
)

// Check refuses a plan that cannot be gone through.
func (p Plan) Check() error {
	switch {
	case p.ID == "" || len(p.ID) > idLength:
		return errors.New("the plan has no id")
	case !slices.Contains(Kinds(), p.Kind):
		return fmt.Errorf("there is no procedure %q", p.Kind)
	case len(p.Tasks) == 0 || len(p.Tasks) > maxTasks || len(p.Stages) == 0:
		return fmt.Errorf("a plan has from 1 to %d machines", maxTasks)
	case p.Parallel < 1:
		return errors.New("at least one machine at a time is worked on")
	}
	names := map[string]bool{}
	for i, t := range p.Tasks {
		switch {
		case names[strings.ToLower(t.Name)]:
			return fmt.Errorf("%s is in the plan twice", t.Name)
		case t.Stage < 0 || t.Stage >= len(p.Stages) || i > 0 && t.Stage < p.Tasks[i-1].Stage:
			return fmt.Errorf("%s is in no stage, or out of the order of the stages", t.Name)
		case len(t.Steps) == 0 || len(t.Steps) > maxSteps:
			return fmt.Errorf("%s has from 1 to %d steps", t.Name, maxSteps)
		}
		names[strings.ToLower(t.Name)] = true
	}
	return nil
}

// NewID names a procedure: later ones sort later.
func NewID(now time.Time) string {
	return now.UTC().Format(idTime) + "-" + strings.ToLower(rand.Text()[:6])
}

// Operation is the id of a step's operation. It stays the same after a crash, and is another one when
// somebody lets a step that failed be tried again.
func (p Plan) Operation(task, step, attempt int) string {
	return fmt.Sprintf("%s-%d-%d-%d", p.ID, task, step, attempt)
}
