package bundle

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"connecthub/nodeclient/atomicfile"
)

// Extract unpacks a bundle into dest, which must not exist, and returns when every file and folder
// is on stable storage. It refuses links, devices, names that lead outside and whatever exceeds
// limits. After an error dest is incomplete: the caller removes it.
func Extract(ctx context.Context, r io.Reader, dest string, limits Limits) (Manifest, error) {
	if err := os.Mkdir(dest, 0o755); err != nil {
		return Manifest{}, fmt.Errorf("cannot make slot folder: %w", err)
	}
	root, err := os.OpenRoot(dest)
	if err != nil {
		return Manifest{}, fmt.Errorf("cannot open slot folder: %w", err)
	}
	defer root.Close()
	x := extraction{root: root, folders: map[string]bool{".": true}, buf: make([]byte, copyBuffer)}
	sum, err := walk(ctx, r, limits, x.visit)
	if err != nil {
		return Manifest{}, err
	}
	if err := checkCommands(sum.Manifest, root.Stat); err != nil {
		return Manifest{}, err
	}
	if err := x.syncFolders(); err != nil {
		return Manifest{}, err
	}
	return sum.Manifest, atomicfile.SyncDir(filepath.Dir(dest))
}

type extraction struct {
	root    *os.Root
	folders map[string]bool
	buf     []byte
}

func (x *extraction) visit(hdr *tar.Header, body io.Reader) (int64, error) {
	if hdr.Typeflag == tar.TypeDir {
		return 0, x.folder(hdr.Name)
	}
	if err := x.folder(path.Dir(hdr.Name)); err != nil {
		return 0, err
	}
	f, err := x.root.OpenFile(hdr.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode(hdr))
	if err != nil {
		return 0, fmt.Errorf("cannot unpack %s: %w", hdr.Name, err)
	}
	// Only Write: *os.File's ReadFrom would fall back to a buffer of its own for each file.
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{body}, x.buf)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return n, fmt.Errorf("cannot unpack %s: %w", hdr.Name, err)
	}
	return n, nil
}

func (x *extraction) folder(name string) error {
	if x.folders[name] {
		return nil
	}
	if err := x.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := x.root.Mkdir(name, 0o755); err != nil {
		return fmt.Errorf("cannot unpack %s: %w", name, err)
	}
	x.folders[name] = true
	return nil
}

func (x *extraction) syncFolders() error {
	for name := range x.folders {
		f, err := x.root.Open(name)
		if err != nil {
			return fmt.Errorf("cannot open %s: %w", name, err)
		}
		err = f.Sync()
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("cannot sync %s: %w", name, err)
		}
	}
	return nil
}

// checkCommands refuses a manifest whose commands are not executable files of the bundle.
func checkCommands(m Manifest, stat func(string) (fs.FileInfo, error)) error {
	for _, s := range m.Services {
		argv := [][]string{s.Command, s.Health.Command}
		if s.Drain != nil {
			argv = append(argv, s.Drain.Command)
		}
		for _, words := range slices.DeleteFunc(argv, func(w []string) bool { return len(w) == 0 }) {
			info, err := stat(words[0])
			if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
				return refuse("service %s: %s is no executable file of the bundle", s.Name, words[0])
			}
		}
	}
	return nil
}
