// Package blob keeps files by the digest of what is in them. It knows nothing of what they are for.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"connecthub/models"
)

const copyBuffer = 256 << 10

// Dir is a folder of files that are named by their lower-case hex SHA-256.
type Dir string

// Open creates the folder where there is none.
func Open(path string) (Dir, error) {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return "", fmt.Errorf("cannot create the folder of stored files: %w", err)
	}
	return Dir(path), nil
}

// Taken is a file that is stored.
type Taken struct {
	Digest string
	Size   int64
}

// ErrTooLarge says that more came than may be taken.
var ErrTooLarge = errors.New("the file is larger than allowed")

// Take streams a file to disk, hashes it on the way, and gives it its final name only when it is
// whole and check, which may be nil, has nothing against it. What is refused leaves nothing behind.
// Everything is written to the others as well.
func (d Dir) Take(ctx context.Context, r io.Reader, most int64, check func(*os.File) error,
	others ...io.Writer) (Taken, error) {
	part, err := os.CreateTemp(string(d), "*.part")
	if err != nil {
		return Taken{}, diskRefusal(err)
	}
	defer func() { _ = os.Remove(part.Name()) }()
	defer func() { _ = part.Close() }()
	sum := sha256.New()
	all := io.MultiWriter(append([]io.Writer{part, sum}, others...)...)
	size, err := io.CopyBuffer(all, io.LimitReader(reader{ctx, r}, most+1), make([]byte, copyBuffer))
	switch {
	case err != nil:
		return Taken{}, diskRefusal(err)
	case size > most:
		return Taken{}, ErrTooLarge
	}
	if check != nil {
		if err := check(part); err != nil {
			return Taken{}, err
		}
	}
	taken := Taken{Digest: hex.EncodeToString(sum.Sum(nil)), Size: size}
	if err := part.Sync(); err != nil {
		return Taken{}, diskRefusal(err)
	}
	if err := os.Chmod(part.Name(), 0o640); err != nil {
		return Taken{}, fmt.Errorf("cannot keep the file: %w", err)
	}
	if err := os.Rename(part.Name(), d.path(taken.Digest)); err != nil {
		return Taken{}, diskRefusal(err)
	}
	return taken, d.sync()
}

// Open gives the file with this digest. A digest that is none, or of no file, is not found.
func (d Dir) Open(digest string) (*os.File, error) {
	if !validDigest(digest) {
		return nil, models.NotFound()
	}
	f, err := os.Open(d.path(digest))
	if errors.Is(err, os.ErrNotExist) {
		return nil, models.NotFound()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open a stored file: %w", err)
	}
	return f, nil
}

// validDigest says whether text is a lower-case hex SHA-256.
func validDigest(text string) bool {
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

func (d Dir) path(digest string) string { return filepath.Join(string(d), digest) }

func (d Dir) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return fmt.Errorf("cannot sync the folder of stored files: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("cannot sync the folder of stored files: %w", err)
	}
	return nil
}

// diskRefusal refuses where the disk is full.
func diskRefusal(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &models.Refusal{Kind: models.KindUnavailable, Code: "disk_full"}
	}
	return fmt.Errorf("cannot keep the file: %w", err)
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
