package vos

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/sys/unix"

	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/vosapi"
)

const (
	partSuffix   = ".part"
	noteSuffix   = ".json"
	maxAnnounced = 16
	staleAfter   = 7 * 24 * time.Hour
	measureEvery = 8 << 20
)

// announced is a file that was asked for; nothing else can be written.
type announced struct {
	Size int64     `json:"size"`
	Time time.Time `json:"time"`
}

func (m *Machine) file(d vosapi.Digest, suffix string) string {
	return m.path(incomingDir, string(d)+suffix)
}

// put announces a file. It refuses what the disk has no room for.
func (m *Machine) put(f vosapi.File) (vosapi.Put, error) {
	unlock, err := lock(m.path("incoming.lock"), unix.LOCK_EX)
	if err != nil {
		return vosapi.Put{}, err
	}
	defer unlock()
	if err := m.tidy(f.SHA256); err != nil {
		return vosapi.Put{}, err
	}
	there := int64(0)
	for _, suffix := range []string{"", partSuffix} {
		if info, err := os.Stat(m.file(f.SHA256, suffix)); err == nil {
			there = info.Size()
			break
		}
	}
	if there > f.Size {
		m.drop(f.SHA256)
		there = 0
	}
	room, err := m.room()
	if err != nil {
		return vosapi.Put{}, err
	}
	if room < f.Size-there {
		return vosapi.Put{}, &vosapi.Refusal{Code: vosapi.NoSpace,
			Detail: fmt.Sprintf("%d bytes are free, %d are needed", room, f.Size-there)}
	}
	err = atomicfile.WriteJSON(m.file(f.SHA256, noteSuffix), announced{f.Size, m.now().UTC()})
	return vosapi.Put{Path: "/" + string(f.SHA256), Offset: there}, err
}

// tidy removes what was announced long ago and never used.
func (m *Machine) tidy(but vosapi.Digest) error {
	entries, err := os.ReadDir(m.path(incomingDir))
	if err != nil {
		return fmt.Errorf("cannot list what has arrived: %w", err)
	}
	others := 0
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), noteSuffix)
		d := vosapi.Digest(name)
		if !ok || !d.Valid() || d == but {
			continue
		}
		if a, err := m.announcement(d); err != nil || m.now().Sub(a.Time) > staleAfter {
			m.drop(d)
			continue
		}
		others++
	}
	if others >= maxAnnounced {
		return &vosapi.Refusal{Code: vosapi.NoSpace, Detail: "too many files wait to be installed"}
	}
	return nil
}

func (m *Machine) announcement(d vosapi.Digest) (announced, error) {
	var a announced
	err := atomicfile.ReadJSON(m.file(d, noteSuffix), 1<<10, &a)
	if errors.Is(err, os.ErrNotExist) {
		return a, &vosapi.Refusal{Code: vosapi.NoFile}
	}
	return a, err
}

// drop forgets a file, the note last.
func (m *Machine) drop(d vosapi.Digest) {
	for _, suffix := range []string{"", partSuffix, noteSuffix} {
		_ = os.Remove(m.file(d, suffix))
	}
}

// putDone verifies what has arrived. What is not what was announced is removed.
func (m *Machine) putDone(ctx context.Context, f vosapi.File) (vosapi.Put, error) {
	a, err := m.announcement(f.SHA256)
	if err != nil {
		return vosapi.Put{}, err
	}
	name := m.file(f.SHA256, "")
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
		name = m.file(f.SHA256, partSuffix)
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return vosapi.Put{}, &vosapi.Refusal{Code: vosapi.Incomplete, Detail: "0"}
	case err != nil:
		return vosapi.Put{}, fmt.Errorf("cannot look at what has arrived: %w", err)
	case info.Size() < a.Size:
		return vosapi.Put{}, &vosapi.Refusal{Code: vosapi.Incomplete, Detail: fmt.Sprint(info.Size())}
	}
	got, err := digestOf(ctx, name)
	if err != nil {
		return vosapi.Put{}, err
	}
	if got != f.SHA256 || info.Size() != a.Size {
		m.drop(f.SHA256)
		return vosapi.Put{}, &vosapi.Refusal{Code: vosapi.WrongDigest}
	}
	if err := os.Rename(name, m.file(f.SHA256, "")); err != nil {
		return vosapi.Put{}, fmt.Errorf("cannot keep what has arrived: %w", err)
	}
	return vosapi.Put{Offset: a.Size}, atomicfile.SyncDir(m.path(incomingDir))
}

func digestOf(ctx context.Context, name string) (vosapi.Digest, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("cannot read what has arrived: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return "", fmt.Errorf("cannot keep what has arrived: %w", err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, &until{ctx, f}); err != nil {
		return "", fmt.Errorf("cannot read what has arrived: %w", err)
	}
	return vosapi.Digest(hex.EncodeToString(sum.Sum(nil))), nil
}

// until ends a long reading with its context.
type until struct {
	ctx context.Context
	r   io.Reader
}

// Read reads while the context lasts.
func (u *until) Read(b []byte) (int, error) {
	if err := context.Cause(u.ctx); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}

// serveFiles speaks SFTP. There is one folder; what was announced can be written, read, completed and
// removed there, and nothing else exists.
func (m *Machine) serveFiles(ctx context.Context, stream io.ReadWriteCloser) error {
	h := &folder{m}
	server := sftp.NewRequestServer(stream, sftp.Handlers{FileGet: h, FilePut: h, FileCmd: h, FileList: h},
		sftp.WithRSAllocator())
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve()
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	return err
}

type folder struct{ m *Machine }

// name takes apart what a client calls a file; nothing leads out of the one folder.
func (folder) name(path string) (vosapi.Digest, bool, error) {
	name, part := strings.CutSuffix(strings.TrimPrefix(path, "/"), partSuffix)
	d := vosapi.Digest(name)
	if !d.Valid() {
		return "", false, sftp.ErrSSHFxNoSuchFile
	}
	return d, part, nil
}

func (f folder) local(path string) (string, error) {
	d, part, err := f.name(path)
	if err != nil {
		return "", err
	}
	if part {
		return f.m.file(d, partSuffix), nil
	}
	return f.m.file(d, ""), nil
}

// Fileread lets a client read back what it has sent.
func (f folder) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	name, err := f.local(r.Filepath)
	if err != nil {
		return nil, err
	}
	return os.Open(name)
}

// Filewrite writes the missing part of a file that was announced, and not one byte more.
func (f folder) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	d, part, err := f.name(r.Filepath)
	if err != nil {
		return nil, err
	}
	if !part {
		return nil, sftp.ErrSSHFxPermissionDenied
	}
	a, err := f.m.announcement(d)
	if err != nil {
		return nil, sftp.ErrSSHFxPermissionDenied
	}
	flags, pflags := os.O_WRONLY|os.O_CREATE, r.Pflags()
	if pflags.Trunc {
		flags |= os.O_TRUNC
	}
	if pflags.Excl {
		flags |= os.O_EXCL
	}
	file, err := os.OpenFile(f.m.file(d, partSuffix), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return &arriving{File: file, limit: a.Size, room: f.m.room}, nil
}

// arriving is a file that stays within what was announced, and leaves the disk what must stay free.
type arriving struct {
	*os.File
	limit int64
	room  func() (int64, error)

	mu      sync.Mutex
	allowed int64 // bytes that may come before the disk is measured again
}

// WriteAt refuses what exceeds the announcement or the disk.
func (a *arriving) WriteAt(b []byte, at int64) (int, error) {
	if at < 0 || at > a.limit-int64(len(b)) {
		return 0, sftp.ErrSSHFxPermissionDenied
	}
	if err := a.measure(int64(len(b))); err != nil {
		return 0, err
	}
	return a.File.WriteAt(b, at)
}

func (a *arriving) measure(n int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.allowed < n {
		room, err := a.room()
		if err != nil {
			return err
		}
		if room < n {
			return unix.ENOSPC
		}
		a.allowed = min(room, measureEvery)
	}
	a.allowed -= n
	return nil
}

// Filecmd completes a file or removes one; times and modes are taken and forgotten.
func (f folder) Filecmd(r *sftp.Request) error {
	switch r.Method {
	case "Setstat":
		if r.AttrFlags().Size {
			return sftp.ErrSSHFxPermissionDenied
		}
		_, err := f.local(r.Filepath)
		return err
	case "Remove":
		name, err := f.local(r.Filepath)
		if err != nil {
			return err
		}
		return os.Remove(name)
	case "Rename", "PosixRename":
		return f.complete(r.Filepath, r.Target)
	}
	return sftp.ErrSSHFxOpUnsupported
}

// PosixRename is Rename: a file has one name only.
func (f folder) PosixRename(r *sftp.Request) error { return f.complete(r.Filepath, r.Target) }

func (f folder) complete(from, to string) error {
	d, part, err := f.name(from)
	if err != nil {
		return err
	}
	other, otherPart, err := f.name(to)
	if err != nil {
		return err
	}
	if d != other || !part || otherPart {
		return sftp.ErrSSHFxPermissionDenied
	}
	err = os.Rename(f.m.file(d, partSuffix), f.m.file(d, ""))
	if errors.Is(err, os.ErrNotExist) { // PutDone has completed it
		_, err = os.Stat(f.m.file(d, ""))
	}
	return err
}

// StatVFS says how much room there is for files, which is less than the disk has.
func (f folder) StatVFS(*sftp.Request) (*sftp.StatVFS, error) {
	room, err := f.m.room()
	if err != nil {
		return nil, err
	}
	const block = 4096
	n := uint64(room) / block
	return &sftp.StatVFS{Bsize: block, Frsize: block, Blocks: n, Bfree: n, Bavail: n, Namemax: 255}, nil
}

// Filelist shows the folder and what is in it.
func (f folder) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Filepath == "/" || r.Filepath == "." {
		info, err := os.Stat(f.m.path(incomingDir))
		if err != nil || r.Method == "Stat" {
			return infos{info}, err
		}
		return f.all()
	}
	name, err := f.local(r.Filepath)
	if err != nil {
		return nil, err
	}
	if r.Method != "Stat" {
		return nil, sftp.ErrSSHFxOpUnsupported
	}
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	return infos{info}, nil
}

func (f folder) all() (infos, error) {
	entries, err := os.ReadDir(f.m.path(incomingDir))
	if err != nil {
		return nil, err
	}
	var all infos
	for _, e := range entries {
		if _, err := f.local("/" + filepath.Base(e.Name())); err != nil {
			continue
		}
		if info, err := e.Info(); err == nil {
			all = append(all, info)
		}
	}
	return all, nil
}

type infos []os.FileInfo

// ListAt answers a part of the list.
func (l infos) ListAt(to []os.FileInfo, from int64) (int, error) {
	if from >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(to, l[from:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}
