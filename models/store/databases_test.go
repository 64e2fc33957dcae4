package store_test

import (
	"testing"

	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

type database struct {
	name  string
	open  func(t testing.TB) *store.Store
	dsn   func(t testing.TB) string
	empty func(t testing.TB) string
}

func databases() []database {
	return []database{
		{"sqlite", storetest.SQLite, sqlitePath, sqlitePath},
		{"postgres", storetest.Postgres, storetest.PostgresDSN, storetest.EmptyPostgresDSN},
	}
}

func sqlitePath(t testing.TB) string {
	t.Helper()
	return "sqlite:" + t.TempDir() + "/hub #1%.db"
}
