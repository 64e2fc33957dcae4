// Package vosapi is what a control node and an onboarded VOS machine say to each other: one JSON request
// on the standard input of an SSH command, one JSON answer on its output. It knows the messages, their
// limits and refusals, and neither a network nor a disk.
package vosapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"connecthub/models/compat"
	"connecthub/models/inventory"
)

// Protocol is the only version of these messages.
const Protocol = 1

// The commands that the machine's side takes over SSH. Whatever else is asked for is refused before
// anything is read: nothing of a request is ever part of a command line.
const (
	Command      = "connecthub-vos"       // one request, one answer
	CommandFiles = "connecthub-vos-files" // SFTP; the subsystem "sftp" does the same
)

// Limits. What exceeds one is refused, never cut.
const (
	MaxRequest  = 64 << 10
	MaxAnswer   = 256 << 10
	MaxFile     = int64(16 << 30)
	MaxPackages = 256
	MaxPatches  = 64
	MaxText     = 512
	MaxKeys     = 16 // control nodes' keys
	MaxNodes    = 64 // of one VOS cluster
	MaxHostKeys = 8  // of one machine
)

// AskEvery is how often it is worth asking how an operation stands.
const AskEvery = 2 * time.Second

// Deadline is how long the answer to a request may take. What takes longer is an operation, which is
// started and then asked about.
func (v Verb) Deadline() time.Duration {
	if v == PutDone { // it reads all of the file
		return 10 * time.Minute
	}
	return 45 * time.Second
}

// Deadline is how long an operation may take before the machine itself gives it up.
func (k Kind) Deadline() time.Duration {
	switch k {
	case Install, PatchInstall:
		return 2 * time.Hour
	case Switch, Rollback, PatchRollback, Restart:
		return time.Hour
	}
	return 0
}

// Verb is what a request asks for.
type Verb string

// The verbs. A control node may ask for everything but PutKeys; the publisher of the machine's own
// cluster may ask for Ping, Facts and PutKeys only.
const (
	Ping        Verb = "ping"
	GetFacts    Verb = "facts"
	PutFile     Verb = "put"         // announce a file, and learn where to go on
	PutDone     Verb = "put-done"    // verify it
	Start       Verb = "start"       // an operation; the same id again answers how it stands
	Status      Verb = "status"      // of an operation
	Cancel      Verb = "cancel"      // an operation, before it disturbs anything
	Maintenance Verb = "maintenance" // enter or leave it
	PutKeys     Verb = "keys"        // the keys of the control nodes; none takes them away
)

// Kind is what an operation does.
type Kind string

// The kinds of operations.
const (
	Install       Kind = "install"        // a version, to the inactive side; disturbs nothing
	Switch        Kind = "switch"         // to the inactive version, which must be the higher one
	Rollback      Kind = "rollback"       // to the inactive version, which must be the lower one
	Restart       Kind = "restart"        // of the machine
	PatchInstall  Kind = "patch-install"  // an engineering special on the active version
	PatchRollback Kind = "patch-rollback" // of the latest one
)

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{Install, Switch, Rollback, Restart, PatchInstall, PatchRollback}
}

// OperationID names one operation for ever. Whoever starts it makes the id: a control node that was
// killed asks with it what became of the operation.
type OperationID string

var (
	idPattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$`)
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	namePattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
)

// Valid says whether the id may name an operation, and a file of one.
func (id OperationID) Valid() bool { return idPattern.MatchString(string(id)) }

// Digest is a SHA-256 in 64 lower-case hex digits.
type Digest string

// Valid says whether it is one.
func (d Digest) Valid() bool { return digestPattern.MatchString(string(d)) }

// Request is one question. Exactly the part that belongs to its verb is set.
type Request struct {
	Protocol  int         `json:"protocol"`
	Verb      Verb        `json:"verb"`
	File      *File       `json:"file,omitempty"`      // of PutFile and PutDone
	Operation OperationID `json:"operation,omitempty"` // of Start, Status and Cancel
	Work      *Work       `json:"work,omitempty"`      // of Start
	Enter     *bool       `json:"enter,omitempty"`     // of Maintenance
	Keys      *[]Key      `json:"keys,omitempty"`      // of PutKeys
}

// File is a bundle that goes to the machine; its digest is its name there.
type File struct {
	SHA256 Digest `json:"sha256"`
	Size   int64  `json:"size"`
}

// Work says what an operation does, and from where: a machine that stands elsewhere refuses.
type Work struct {
	Kind    Kind           `json:"kind"`
	SHA256  Digest         `json:"sha256,omitempty"`  // the file, of Install and PatchInstall
	Version compat.Version `json:"version,omitempty"` // what it leads to, or the patch it takes away; checked where given
	Active  compat.Version `json:"active,omitempty"`  // what must be active; checked where given
	Boot    string         `json:"boot,omitempty"`    // Restart: only in this boot; in another one it has happened
}

// Key is a control node's public key.
type Key struct {
	Category  string `json:"category"`  // PUBLISHER or SUBSCRIBER
	HostName  string `json:"hostName"`  // of the control node
	PublicKey string `json:"publicKey"` // one line, as authorized_keys takes it
}

// Answer is the one answer to a request. Code is empty where it was done.
type Answer struct {
	Protocol  int        `json:"protocol"`
	Code      Code       `json:"code,omitempty"`
	Detail    string     `json:"detail,omitempty"` // what the code is about, printable
	Ping      *Pong      `json:"ping,omitempty"`
	Facts     *Facts     `json:"facts,omitempty"`
	Put       *Put       `json:"put,omitempty"`
	Operation *Operation `json:"operation,omitempty"`
}

// Pong is who answers.
type Pong struct {
	Name    string             `json:"name"`
	Product inventory.Product  `json:"product"`
	Cluster string             `json:"cluster"`
	Type    inventory.NodeType `json:"type"`
	BootID  string             `json:"bootId"`
	Time    time.Time          `json:"time"`
	Release string             `json:"release"` // of the program that answers
}

// Facts is how the machine stands.
type Facts struct {
	Pong
	Active        Side        `json:"active"`
	Inactive      *Side       `json:"inactive,omitempty"` // nil: nothing is there to switch to
	Packages      []string    `json:"packages"`           // files, such as ucos.keymanagement.v02.cop.sgn
	Maintenance   bool        `json:"maintenance"`
	RestartNeeded bool        `json:"restartNeeded"` // before the next install, switch or rollback
	Healthy       bool        `json:"healthy"`       // the services of the active version serve
	HealthDetail  string      `json:"healthDetail,omitempty"`
	DiskFree      int64       `json:"diskFree"` // that a file may take
	Running       OperationID `json:"running,omitempty"`
	HostKeys      []string    `json:"hostKeys"` // of its SSH server, the preferred one first
}

// Side is a version with its patches.
type Side struct {
	Version compat.Version   `json:"version"` // without patches; zero: nothing is installed
	Patches []compat.Version `json:"patches"` // the oldest first
}

// Level is the version with the latest patch: 12.6(1)ES4.
func (s Side) Level() compat.Version {
	if n := len(s.Patches); n > 0 {
		return s.Patches[n-1]
	}
	return s.Version
}

// Put says how much of a file is there. Path is its name by SFTP: what is missing is written to Path.part,
// which may be renamed to Path when it is whole. Path is empty where all of the file is there and
// verified.
type Put struct {
	Path   string `json:"path,omitempty"`
	Offset int64  `json:"offset"`
}

// State is how far an operation is.
type State string

// The states. All but Running are final.
const (
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final says whether nothing more will happen.
func (s State) Final() bool { return s == Done || s == Failed || s == Cancelled }

// Operation is how an operation stands.
type Operation struct {
	ID         OperationID    `json:"id"`
	Work       Work           `json:"work"`
	State      State          `json:"state"`
	Step       string         `json:"step"`    // verify, unpack, drain, switch, start, restart …
	Percent    int            `json:"percent"` // of the step, where it can be told
	Started    time.Time      `json:"started"`
	Ended      *time.Time     `json:"ended,omitempty"`
	From       compat.Version `json:"from"` // what was active
	To         compat.Version `json:"to"`   // what is active now, or of an install the inactive one
	Disturbing bool           `json:"disturbing"`
	Code       Code           `json:"code,omitempty"` // why it failed
	Detail     string         `json:"detail,omitempty"`
}

// Err is the refusal of an answer, or nil.
func (a Answer) Err() error {
	if a.Code == "" {
		return nil
	}
	return &Refusal{Code: a.Code, Detail: a.Detail}
}

// Err is why the operation failed, or nil.
func (o Operation) Err() error {
	if o.Code == "" {
		return nil
	}
	return &Refusal{Code: o.Code, Detail: o.Detail}
}

// ErrMalformed says that what came is no message of this protocol.
var ErrMalformed = errors.New("this is no message of a VOS machine")

// ReadRequest reads one request to the end of r, with every limit.
func ReadRequest(r io.Reader) (Request, error) {
	var q Request
	if err := read(r, MaxRequest, &q, true); err != nil {
		return q, &Refusal{Code: Malformed}
	}
	return q, q.check()
}

// ReadAnswer reads one answer to the end of r. A field that it does not know is no error: the machine
// may be newer.
func ReadAnswer(r io.Reader) (Answer, error) {
	var a Answer
	if err := read(r, MaxAnswer, &a, false); err != nil {
		return a, err
	}
	return a, a.check()
}

// Write writes one message.
func Write(w io.Writer, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("cannot write the message: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

func read(r io.Reader, limit int64, v any, strict bool) error {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return fmt.Errorf("cannot read the message: %w", err)
	}
	if int64(len(text)) > limit {
		return fmt.Errorf("%w: more than %d bytes", ErrMalformed, limit)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if strict {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows", ErrMalformed)
	}
	return nil
}
