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

// A manifest's parts have one meaning for the hub and for the node.
type (
	// Manifest declares what a bundle runs and what it needs.
	Manifest = manifest.Manifest
	// Service is one process of the bundle.
	Service = manifest.Service
	// HTTPCall is a request that the node makes to a service.
	HTTPCall = manifest.HTTPCall
	// Health says when a service serves.
	Health = manifest.Health
	// Drain lets a service finish what it began.
	Drain = manifest.Drain
	// Stop says how a service is ended.
	Stop = manifest.Stop
	// Duration is a time as a manifest writes it.
	Duration = manifest.Duration
)

// ParseManifest reads a manifest; see manifest.ParseManifest for what it refuses.
func ParseManifest(raw []byte) (Manifest, error) { return manifest.ParseManifest(raw) }

func refuse(format string, args ...any) error { return manifest.Refuse(format, args...) }

func cleanPath(p string) bool { return manifest.CleanPath(p) }
