package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"connecthub/hub/audit"
	"connecthub/hub/depot"
	"connecthub/hub/identity"
	"connecthub/hub/oidc"
	"connecthub/hub/seal"
	"connecthub/hub/software"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/server/config"
)

// hub is what the commands and the service share: the data of one hub, open.
type hub struct {
	store    *store.Store
	identity *identity.Identity
	depot    *depot.Depot
	seal     *seal.Sealer
	software *software.Software
	oidc     *oidc.OIDC   // only while the hub serves
	audit    *audit.Audit // only while the hub serves
}

// openStore opens the database of the settings. It does not migrate.
func openStore(ctx context.Context, c config.Config, now func() time.Time, log *slog.Logger) (
	*store.Store, error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the data directory: %w", err)
	}
	dsn := c.DSN
	if c.DSNFile != "" {
		text, err := os.ReadFile(c.DSNFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read the DSN: %w", err)
		}
		dsn = strings.TrimSpace(string(text))
	}
	if dsn == "" {
		dsn = "sqlite:" + c.Database()
	}
	s, err := store.Open(ctx, store.Options{DSN: dsn, Now: now, Log: log})
	if err != nil {
		return nil, fmt.Errorf("cannot open the database: %w", err)
	}
	return s, nil
}

// openHub opens the data of a hub in the form of this version. The default database brings itself
// there; any other only where the settings say so.
func openHub(ctx context.Context, c config.Config, now func() time.Time, log *slog.Logger) (
	*hub, error) {
	s, err := openStore(ctx, c, now, log)
	if err != nil {
		return nil, err
	}
	h, err := fill(ctx, s, c, now, log)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return h, nil
}

func fill(ctx context.Context, s *store.Store, c config.Config, now func() time.Time,
	log *slog.Logger) (*hub, error) {
	if c.Embedded() || c.Migrate {
		from, to, err := s.Migrate(ctx)
		if err != nil {
			return nil, fmt.Errorf("cannot migrate the database: %w", err)
		}
		if from != to {
			log.InfoContext(ctx, "database migrated", "from", from, "to", to)
		}
	} else if err := s.CheckSchema(ctx); err != nil {
		return nil, fmt.Errorf("cannot use the database (\"server migrate\" changes its form): %w",
			err)
	}
	sealer, err := openSealer(ctx, c, s)
	if err != nil {
		return nil, err
	}
	d, err := depot.New(depot.Options{Dir: c.Bundles(), Store: s, Now: now, Log: log})
	if err != nil {
		return nil, err
	}
	offered, err := software.New(software.Options{Dir: c.SoftwareFiles(), Store: s, Now: now, Log: log})
	if err != nil {
		return nil, err
	}
	people := identity.New(identity.Options{Store: s, Now: now, Log: log, PublicURL: c.Public()})
	if err := people.EnsureVendor(ctx, itself()); err != nil {
		return nil, err
	}
	err = s.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Hub().InitHubState(now().UTC())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot name the hub: %w", err)
	}
	return &hub{store: s, depot: d, identity: people, seal: sealer, software: offered}, nil
}

// itself is the hub as the one who acts.
func itself() models.Actor { return models.Actor{Kind: models.ActorHub, Name: "hub"} }
