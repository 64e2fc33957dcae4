// Package migrations holds the schema as numbered files, one folder per dialect, embedded in the
// binary. It knows neither the nouns nor how a file is run.
package migrations

import "embed"

// Files holds sqlite/000N_*.sql and postgres/000N_*.sql. Files are forward only, run each in one
// transaction, and never change once committed: checksums.txt is compared in a test.
//
//go:embed sqlite/*.sql postgres/*.sql checksums.txt
var Files embed.FS
