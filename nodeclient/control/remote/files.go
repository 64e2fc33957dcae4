package remote

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode"

	"github.com/pkg/sftp"
)

const maxPath = 1024

// Directory checks a directory on a server: UNIX form, absolute, without the file's name.
func Directory(dir, file string) (string, error) {
	switch {
	case !strings.HasPrefix(dir, "/") || strings.Contains(dir, `\`) || len(dir) > maxPath ||
		strings.ContainsFunc(dir, unicode.IsControl):
		return "", errors.New("give the SFTP directory in UNIX form, from the root: " +
			"/voice/ipcc/Enterprise/Orchestration")
	case path.Base(dir) == file:
		return "", fmt.Errorf("give the directory only: the file is always %s", file)
	}
	return path.Clean(dir), nil
}

// Read answers a file of at most limit bytes.
func (s *Session) Read(dir, file string, limit int64) ([]byte, error) {
	if err := s.isDir(dir); err != nil {
		return nil, err
	}
	name := path.Join(dir, file)
	info, err := s.files.Stat(name)
	if err != nil {
		return nil, s.explain(err, ErrNoFile)
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotAFile
	}
	if info.Size() > limit {
		return nil, ErrTooLarge
	}
	f, err := s.files.Open(name)
	if err != nil {
		return nil, s.explain(err, ErrNoFile)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, s.explain(err, ErrNoFile)
	}
	if int64(len(text)) > limit {
		return nil, ErrTooLarge
	}
	return text, nil
}

// Write replaces a file whole where the server can rename over it; what others read there meanwhile is
// the former one.
func (s *Session) Write(dir, file string, text []byte) error {
	if err := s.isDir(dir); err != nil {
		return err
	}
	part := path.Join(dir, "."+file+"-"+rand.Text()+".part")
	f, err := s.files.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return s.explain(err, ErrNoDirectory)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = rename(s.files, part, path.Join(dir, file))
	}
	if err != nil {
		_ = s.files.Remove(part)
		return s.explain(err, ErrNoDirectory)
	}
	return nil
}

func rename(files *sftp.Client, from, to string) error {
	if _, ok := files.HasExtension("posix-rename@openssh.com"); ok {
		return files.PosixRename(from, to)
	}
	if err := files.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return files.Rename(from, to)
}

func (s *Session) isDir(dir string) error {
	info, err := s.files.Stat(dir)
	if err != nil {
		return s.explain(err, ErrNoDirectory)
	}
	if !info.IsDir() {
		return ErrNoDirectory
	}
	return nil
}

func (s *Session) explain(err, missing error) error {
	var status *sftp.StatusError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing
	case errors.Is(err, fs.ErrPermission):
		return ErrDenied
	case errors.As(err, &status):
		return fmt.Errorf("%w (SFTP status %d)", ErrFailed, status.Code)
	}
	return explain(s.ctx, err, ErrFailed)
}
