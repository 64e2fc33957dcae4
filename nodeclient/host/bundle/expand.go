package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"connecthub/models/manifest"
)

// Values are what a node fills into a manifest: given at set-up, never by the hub.
type Values struct {
	FQDN    string            `json:"fqdn"`
	DataDir string            `json:"data_dir"`
	Ports   map[string]int    `json:"ports"`
	Config  map[string]string `json:"config,omitempty"`
}

// Expand fills the node's values into text. It refuses a name that the node was not given.
func (v Values) Expand(text, slotDir string) (string, error) {
	return manifest.Expand(text, func(kind, name string) (string, error) {
		switch kind {
		case "NODE_FQDN":
			return v.FQDN, nil
		case "DATA_DIR":
			return v.DataDir, nil
		case "SLOT_DIR":
			return slotDir, nil
		case "PORT":
			port, err := v.Port(name)
			return strconv.Itoa(port), err
		case "CONFIG":
			value, ok := v.Config[name]
			if !ok {
				return "", fmt.Errorf("this node was given no value for %q; set it with nodeclient setup",
					name)
			}
			return value, nil
		default:
			panic("unknown template " + kind)
		}
	})
}

// Port is the number this node was given for a named port.
func (v Values) Port(name string) (int, error) {
	port, ok := v.Ports[name]
	if !ok || port < 1 || port > 65535 {
		return 0, fmt.Errorf("this node was given no port for %q; set it with nodeclient setup", name)
	}
	return port, nil
}

// Check refuses a manifest that names a port or a value this node was not given. It is asked before
// anything is disturbed.
func (v Values) Check(m Manifest) error {
	for _, s := range m.Services {
		for _, p := range s.Ports {
			if _, err := v.Port(p); err != nil {
				return err
			}
		}
		texts := slices.Concat(s.Command, slices.Collect(maps.Values(s.Environment)), s.Health.Command)
		if s.Drain != nil {
			texts = append(texts, s.Drain.Command...)
		}
		for _, text := range texts {
			if _, err := v.Expand(text, "/"); err != nil {
				return err
			}
		}
	}
	return nil
}
