package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/pkg/sftp"
)

const (
	// packets may arrive out of their order up to this far: a copy that was cut goes on that much earlier.
	copyWindow  = 4 << 20
	copyPackets = 128
	partSuffix  = ".part"
)

// Upload is a file that goes to a machine.
type Upload struct {
	Local  string // its path here
	Remote string // its path there, in UNIX form
	SHA256 string // what it must be, in hexadecimal
	Size   int64
	// Progress is told how much is there, now and then; it may be nil.
	Progress func(done int64)
	// Verify answers the digest of a file there; nil reads it back.
	Verify func(ctx context.Context, remote string) (string, error)
}

// Copy puts a file on the machine: to Remote.part first, going on where an earlier copy was cut, then
// verified, then renamed. What is there under its name is complete. It sends nothing where the file is
// there already.
func (c *Client) Copy(ctx context.Context, u Upload) error {
	stop := c.bound(ctx)
	defer stop()
	files, err := c.sftp()
	if err != nil {
		return c.explain(ctx, err)
	}
	if u.Verify == nil {
		u.Verify = c.readBack
	}
	if info, err := files.Stat(u.Remote); err == nil && info.Size() == u.Size {
		if sum, err := u.Verify(ctx, u.Remote); err == nil && sum == u.SHA256 {
			return nil
		}
	}
	part := u.Remote + partSuffix
	err = c.send(ctx, files, u, part, true)
	if errors.Is(err, ErrDigest) { // what was there of it was something else
		err = c.send(ctx, files, u, part, false)
	}
	if err != nil {
		return err
	}
	return c.explainFile(ctx, rename(files, part, u.Remote))
}

func (c *Client) sftp() (*sftp.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		files, err := sftp.NewClient(c.conn, sftp.UseConcurrentWrites(true),
			sftp.MaxConcurrentRequestsPerFile(copyPackets))
		if err != nil {
			return nil, err
		}
		c.files = files
	}
	return c.files, nil
}

// send writes what is missing of the part and verifies all of it.
func (c *Client) send(ctx context.Context, files *sftp.Client, u Upload, part string, resume bool) error {
	local, err := os.Open(u.Local)
	if err != nil {
		return fmt.Errorf("cannot read what is to be sent: %w", err)
	}
	defer local.Close()
	from, flags := int64(0), os.O_WRONLY|os.O_CREATE
	if info, err := files.Stat(part); err == nil && resume && info.Size() <= u.Size {
		from = max(0, info.Size()-copyWindow)
	} else {
		flags |= os.O_TRUNC
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, local, from); err != nil {
		return fmt.Errorf("cannot read what is to be sent: %w", err)
	}
	if err := room(files, part, u.Size-from); err != nil {
		return err
	}
	there, err := files.OpenFile(part, flags)
	if err != nil {
		return c.explainFile(ctx, err)
	}
	_, err = there.Seek(from, io.SeekStart)
	if err == nil {
		_, err = there.ReadFrom(&counting{file: local, sum: sum, left: u.Size - from, total: u.Size,
			progress: u.Progress})
	}
	err = errors.Join(err, there.Close())
	if err != nil {
		if full := room(files, part, 0); full != nil {
			return full
		}
		return c.explainFile(ctx, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != u.SHA256 {
		_ = files.Remove(part)
		return errors.New("cannot send the file: it is not what it was when it was downloaded")
	}
	got, err := u.Verify(ctx, part)
	if err != nil {
		return err
	}
	if got != u.SHA256 {
		_ = files.Remove(part)
		return ErrDigest
	}
	return nil
}

// counting is a local file that is hashed and counted while it is sent.
type counting struct {
	file        io.Reader
	sum         hash.Hash
	left, total int64
	progress    func(int64)
}

// Size is what is left to send: the library sends that much at the same time.
func (r *counting) Size() int64 { return r.left }

// Read hashes what it reads.
func (r *counting) Read(b []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n, err := r.file.Read(b[:min(int64(len(b)), r.left)])
	_, _ = r.sum.Write(b[:n])
	r.left -= int64(n)
	if r.progress != nil {
		r.progress(r.total - r.left)
	}
	if err == io.EOF && r.left > 0 { //nolint:errorlint // a reader answers io.EOF itself
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// readBack is the digest of a file there, from its bytes.
func (c *Client) readBack(ctx context.Context, name string) (string, error) {
	files, err := c.sftp()
	if err != nil {
		return "", c.explain(ctx, err)
	}
	f, err := files.Open(name)
	if err != nil {
		return "", c.explainFile(ctx, err)
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := f.WriteTo(sum); err != nil {
		return "", c.explainFile(ctx, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Remove takes a file away; one that is gone already is no error.
func (c *Client) Remove(ctx context.Context, name string) error {
	stop := c.bound(ctx)
	defer stop()
	files, err := c.sftp()
	if err != nil {
		return c.explain(ctx, err)
	}
	if err := files.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c.explainFile(ctx, err)
	}
	return nil
}

// MakeDir makes a folder with those above it.
func (c *Client) MakeDir(ctx context.Context, name string) error {
	stop := c.bound(ctx)
	defer stop()
	files, err := c.sftp()
	if err != nil {
		return c.explain(ctx, err)
	}
	return c.explainFile(ctx, files.MkdirAll(name))
}

func (c *Client) explainFile(ctx context.Context, err error) error {
	var status *sftp.StatusError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil || c.ctx.Err() != nil:
		return c.explain(ctx, err)
	case errors.Is(err, fs.ErrNotExist):
		return ErrNoDirectory
	case errors.Is(err, fs.ErrPermission):
		return ErrDenied
	case errors.As(err, &status):
		return fmt.Errorf("%w (SFTP status %d)", ErrFailed, status.Code)
	}
	return c.explain(ctx, err)
}

// room tells a full disk from other failures: SFTP version 3 has no code for it. A server that cannot
// say how much room it has is believed to have enough.
func room(files *sftp.Client, name string, need int64) error {
	vfs, err := files.StatVFS(path.Dir(name))
	if err == nil && vfs.Frsize > 0 && vfs.Bavail < uint64(max(need, 1))/vfs.Frsize+1 {
		return ErrDiskFull
	}
	return nil
}
