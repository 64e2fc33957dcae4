package replica

import (
	"encoding/json"
	"fmt"
	"time"

	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/settings"
)

// Parts are the things of a node's folder that replicate. The application user is none of them: each node's
// page has its own, and a password's hash does not leave its machine.
func Parts(dir string, now func() time.Time) []Part {
	documents, store := settings.Open(dir, now), machines.Open(dir, now)
	pins := remote.OpenPins(dir, now)
	return []Part{
		{Name: Settings,
			Give: func() (any, error) { return documents.Snapshot() },
			Take: taken(func(docs []settings.Document) error {
				_, err := documents.Adopt(docs)
				return err
			})},
		{Name: Inventory,
			Give: func() (any, error) { return versions(store) },
			Take: taken(store.Adopt)},
		{Name: HostKeys,
			Give: func() (any, error) { return pins.Own() },
			Take: taken(pins.Adopt)},
	}
}

// versions are what is kept, the oldest first.
func versions(s *machines.Store) ([]machines.Version, error) {
	all, err := s.Versions()
	ordered := make([]machines.Version, 0, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		ordered = append(ordered, all[i])
	}
	return ordered, err
}

// taken reads a body as what take wants.
func taken[T any](take func(T) error) func(json.RawMessage) error {
	return func(body json.RawMessage) error {
		var v T
		if err := json.Unmarshal(body, &v); err != nil {
			return fmt.Errorf("cannot read it: %w", err)
		}
		return take(v)
	}
}
