package download

import (
	"fmt"

	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/repository"
	"connecthub/nodeclient/control/settings"
)

// OtherKind says whether the software here was downloaded for the other choice than stands now.
func OtherKind(dir string, store *settings.Store) (bool, error) {
	config, cat, err := kinds(dir, store)
	return err == nil && config.Configured() && cat.Restricted != config.Restricted, err
}

func kinds(dir string, store *settings.Store) (repository.Config, catalogue.Catalogue, error) {
	config, _, err := repository.Load(store)
	if err != nil {
		return config, catalogue.Catalogue{}, err
	}
	cat, err := catalogue.Read(dir)
	return config, cat, err
}

// DropOtherKind removes the software of the export kind that is not chosen any more, as after each start
// of the agent: nobody installs it while the next download waits, or fails. It answers how many files
// went. Whoever calls it holds the gate.
func DropOtherKind(dir string, store *settings.Store) (int, error) {
	config, cat, err := kinds(dir, store)
	if err != nil || !config.Configured() || cat.Restricted == config.Restricted {
		return 0, err
	}
	var stay []repository.File
	for _, f := range cat.Files {
		if f.Restricted == config.Restricted {
			stay = append(stay, repository.File{Path: f.Path, Product: f.Product, Version: f.Version, Notes: f.Notes,
				Restricted: f.Restricted, Size: f.Size, SHA256: f.SHA256, Modified: f.Published})
		}
	}
	e := &engine{Options: Options{Dir: dir, Log: logs.To(dir, logs.Download)},
		cat: catalogue.Catalogue{Repository: cat.Repository, Restricted: config.Restricted, Files: cat.Files}}
	if _, err := e.settle(stay); err != nil {
		return 0, fmt.Errorf("cannot remove software of the other export kind: %w", err)
	}
	return e.status.Removed, nil
}
