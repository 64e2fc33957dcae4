package bundle

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Build writes the bundle of a folder that holds a manifest.json. The same files give the same
// bytes: names are sorted, owners and times are zero. It refuses what Extract would refuse.
func Build(dir string, out io.Writer) (Manifest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Manifest{}, fmt.Errorf("cannot open bundle folder: %w", err)
	}
	defer root.Close()
	raw, err := root.ReadFile(ManifestName)
	if err != nil {
		return Manifest{}, fmt.Errorf("cannot read the manifest: %w", err)
	}
	m, err := ParseManifest(raw)
	if err != nil {
		return Manifest{}, err
	}
	if err := checkCommands(m, root.Stat); err != nil {
		return Manifest{}, err
	}
	enc, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow/2))
	if err != nil {
		return Manifest{}, fmt.Errorf("cannot compress: %w", err)
	}
	tw := tar.NewWriter(enc)
	if err := addAll(tw, root); err != nil {
		return Manifest{}, err
	}
	if err := tw.Close(); err != nil {
		return Manifest{}, fmt.Errorf("cannot write bundle: %w", err)
	}
	if err := enc.Close(); err != nil {
		return Manifest{}, fmt.Errorf("cannot write bundle: %w", err)
	}
	return m, nil
}

func addAll(tw *tar.Writer, root *os.Root) error {
	var names []string
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." || name == ManifestName {
			return err
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return refuse("%s is neither a file nor a folder", name)
		}
		names = append(names, filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot list bundle folder: %w", err)
	}
	slices.Sort(names)
	for _, name := range slices.Concat([]string{ManifestName}, names) {
		if err := add(tw, root, name); err != nil {
			return err
		}
	}
	return nil
}

func add(tw *tar.Writer, root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	hdr := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: int64(info.Mode().Perm()),
		Size: info.Size(), Format: tar.FormatPAX, ModTime: time.Unix(0, 0)}
	if info.IsDir() {
		hdr.Typeflag, hdr.Size = tar.TypeDir, 0
	}
	if err := checkHeader(hdr); err != nil {
		return err
	}
	hdr.Mode = int64(mode(hdr))
	if info.IsDir() {
		hdr.Name += "/"
	}
	if err := tw.WriteHeader(hdr); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	if info.IsDir() {
		return nil
	}
	if _, err := io.Copy(tw, io.LimitReader(f, hdr.Size)); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}
