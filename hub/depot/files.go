package depot

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"connecthub/hub/blob"
	"connecthub/models"
	"connecthub/models/manifest"
)

// MaxBundle is the largest bundle that is taken.
const MaxBundle = 16 << 30

const maxWindow = 8 << 20

// stored is a bundle on disk, verified as far as its head.
type stored struct {
	digest   string
	size     int64
	manifest manifest.Manifest
}

// keep takes a bundle with a valid head. What is refused leaves nothing behind.
func (d *Depot) keep(ctx context.Context, r io.Reader) (stored, error) {
	var s stored
	taken, err := d.files.Take(ctx, r, MaxBundle, func(f *os.File) (err error) {
		s.manifest, err = readHead(f)
		return err
	})
	if errors.Is(err, blob.ErrTooLarge) {
		return stored{}, invalid("it is larger than 16 GiB")
	}
	s.digest, s.size = taken.Digest, taken.Size
	return s, err
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
func (d *Depot) Open(digest string) (*os.File, error) { return d.files.Open(digest) }

func invalid(why string) error {
	return &models.Refusal{Kind: models.KindInvalid, Code: "invalid_bundle", Field: "bundle", Subject: why}
}
