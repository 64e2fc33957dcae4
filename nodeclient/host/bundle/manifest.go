// Package bundle makes, shows and unpacks what a node installs: a tar.zst whose first entry is a
// declarative manifest. It knows no hub, permits or processes.
package bundle

import "connecthub/models/manifest"

// ManifestName is the name of the first entry of every bundle, and of the file in a slot.
const ManifestName = manifest.ManifestName

// Format is the only manifest format this version reads.
const Format = manifest.Format

// MaxManifest is the largest manifest that is read, in bytes.
const MaxManifest = manifest.MaxManifest

// ErrInvalid is matched by every refusal of a bundle or a manifest.
var ErrInvalid = manifest.ErrInvalid

// What a manifest is made of; the hub reads the same.
type (
	Manifest     = manifest.Manifest
	Order        = manifest.Order
	Requirements = manifest.Requirements
	Package      = manifest.Package
	Service      = manifest.Service
	HTTPCall     = manifest.HTTPCall
	Health       = manifest.Health
	Drain        = manifest.Drain
	Stop         = manifest.Stop
	Duration     = manifest.Duration
)

// The orders of R17.
const (
	PublisherFirst   = manifest.PublisherFirst
	SubscribersFirst = manifest.SubscribersFirst
)

// Signals are the signals a manifest may name.
func Signals() []string { return manifest.Signals() }

// ParseManifest reads a manifest; see manifest.ParseManifest for what it refuses.
func ParseManifest(raw []byte) (Manifest, error) { return manifest.ParseManifest(raw) }

func refuse(format string, args ...any) error { return manifest.Refuse(format, args...) }

func cleanPath(p string) bool { return manifest.CleanPath(p) }
