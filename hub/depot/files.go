package depot

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"connecthub/models"
	"connecthub/models/manifest"
)

// MaxBundle is the largest bundle that is taken.
const MaxBundle = 16 << 30

const (
	maxWindow  = 8 << 20
	copyBuffer = 256 << 10
)

// stored is a bundle on disk, verified as far as its head.
type stored struct {
	digest   string
	size     int64
	manifest manifest.Manifest
}

// keep streams a bundle to disk, hashes it on the way, and gives it its final name only when it is
// whole and has a valid head. What is refused leaves nothing behind.
func (d *Depot) keep(ctx context.Context, r io.Reader) (stored, error) {
	part, err := os.CreateTemp(d.o.Dir, "*.part")
	if err != nil {
		return stored{}, diskRefusal(fmt.Errorf("cannot keep the bundle: %w", err))
	}
	defer func() { _ = os.Remove(part.Name()) }()
	defer func() { _ = part.Close() }()
	sum := sha256.New()
	limited := io.LimitReader(reader{ctx, r}, MaxBundle+1)
	size, err := io.CopyBuffer(io.MultiWriter(part, sum), limited, make([]byte, copyBuffer))
	if err != nil {
		return stored{}, diskRefusal(fmt.Errorf("cannot keep the bundle: %w", err))
	}
	if size > MaxBundle {
		return stored{}, invalid("it is larger than 16 GiB")
	}
	head, err := readHead(part)
	if err != nil {
		return stored{}, err
	}
	s := stored{digest: hex.EncodeToString(sum.Sum(nil)), size: size, manifest: head}
	if err := part.Sync(); err != nil {
		return stored{}, diskRefusal(fmt.Errorf("cannot keep the bundle: %w", err))
	}
	if err := os.Chmod(part.Name(), 0o640); err != nil {
		return stored{}, fmt.Errorf("cannot keep the bundle: %w", err)
	}
	if err := os.Rename(part.Name(), d.path(s.digest)); err != nil {
		return stored{}, diskRefusal(fmt.Errorf("cannot keep the bundle: %w", err))
	}
	return s, syncFolder(d.o.Dir)
}

// readHead reads the manifest, which is the first entry of every bundle.
func readHead(f *os.File) (manifest.Manifest, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return manifest.Manifest{}, fmt.Errorf("cannot read the bundle: %w", err)
	}
	dec, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return manifest.Manifest{}, invalid("it is not compressed with zstd")
	}
	defer dec.Close()
	entries := tar.NewReader(io.LimitReader(dec, 4*manifest.MaxManifest))
	first, err := entries.Next()
	if err != nil {
		return manifest.Manifest{}, invalid("it is no tar archive")
	}
	if first.Name != manifest.ManifestName || first.Typeflag != tar.TypeReg {
		return manifest.Manifest{}, invalid("its first entry is not " + manifest.ManifestName)
	}
	raw, err := io.ReadAll(io.LimitReader(entries, manifest.MaxManifest+1))
	if err != nil {
		return manifest.Manifest{}, invalid("its manifest cannot be read")
	}
	m, err := manifest.ParseManifest(raw)
	if err != nil {
		return manifest.Manifest{}, invalid(err.Error())
	}
	return m, nil
}

// Open gives the bundle with this digest for serving. A digest that is none, or of no bundle, is
// not found.
func (d *Depot) Open(digest string) (*os.File, error) {
	if !ValidDigest(digest) {
		return nil, models.NotFound()
	}
	f, err := os.Open(d.path(digest))
	if errors.Is(err, os.ErrNotExist) {
		return nil, models.NotFound()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the bundle: %w", err)
	}
	return f, nil
}

// ValidDigest says whether text is a lower-case hex SHA-256.
func ValidDigest(text string) bool {
	if len(text) != 2*sha256.Size {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (d *Depot) path(digest string) string { return filepath.Join(d.o.Dir, digest) }

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot sync the depot: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("cannot sync the depot: %w", err)
	}
	return nil
}

func diskRefusal(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &models.Refusal{Kind: models.KindUnavailable, Code: "disk_full"}
	}
	return err
}

func invalid(why string) error {
	return &models.Refusal{Kind: models.KindInvalid, Code: "invalid_bundle", Field: "bundle", Subject: why}
}

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
