package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"connecthub/nodeclient/host/bundle"
)

const (
	valuesFile = "values.json"
	maxValues  = 64 << 10
)

// LoadValues reads what the node was given at set-up for its bundles.
func LoadValues(dir string) (bundle.Values, error) {
	f, err := os.Open(filepath.Join(dir, valuesFile))
	if err != nil {
		return bundle.Values{}, fmt.Errorf("cannot read the node's values: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxValues+1))
	if err != nil {
		return bundle.Values{}, fmt.Errorf("cannot read the node's values: %w", err)
	}
	if len(raw) > maxValues {
		return bundle.Values{}, fmt.Errorf("cannot read the node's values: more than %d bytes", maxValues)
	}
	var v bundle.Values
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return bundle.Values{}, fmt.Errorf("cannot read the node's values: %w", err)
	}
	return v, nil
}

// SaveValues keeps the values where agent and supervisor read them.
func SaveValues(dir string, v bundle.Values) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the node's values: %w", err)
	}
	return WriteFile(filepath.Join(dir, valuesFile), raw, 0o600)
}

// WriteFile replaces a small file whole: temporary file, sync, rename, sync of the folder.
func WriteFile(name string, data []byte, mode os.FileMode) error {
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Base(name), err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Base(name), err)
	}
	return bundle.SyncDir(filepath.Dir(name))
}
