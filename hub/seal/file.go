package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ReadKeys reads a key file. It refuses one that others may read. A file that is not there is
// fs.ErrNotExist.
func ReadKeys(path string) ([]Key, error) {
	text, err := readPrivate(path, MaxKeyText)
	if err != nil {
		return nil, fmt.Errorf("cannot read the seal key: %w", err)
	}
	keys, err := ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use the seal key in %s: %w", path, err)
	}
	return keys, nil
}

// CreateKeys makes a key file with one new key, and never replaces one: of two that begin at once,
// both use what the first has written.
func CreateKeys(path string) ([]Key, error) {
	key, err := NewKey()
	if err == nil {
		err = appear(path, []byte(key.Text()+"\n"), func(temp string) error {
			if err := os.Link(temp, path); !errors.Is(err, fs.ErrExist) {
				return err
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make a seal key: %w", err)
	}
	return ReadKeys(path)
}

// WriteKeys replaces a key file, whole or not at all.
func WriteKeys(path string, keys ...Key) error {
	var text strings.Builder
	for _, key := range keys {
		text.WriteString(key.Text() + "\n")
	}
	return replace(path, []byte(text.String()))
}

// ReadFile opens a file that holds one sealed value. A file that is still plain is sealed and
// replaced, and so is one that an older key has sealed.
func (s *Sealer) ReadFile(at Place, path string) ([]byte, error) {
	raw, err := readPrivate(path, 2*maxPlain)
	if err != nil {
		return nil, err
	}
	text, isSealed := string(bytes.TrimSpace(raw)), IsSealed(raw)
	plain, anew := raw, ""
	if isSealed {
		if plain, err = s.Open(at, text); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		anew, err = s.Rewrap(text)
	} else {
		anew, err = s.Seal(at, raw)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if anew == text {
		return plain, nil
	}
	return plain, replace(path, []byte(anew+"\n"))
}

// CreateFile seals a value into a new file, and never replaces one.
func (s *Sealer) CreateFile(at Place, path string, plain []byte) error {
	text, err := s.Seal(at, plain)
	if err != nil {
		return err
	}
	return appear(path, []byte(text+"\n"), func(temp string) error {
		if err := os.Link(temp, path); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// WriteFile seals a value into a file, whole or not at all.
func (s *Sealer) WriteFile(at Place, path string, plain []byte) error {
	text, err := s.Seal(at, plain)
	if err != nil {
		return err
	}
	return replace(path, []byte(text+"\n"))
}

// IsSealed says whether a stored text is a sealed one.
func IsSealed(text []byte) bool { return bytes.HasPrefix(text, []byte(Prefix)) }

func readPrivate(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s may be read by others; make it 0600", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, most)
	}
	return text, nil
}

func replace(path string, content []byte) error {
	return appear(path, content, func(temp string) error { return os.Rename(temp, path) })
}

// appear writes a private file that is there whole or not at all, also after a power cut.
func appear(path string, content []byte, place func(temp string) error) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".seal-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := place(temp.Name()); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
