package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"connecthub/nodeclient/atomicfile"
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
	return atomicfile.Write(filepath.Join(dir, valuesFile), raw, 0o600)
}
