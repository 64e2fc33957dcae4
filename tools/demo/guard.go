package main

import (
	"context"
	"fmt"

	// the hub's own driver, for its database file
	_ "github.com/mattn/go-sqlite3"
)

// dropGuard takes the index of R16 out of a hub's database, so that the mutant has no guard left.
func dropGuard(ctx context.Context, dir string) error {
	db, err := openHub(dir)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "DROP INDEX one_open_permit"); err != nil {
		return fmt.Errorf("cannot take the guard out: %w", err)
	}
	return nil
}
