// Package fetch brings one file of known length and digest to the disk: streaming, resumable and
// bounded. It knows no hub, permits or bundles.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"connecthub/nodeclient/atomicfile"
)

const (
	bufferSize   = 128 << 10
	defaultStall = 30 * time.Second
	spaceEvery   = 64 << 20 // others write to the disk, too
	maxETag      = 256
)

// The ways a transfer ends without the file. After ErrInterrupted and ErrStalled the partial file
// stays and the next call goes on from there; after ErrDigest, ErrSize and ErrNoSpace it is gone.
var (
	ErrInterrupted = errors.New("transfer interrupted")
	ErrStalled     = errors.New("transfer stalled")
	ErrDigest      = errors.New("wrong digest")
	ErrSize        = errors.New("wrong size")
	ErrNoSpace     = errors.New("not enough disk space")
)

// StatusError is an answer other than the file.
type StatusError struct {
	Code int
	// RetryAfter is what the other side asked for, zero when it did not.
	RetryAfter time.Duration
}

// Error names the status.
func (e *StatusError) Error() string { return fmt.Sprintf("the depot answered %d", e.Code) }

// Source asks for the file with the given extra headers (Range, If-Range).
type Source func(ctx context.Context, header http.Header) (*http.Response, error)

// Want is the file that alone is accepted.
type Want struct {
	Digest string // lower-case hex SHA-256
	Size   int64
}

// Options bound a transfer.
type Options struct {
	// Stall is the longest pause without a byte; zero is 30 s.
	Stall time.Duration
	// BytesPerSecond caps the rate; zero is no cap.
	BytesPerSecond int64
	// Reserve is how much disk space must be left once the file is there; it is looked at before and
	// while it comes.
	Reserve int64
	// Free tells the free space of a folder; nil asks the file system.
	Free func(dir string) (int64, error)
	// Progress is told now and then how much is there.
	Progress func(done, total int64)
}

// Part is the name under which dst grows until it has been verified.
func Part(dst string) string { return dst + ".part" }

func etagFile(dst string) string { return Part(dst) + ".etag" }

// Discard removes what a transfer to dst has left.
func Discard(dst string) error {
	return errors.Join(remove(Part(dst)), remove(etagFile(dst)))
}

// To returns once dst holds exactly the wanted file on stable storage. Unverified bytes never bear
// the name dst.
func To(ctx context.Context, src Source, dst string, want Want, opts Options) error {
	if want.Size < 0 || len(want.Digest) != hex.EncodedLen(sha256.Size) {
		return fmt.Errorf("cannot fetch %s: %w", filepath.Base(dst), ErrDigest)
	}
	done, err := there(ctx, dst, want)
	if err != nil || done {
		return err
	}
	t := transfer{src: src, dst: dst, want: want, opts: opts, sum: sha256.New()}
	err = t.run(ctx)
	if t.resumed && (errors.Is(err, ErrDigest) || errors.Is(err, ErrSize)) {
		// What an earlier transfer left may be what a power loss made of it: that says nothing about
		// the depot's file.
		if err := Discard(dst); err != nil {
			return fmt.Errorf("cannot fetch %s: %w", filepath.Base(dst), err)
		}
		t = transfer{src: src, dst: dst, want: want, opts: opts, sum: sha256.New()}
		err = t.run(ctx)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	if errors.Is(err, ErrDigest) || errors.Is(err, ErrSize) || errors.Is(err, ErrNoSpace) {
		err = errors.Join(err, Discard(dst))
	}
	if err != nil {
		return fmt.Errorf("cannot fetch %s: %w", filepath.Base(dst), err)
	}
	return nil
}

// there reports whether the verified file is there already; a wrong one is removed.
func there(ctx context.Context, dst string, want Want) (bool, error) {
	f, err := os.Open(dst)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot open %s: %w", filepath.Base(dst), err)
	}
	defer f.Close()
	sum := sha256.New()
	n, err := copyContext(ctx, sum, f)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", filepath.Base(dst), err)
	}
	if n == want.Size && hex.EncodeToString(sum.Sum(nil)) == want.Digest {
		return true, nil
	}
	return false, remove(dst)
}

type transfer struct {
	src  Source
	dst  string
	want Want
	opts Options
	file *os.File
	sum  hash.Hash
	done int64
	etag string
	// resumed: some of the bytes are an earlier transfer's.
	resumed bool
}

func (t *transfer) run(ctx context.Context) error {
	f, err := os.OpenFile(Part(t.dst), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	t.file = f
	if err := t.resume(ctx); err != nil {
		return err
	}
	if err := t.space(); err != nil {
		return err
	}
	if t.done < t.want.Size || t.want.Size == 0 {
		if err := t.receive(ctx); err != nil {
			return err
		}
	}
	return t.finish()
}

// resume hashes what an earlier transfer left. Without the ETag of those bytes it starts anew.
func (t *transfer) resume(ctx context.Context) error {
	raw, err := os.ReadFile(etagFile(t.dst))
	if err != nil || len(raw) == 0 || len(raw) > maxETag {
		return t.restart()
	}
	t.etag = string(raw)
	if t.done, err = copyContext(ctx, t.sum, t.file); err != nil {
		return err
	}
	if t.done > t.want.Size {
		return t.restart()
	}
	t.resumed = t.done > 0
	return nil
}

func (t *transfer) restart() error {
	t.done, t.etag, t.resumed = 0, "", false
	t.sum.Reset()
	if err := t.file.Truncate(0); err != nil {
		return err
	}
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return remove(etagFile(t.dst))
}

func (t *transfer) space() error {
	free := t.opts.Free
	if free == nil {
		free = FreeSpace
	}
	have, err := free(filepath.Dir(t.dst))
	if err != nil {
		return err
	}
	if need := t.want.Size - t.done + t.opts.Reserve; have < need {
		return fmt.Errorf("%w: %d bytes are needed, %d are free", ErrNoSpace, need, have)
	}
	return nil
}

func (t *transfer) receive(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := t.opts.Stall
	if stall <= 0 {
		stall = defaultStall
	}
	watchdog := time.AfterFunc(stall, func() { cancel(ErrStalled) })
	defer watchdog.Stop()
	resp, err := t.ask(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer resp.Body.Close()
	buf, looked := make([]byte, bufferSize), t.done
	for {
		watchdog.Reset(stall)
		n, readErr := resp.Body.Read(buf)
		watchdog.Stop() // waiting for the cap is no silence
		if t.done+int64(n) > t.want.Size {
			return fmt.Errorf("%w: more than %d bytes came", ErrSize, t.want.Size)
		}
		if _, err := t.file.Write(buf[:n]); err != nil {
			return err
		}
		_, _ = t.sum.Write(buf[:n]) // a hash never fails
		t.done += int64(n)
		if t.opts.Progress != nil {
			t.opts.Progress(t.done, t.want.Size)
		}
		if t.done-looked >= spaceEvery {
			looked = t.done
			if err := t.space(); err != nil {
				return err
			}
		}
		if err := t.pace(ctx, n); err != nil {
			return interrupted(ctx, err)
		}
		if errors.Is(readErr, io.EOF) && t.done == t.want.Size {
			return nil
		}
		if readErr != nil {
			return interrupted(ctx, readErr)
		}
	}
}

// ask sends the request and settles where the answer begins.
func (t *transfer) ask(ctx context.Context) (*http.Response, error) {
	header := http.Header{"Accept-Encoding": {"identity"}}
	if t.done > 0 {
		header.Set("Range", "bytes="+strconv.FormatInt(t.done, 10)+"-")
		header.Set("If-Range", t.etag)
	}
	resp, err := t.src(ctx, header)
	if err != nil {
		return nil, err
	}
	err = t.begin(resp)
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func (t *transfer) begin(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
		if err := t.restart(); err != nil {
			return err
		}
		return t.remember(resp.Header.Get("ETag"))
	case http.StatusPartialContent:
		expect := fmt.Sprintf("bytes %d-%d/%d", t.done, t.want.Size-1, t.want.Size)
		if got := resp.Header.Get("Content-Range"); got != expect {
			return fmt.Errorf("%w: the depot sent range %.80q instead of %q", ErrSize, got, expect)
		}
		return nil
	case http.StatusRequestedRangeNotSatisfiable:
		return errors.Join(&StatusError{Code: resp.StatusCode}, t.restart())
	default:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // best effort: a date counts as none
		return &StatusError{Code: resp.StatusCode,
			RetryAfter: time.Duration(min(max(seconds, 0), 3600)) * time.Second}
	}
}

// remember keeps a strong ETag beside the partial file; without one the bytes cannot be resumed.
func (t *transfer) remember(etag string) error {
	if etag == "" || strings.HasPrefix(etag, "W/") || len(etag) > maxETag {
		return nil
	}
	return os.WriteFile(etagFile(t.dst), []byte(etag), 0o600)
}

// pace keeps to the cap by waiting after each piece as long as that piece may take.
func (t *transfer) pace(ctx context.Context, n int) error {
	if t.opts.BytesPerSecond <= 0 || n == 0 {
		return nil
	}
	wait := time.NewTimer(time.Duration(int64(n) * int64(time.Second) / t.opts.BytesPerSecond))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
		return nil
	}
}

func (t *transfer) finish() error {
	if t.done != t.want.Size {
		return fmt.Errorf("%w: %d bytes instead of %d", ErrSize, t.done, t.want.Size)
	}
	if got := hex.EncodeToString(t.sum.Sum(nil)); got != t.want.Digest {
		return fmt.Errorf("%w: it is %s, the permit names %s", ErrDigest, got, t.want.Digest)
	}
	if err := t.file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(Part(t.dst), t.dst); err != nil {
		return err
	}
	return atomicfile.Remove(etagFile(t.dst))
}

// interrupted marks what a later call can go on from; a StatusError and a refusal keep their name.
func interrupted(ctx context.Context, err error) error {
	var status *StatusError
	if errors.As(err, &status) || errors.Is(err, ErrSize) || errors.Is(err, syscall.ENOSPC) {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("%w: %w", ErrInterrupted, err)
}

func copyContext(ctx context.Context, w io.Writer, r io.Reader) (int64, error) {
	buf := make([]byte, bufferSize)
	var total int64
	for {
		if err := context.Cause(ctx); err != nil {
			return total, fmt.Errorf("%w: %w", ErrInterrupted, err)
		}
		n, err := r.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return total, werr
		}
		total += int64(n)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// FreeSpace is how many bytes an ordinary user may still write in dir.
func FreeSpace(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("cannot ask for free space: %w", err)
	}
	return int64(min(st.Bavail, 1<<40)) * st.Bsize, nil
}
