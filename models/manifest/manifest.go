// Package manifest is the declarative head of a bundle: what it runs and what it needs. It knows no
// archives, no hub and no processes.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"connecthub/models"
)

// ManifestName is the name of the first entry of every bundle, and of the file in a slot.
const ManifestName = "manifest.json"

// Format is the only manifest format this version reads.
const Format = 1

// MaxManifest is the largest manifest that is read, in bytes.
const MaxManifest = 256 << 10

// ErrInvalid is matched by every refusal of a bundle or a manifest.
var ErrInvalid = errors.New("invalid bundle")

// Manifest declares what a bundle runs and what it needs. It holds no scripts: a bundle cannot make
// a node do anything that is not in this list.
type Manifest struct {
	Format   int            `json:"format"`
	Name     string         `json:"name"`
	Version  models.Version `json:"version"`
	Services []Service      `json:"services"`
	// Soak is how long the new version must serve healthily before its upgrade has succeeded.
	Soak     Duration     `json:"soak"`
	Requires Requirements `json:"requires,omitzero"`
	Order    Order        `json:"order,omitempty"`
}

// Order says which member of a cluster is upgraded first.
type Order string

// The orders of R17. The empty order is PublisherFirst.
const (
	PublisherFirst   Order = "publisher_first"
	SubscribersFirst Order = "subscribers_first"
)

// Valid reports whether o is one of the orders.
func (o Order) Valid() bool {
	return o == "" || o == PublisherFirst || o == SubscribersFirst
}

// Requirements are the facts a node must have before the release is offered to it.
type Requirements struct {
	DiskBytes    int64          `json:"disk_bytes,omitempty"`
	MemoryBytes  int64          `json:"memory_bytes,omitempty"`
	Packages     []Package      `json:"packages,omitempty"`
	MinVersion   models.Version `json:"min_version,omitempty"`
	Intermediate models.Version `json:"intermediate,omitempty"`
}

// Package is an installed package of the machine that a release needs.
type Package struct {
	Name       string `json:"name"`
	MinVersion string `json:"min_version,omitempty"`
}

// Service is one process of the bundle.
type Service struct {
	Name        string            `json:"name"`
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment,omitempty"`
	Ports       []string          `json:"ports,omitempty"`
	Health      Health            `json:"health"`
	Drain       *Drain            `json:"drain,omitempty"`
	Stop        Stop              `json:"stop"`
}

// HTTPCall is a call to a named port of the service on this machine.
type HTTPCall struct {
	Method string `json:"method,omitempty"`
	Path   string `json:"path"`
	Port   string `json:"port"`
}

// Health says how a service is asked whether it serves. Exactly one of HTTP, TCP and Command is set.
type Health struct {
	HTTP    *HTTPCall `json:"http,omitempty"`
	TCP     string    `json:"tcp,omitempty"`
	Command []string  `json:"command,omitempty"`
	// Interval is the pause between two checks, Timeout the deadline of one.
	Interval Duration `json:"interval"`
	Timeout  Duration `json:"timeout"`
	// ReadyWithin is how long after its start a service may take to pass its first check.
	ReadyWithin Duration `json:"ready_within"`
	// Failures is how many checks in a row must fail before a ready service is restarted.
	Failures int `json:"failures"`
}

// Drain tells a service to finish what it has and to take nothing new. Exactly one of Signal, HTTP
// and Command is set; the service has drained when it exits or when the deadline has passed, and
// for a command also when the command has ended.
type Drain struct {
	Signal   string    `json:"signal,omitempty"`
	HTTP     *HTTPCall `json:"http,omitempty"`
	Command  []string  `json:"command,omitempty"`
	Deadline Duration  `json:"deadline"`
}

// Stop is the signal that ends a service and how long it has before its process group is killed.
type Stop struct {
	Signal   string   `json:"signal"`
	Deadline Duration `json:"deadline"`
}

// Duration is a time.Duration that is written as text such as "1m30s".
type Duration time.Duration

// MarshalText writes d the way Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("cannot read duration %.40q", text)
	}
	*d = Duration(v)
	return nil
}

// D is d for the standard library.
func (d Duration) D() time.Duration { return time.Duration(d) }

// ParseManifest reads a manifest. It refuses unknown fields, anything after the document, and
// whatever Validate refuses.
func ParseManifest(raw []byte) (Manifest, error) {
	if len(raw) > MaxManifest {
		return Manifest{}, Refuse("the manifest is larger than %d bytes", MaxManifest)
	}
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return Manifest{}, Refuse("cannot read the manifest: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Manifest{}, Refuse("the manifest has something after its end")
	}
	if err := m.Validate(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// Refuse is an error that ErrInvalid matches.
func Refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
