package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"

	// the hub's own driver, for its database file
	_ "github.com/mattn/go-sqlite3"
)

// dropGuard takes the index of R16 out of a hub's database, so that the mutant has no guard left.
func dropGuard(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("cannot find the hub's database in %s: %v", dir, files)
	}
	db, err := sql.Open("sqlite3", files[0]+"?_busy_timeout=5000")
	if err != nil {
		return fmt.Errorf("cannot open the hub's database: %w", err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "DROP INDEX one_open_permit"); err != nil {
		return fmt.Errorf("cannot take the guard out: %w", err)
	}
	return nil
}
