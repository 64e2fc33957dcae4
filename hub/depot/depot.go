// Package depot keeps the vendor's releases, and their bundles on disk by digest. It knows no
// clusters and no permits.
package depot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"connecthub/hub/blob"
	"connecthub/models"
	"connecthub/models/manifest"
	"connecthub/models/store"
)

// maxNotes bounds what a release says of itself, in bytes.
const maxNotes = 4096

// Options are what a Depot needs.
type Options struct {
	Store *store.Store
	Dir   string // bundles, by digest
	Now   func() time.Time
	Log   *slog.Logger
}

// Depot is the artifact repository.
type Depot struct {
	o       Options
	files   blob.Dir
	channel *regexp.Regexp
}

// New opens the depot and creates its folder.
func New(o Options) (*Depot, error) {
	if o.Store == nil || o.Dir == "" || o.Now == nil || o.Log == nil {
		return nil, errors.New("cannot make a depot without a store, a folder, a clock and a log")
	}
	files, err := blob.Open(o.Dir)
	if err != nil {
		return nil, err
	}
	return &Depot{o: o, files: files, channel: regexp.MustCompile(`^[a-z0-9-]{1,32}$`)}, nil
}

// NewRelease is what a release engineer says of a bundle; the rest is in its manifest.
type NewRelease struct {
	Kind    models.Kind
	Channel string // default "stable"
	Notes   string
	Draft   bool // keep it a draft
}

// Publish streams a bundle into the depot and describes it as a release. What is refused leaves
// nothing behind that a release names.
func (d *Depot) Publish(ctx context.Context, a models.Actor, n NewRelease, bundle io.Reader,
) (models.Release, error) {
	if err := mayRelease(a); err != nil {
		return models.Release{}, err
	}
	if n.Channel == "" {
		n.Channel = "stable"
	}
	switch {
	case !n.Kind.Valid():
		return models.Release{}, models.Invalid("invalid_kind", "kind")
	case !d.channel.MatchString(n.Channel):
		return models.Release{}, models.Invalid("invalid_channel", "channel")
	case len(n.Notes) > maxNotes:
		return models.Release{}, invalid("its notes are longer than 4 KiB")
	}
	s, err := d.keep(ctx, bundle)
	if err != nil {
		return models.Release{}, err
	}
	r, err := describe(n, s, d.now())
	if err != nil {
		return models.Release{}, err
	}
	return r, d.insert(ctx, a, &r)
}

// describe makes a release of a bundle's head.
func describe(n NewRelease, s stored, now time.Time) (models.Release, error) {
	version, err := models.ParseVersion(string(s.manifest.Version))
	if err != nil {
		return models.Release{}, err
	}
	r := models.Release{Version: version, Kind: n.Kind, State: models.ReleasePublished,
		Channel: n.Channel, Digest: s.digest, Size: s.size, Order: models.PublisherFirst,
		Notes: n.Notes, CreatedAt: now, PublishedAt: &now}
	if n.Draft {
		r.State, r.PublishedAt = models.ReleaseDraft, nil
	}
	if s.manifest.Order == manifest.SubscribersFirst {
		r.Order = models.SubscribersFirst
	}
	need := s.manifest.Requires
	r.Requirements = models.Requirements{DiskBytes: need.DiskBytes, MemoryBytes: need.MemoryBytes}
	for _, v := range []struct {
		text models.Version
		into *models.Version
	}{{need.MinVersion, &r.Requirements.MinVersion}, {need.Intermediate, &r.Requirements.Via}} {
		if v.text == "" {
			continue
		}
		if *v.into, err = models.ParseVersion(string(v.text)); err != nil {
			return models.Release{}, err
		}
	}
	for _, p := range need.Packages {
		r.Requirements.Packages = append(r.Requirements.Packages, p.Name)
	}
	return r, nil
}

func (d *Depot) insert(ctx context.Context, a models.Actor, r *models.Release) error {
	err := d.o.Store.Update(ctx, func(tx *store.Tx) error {
		r.ID = store.NewID[models.ReleaseID](tx)
		row := *r
		if err := tx.Hub().CreateRelease(&row); err != nil {
			return err
		}
		return d.record(tx, a, *r, "release_published", nil)
	})
	if store.IsDuplicate(err, store.ReleaseVersion) {
		return models.Conflict("version_taken", string(r.Version))
	}
	return err
}

// record writes the audit record in the vendor's organization (R29, R30) and tells the replicas.
func (d *Depot) record(tx *store.Tx, a models.Actor, r models.Release, action string,
	before any,
) error {
	vendor, err := tx.Hub().VendorOrganization()
	if err != nil {
		return fmt.Errorf("cannot find the vendor's organization: %w", err)
	}
	record := a.Audit("", d.now(), models.Change{Organization: vendor.ID, Action: action,
		TargetKind: "release", TargetID: string(r.ID), TargetName: string(r.Version),
		Before: before, After: r.State})
	if err := tx.In(vendor.ID).AppendAudit(&record); err != nil {
		return err
	}
	return tx.Notify(store.ChannelReleases, string(r.ID))
}

// Releases lists all, newest first.
func (d *Depot) Releases(ctx context.Context, a models.Actor) ([]models.Release, error) {
	if err := mayRelease(a); err != nil {
		return nil, err
	}
	var releases []models.Release
	err := d.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		releases, err = tx.Hub().Releases("")
		return err
	})
	return releases, err
}

// SetState publishes, pauses, resumes or recalls a release. A recalled one stays so, and none goes
// back to being a draft.
func (d *Depot) SetState(ctx context.Context, a models.Actor, id models.ReleaseID,
	state models.ReleaseState,
) (models.Release, error) {
	if err := mayRelease(a); err != nil {
		return models.Release{}, err
	}
	var r models.Release
	err := d.o.Store.Update(ctx, func(tx *store.Tx) error {
		var err error
		r, err = tx.Hub().ReleaseByID(id)
		if errors.Is(err, store.ErrNotFound) {
			return models.NotFound()
		}
		if err != nil {
			return err
		}
		if r.State == state {
			return nil
		}
		if !follows(r.State, state) {
			refusal := models.Conflict("invalid_release_state", string(r.State))
			refusal.Field = "state"
			return refusal
		}
		before := r.State
		if err := tx.Hub().SetReleaseState(id, before, state, d.now()); err != nil {
			return err
		}
		if r, err = tx.Hub().ReleaseByID(id); err != nil {
			return err
		}
		return d.record(tx, a, r, "release_state_changed", before)
	})
	return r, err
}

// follows says which state of a release may come after which.
func follows(from, to models.ReleaseState) bool {
	switch from {
	case models.ReleaseDraft:
		return to == models.ReleasePublished || to == models.ReleaseRecalled
	case models.ReleasePublished:
		return to == models.ReleasePaused || to == models.ReleaseRecalled
	case models.ReleasePaused:
		return to == models.ReleasePublished || to == models.ReleaseRecalled
	case models.ReleaseRecalled:
		return false
	}
	return false
}

// mayRelease lets release engineers and the hub's own commands in (R29).
func mayRelease(a models.Actor) error {
	if a.Kind == models.ActorCommand || a.Kind == models.ActorUser &&
		a.Role == models.ReleaseEngineer {
		return nil
	}
	return models.Forbidden()
}

func (d *Depot) now() time.Time { return d.o.Now().UTC().Truncate(time.Microsecond) }
