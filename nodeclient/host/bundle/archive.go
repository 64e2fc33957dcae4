package bundle

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxWindow bounds what a decoder must remember, and with it the memory of an installation.
	maxWindow = 8 << 20
	// ratioSlack is how much may come out before the ratio of a bundle is judged.
	ratioSlack = 32 << 20
	copyBuffer = 128 << 10
)

// Limits bound what one bundle may unpack to.
type Limits struct {
	Entries int
	Bytes   int64
	// Ratio is the largest allowed quotient of unpacked and packed bytes.
	Ratio int64
}

// DefaultLimits are the limits of a node.
func DefaultLimits() Limits { return Limits{Entries: 20_000, Bytes: 16 << 30, Ratio: 400} }

// Summary is what Inspect shows of a bundle.
type Summary struct {
	Manifest Manifest `json:"manifest"`
	Entries  int      `json:"entries"`
	Bytes    int64    `json:"bytes"`
}

// Inspect reads a whole bundle and keeps nothing of it. It refuses what Extract refuses.
func Inspect(ctx context.Context, r io.Reader, limits Limits) (Summary, error) {
	return walk(ctx, r, limits, func(_ *tar.Header, body io.Reader) (int64, error) {
		return io.CopyBuffer(io.Discard, body, make([]byte, copyBuffer))
	})
}

type counter struct {
	ctx context.Context
	r   io.Reader
	n   int64
}

func (c *counter) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// walk reads a bundle in constant memory and hands each accepted entry to visit, the manifest first.
func walk(ctx context.Context, r io.Reader, limits Limits,
	visit func(*tar.Header, io.Reader) (int64, error),
) (Summary, error) {
	packed := &counter{ctx: ctx, r: r}
	dec, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return Summary{}, unreadable(ctx, err)
	}
	defer dec.Close()
	w := walker{limits: limits, packed: packed}
	tr := tar.NewReader(&ratioReader{walker: &w, r: dec})
	for {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return w.sum, unreadable(ctx, err)
		}
		if err := w.entry(hdr, tr, visit); err != nil {
			return w.sum, unreadable(ctx, err)
		}
	}
	if w.sum.Entries == 0 {
		return w.sum, refuse("it is empty")
	}
	return w.sum, nil
}

type walker struct {
	limits   Limits
	packed   *counter
	unpacked int64
	sum      Summary
}

// ratioReader judges the ratio on every read, so that a bomb is met before it is unpacked.
type ratioReader struct {
	*walker
	r io.Reader
}

func (r *ratioReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.unpacked += int64(n)
	if r.unpacked > ratioSlack && r.unpacked > r.packed.n*r.limits.Ratio {
		return n, refuse("it unpacks to more than %d times its size", r.limits.Ratio)
	}
	return n, err
}

func (w *walker) entry(hdr *tar.Header, body io.Reader,
	visit func(*tar.Header, io.Reader) (int64, error),
) error {
	if err := checkHeader(hdr); err != nil {
		return err
	}
	w.sum.Entries++
	if w.sum.Entries > w.limits.Entries {
		return refuse("it has more than %d entries", w.limits.Entries)
	}
	if hdr.Size < 0 || hdr.Size > w.limits.Bytes-w.sum.Bytes {
		return refuse("it unpacks to more than %d bytes", w.limits.Bytes)
	}
	first := w.sum.Entries == 1
	if first != (hdr.Name == ManifestName) {
		return refuse("%s must be its first entry and only there", ManifestName)
	}
	if first {
		raw, err := io.ReadAll(io.LimitReader(body, MaxManifest+1))
		if err != nil {
			return err
		}
		if w.sum.Manifest, err = ParseManifest(raw); err != nil {
			return err
		}
		body = strings.NewReader(string(raw))
	}
	n, err := visit(hdr, body)
	w.sum.Bytes += n
	return err
}

// checkHeader accepts plain files and folders with plain relative names, and nothing else.
func checkHeader(hdr *tar.Header) error {
	switch hdr.Typeflag {
	case tar.TypeReg:
	case tar.TypeDir:
		hdr.Name = strings.TrimSuffix(hdr.Name, "/")
		hdr.Size = 0
	default:
		return refuse("entry %.80q is neither a file nor a folder", hdr.Name)
	}
	if !cleanPath(hdr.Name) {
		return refuse("entry name %.80q leads outside or is too long", hdr.Name)
	}
	if base := path.Base(hdr.Name); strings.HasSuffix(base, partSuffix) {
		return refuse("entry name %.80q is reserved", hdr.Name)
	}
	for key := range hdr.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse") {
			return refuse("entry %.80q is sparse", hdr.Name)
		}
	}
	return nil
}

const partSuffix = ".part"

// mode keeps only whether a file may be executed: no set-id bits, no odd owners.
func mode(hdr *tar.Header) fs.FileMode {
	if hdr.Typeflag == tar.TypeDir || hdr.Mode&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

// unreadable keeps the cause where the caller or the disk gave up, and says "invalid" otherwise.
func unreadable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("cannot read bundle: %w", cause)
	}
	var pathErr *fs.PathError
	if errors.Is(err, ErrInvalid) || errors.As(err, &pathErr) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}
