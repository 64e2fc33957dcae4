// Package software is what the vendor offers for download: the files, who is entitled to which, the
// agreement, and the keys and tokens that programs download with. It knows no HTTP.
package software

import (
	"context"
	"crypto/md5"  //nolint:gosec // a checksum that clients of artifact repositories ask for
	"crypto/sha1" //nolint:gosec // the same; what counts is the SHA-256
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"connecthub/hub/blob"
	"connecthub/models"
	"connecthub/models/store"
)

// What is taken at most.
const (
	MaxFile  = 64 << 30
	MaxFiles = 10_000 // in one repository
	maxNotes = 4096
	maxEULA  = 256 << 10
	maxPath  = 512
)

// Options are what a Software needs.
type Options struct {
	Store *store.Store
	Dir   string // files, by digest; never the depot's
	Now   func() time.Time
	Log   *slog.Logger
}

// Software is the software repository.
type Software struct {
	o                                     Options
	files                                 blob.Dir
	repository, part, product, versioning *regexp.Regexp
}

// New opens the repository and creates its folder.
func New(o Options) (*Software, error) {
	if o.Store == nil || o.Dir == "" || o.Now == nil || o.Log == nil {
		return nil, errors.New("cannot offer software without a store, a folder, a clock and a log")
	}
	files, err := blob.Open(o.Dir)
	if err != nil {
		return nil, err
	}
	return &Software{o: o, files: files,
		repository: regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`),
		part:       regexp.MustCompile(`^[A-Za-z0-9._()+~-]{1,128}$`),
		product:    regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`),
		versioning: regexp.MustCompile(`^[A-Za-z0-9._()+-]{1,64}$`)}, nil
}

func (s *Software) now() time.Time { return s.o.Now().UTC().Truncate(time.Microsecond) }

// mayManage lets release engineers and the hub's own commands in (R29).
func mayManage(a models.Actor) error {
	if a.Kind == models.ActorCommand || a.Kind == models.ActorUser &&
		a.Role == models.ReleaseEngineer {
		return nil
	}
	return models.Forbidden()
}

// NewFile is what the vendor says of a file.
type NewFile struct {
	Repository, Path, Product, Version, Notes string
	Restricted                                bool
}

// Add takes a file into the repository. What is refused leaves nothing behind that a path names.
func (s *Software) Add(ctx context.Context, a models.Actor, n NewFile, r io.Reader) (
	models.SoftwareFile, error) {
	if err := errors.Join(mayManage(a), s.valid(n)); err != nil {
		return models.SoftwareFile{}, err
	}
	//nolint:gosec // see the imports
	sum1, sum5 := sha1.New(), md5.New()
	taken, err := s.files.Take(ctx, r, MaxFile, nil, sum1, sum5)
	if errors.Is(err, blob.ErrTooLarge) {
		return models.SoftwareFile{}, models.Invalid("software_too_large", "file")
	}
	if err != nil {
		return models.SoftwareFile{}, err
	}
	f := models.SoftwareFile{Repository: n.Repository, Path: n.Path, Size: taken.Size,
		SHA256: taken.Digest, SHA1: hex.EncodeToString(sum1.Sum(nil)),
		MD5: hex.EncodeToString(sum5.Sum(nil)), Product: n.Product, Version: n.Version,
		Restricted: n.Restricted, Notes: n.Notes, PublishedAt: s.now()}
	err = s.o.Store.Update(ctx, func(tx *store.Tx) error {
		f.ID = store.NewID[models.SoftwareID](tx)
		row := f
		if err := placeable(tx, f); err != nil {
			return err
		}
		if err := tx.Hub().CreateSoftware(&row); err != nil {
			return err
		}
		return s.recordVendor(tx, a, fileChange(f, "software_added"))
	})
	if store.IsDuplicate(err, store.SoftwarePath) {
		err = models.Conflict("software_path_taken", f.Path)
	}
	return f, err
}

func (s *Software) valid(n NewFile) error {
	switch {
	case !s.repository.MatchString(n.Repository) || n.Repository == "api":
		return models.Invalid("invalid_repository", "repository")
	case s.ValidPath(n.Path) != nil:
		return models.Invalid("invalid_repository_path", "path")
	case !s.product.MatchString(n.Product):
		return models.Invalid("invalid_product", "product")
	case !s.versioning.MatchString(n.Version):
		return models.Invalid("invalid_software_version", "version")
	case len(n.Notes) > maxNotes:
		return models.Invalid("notes_too_long", "notes")
	}
	return nil
}

// ValidPath refuses what no file is ever called: parts that are empty or lead elsewhere, and other
// characters than letters, digits and . _ ( ) + ~ -.
func (s *Software) ValidPath(path string) error {
	refused := models.Invalid("invalid_repository_path", "path")
	if path == "" || len(path) > maxPath {
		return refused
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." || !s.part.MatchString(part) {
			return refused
		}
	}
	return nil
}

// placeable refuses a path that makes a file of a folder or a folder of a file, and the bytes of
// one of the hub's own releases (R14).
func placeable(tx *store.Tx, f models.SoftwareFile) error {
	releases, err := tx.Hub().ReleasesByDigest(f.SHA256)
	if err != nil {
		return err
	}
	if len(releases) > 0 {
		return models.Conflict("software_is_release", string(releases[0].Version))
	}
	all, err := tx.Hub().Software(f.Repository)
	if err != nil {
		return err
	}
	if len(all) >= MaxFiles {
		return models.Conflict("repository_full", f.Repository)
	}
	for _, other := range all {
		if strings.HasPrefix(other.Path+"/", f.Path+"/") || strings.HasPrefix(f.Path, other.Path+"/") {
			return models.Conflict("software_path_taken", other.Path)
		}
	}
	return nil
}

// List is everything that is offered, for the vendor's side.
func (s *Software) List(ctx context.Context, a models.Actor, repository string) (
	all []models.SoftwareFile, err error) {
	if err := mayManage(a); err != nil {
		return nil, err
	}
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err = tx.Hub().Software(repository)
		return err
	})
	return all, err
}

// Withdraw offers a file no more. Its bytes stay, for what else names them.
func (s *Software) Withdraw(ctx context.Context, a models.Actor, repository, path string) (
	f models.SoftwareFile, err error) {
	if err := mayManage(a); err != nil {
		return f, err
	}
	err = s.o.Store.Update(ctx, func(tx *store.Tx) error {
		if f, err = tx.Hub().SoftwareByPath(repository, path); err != nil {
			return err
		}
		if err := tx.Hub().WithdrawSoftware(f.ID, s.now()); err != nil {
			return err
		}
		return s.recordVendor(tx, a, fileChange(f, "software_withdrawn"))
	})
	if errors.Is(err, store.ErrNotFound) {
		err = models.NotFound()
	}
	return f, err
}

func fileChange(f models.SoftwareFile, action string) models.Change {
	return models.Change{Action: action, TargetKind: "software", TargetID: string(f.ID),
		TargetName: f.Repository + "/" + f.Path, After: map[string]any{"product": f.Product,
			"version": f.Version, "restricted": f.Restricted, "sha256": f.SHA256}}
}

// PublishEULA makes a text the agreement that is asked for from now on. Who accepted an older one
// is asked again.
func (s *Software) PublishEULA(ctx context.Context, a models.Actor, version string, r io.Reader) (
	models.EULA, error) {
	if err := mayManage(a); err != nil {
		return models.EULA{}, err
	}
	text, err := io.ReadAll(io.LimitReader(r, maxEULA+1))
	if err != nil {
		return models.EULA{}, fmt.Errorf("cannot read the agreement: %w", err)
	}
	if !s.versioning.MatchString(version) {
		return models.EULA{}, models.Invalid("invalid_software_version", "version")
	}
	if len(text) > maxEULA || strings.TrimSpace(string(text)) == "" {
		return models.EULA{}, models.Invalid("invalid_eula", "file")
	}
	e := models.EULA{Version: version, Text: string(text), PublishedAt: s.now()}
	err = s.o.Store.Update(ctx, func(tx *store.Tx) error {
		row := e
		if err := tx.Hub().PublishEULA(&row); err != nil {
			return err
		}
		return s.recordVendor(tx, a, models.Change{Action: "eula_published", TargetKind: "eula",
			TargetID: version, TargetName: version})
	})
	if store.IsDuplicate(err, store.EULAVersion) {
		err = models.Conflict("eula_version_taken", version)
	}
	return e, err
}

func (s *Software) record(tx *store.Tx, a models.Actor, c models.Change) error {
	record := a.Audit(store.NewID[models.AuditID](tx), s.now(), c)
	return tx.In(c.Organization).AppendAudit(&record)
}

// recordVendor writes what is the vendor's own into the log of the vendor's organization (R29).
func (s *Software) recordVendor(tx *store.Tx, a models.Actor, c models.Change) error {
	vendor, err := tx.Hub().VendorOrganization()
	if err != nil {
		return fmt.Errorf("cannot find the vendor's organization: %w", err)
	}
	c.Organization = vendor.ID
	return s.record(tx, a, c)
}
