package storetest

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the store brings the other driver
)

// Tables reads every table of a hub's database without the hub's code, as a thief would.
type Tables struct {
	t      testing.TB
	sql    *sql.DB
	stamp  string              // a query whose answer changes with every commit of anybody else
	owned  []string            // tables with a column organization_id
	others []string            // the other tables
	fields map[string][]string // by table
}

// restless are columns that change when a request is merely heard, or when the hub signs where the
// audit log stands.
func restless(column string) bool {
	return slices.Contains([]string{"last_used_at", "last_signed_in_at", "checkpoints"}, column)
}

// ReadTables opens the database of a DSN for reading.
func ReadTables(t testing.TB, dsn string) *Tables {
	t.Helper()
	stamp := "SELECT pg_current_wal_insert_lsn()::text"
	driver, query := "pgx", `SELECT table_name, column_name FROM information_schema.columns
		WHERE table_schema = 'public' ORDER BY 1, 2`
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite3", "file:"+path+"?mode=ro&_busy_timeout=5000"
		stamp = "PRAGMA data_version"
		query = `SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1, 2`
	}
	opened, err := sql.Open(driver, dsn)
	must(t, err)
	t.Cleanup(func() { _ = opened.Close() })
	opened.SetMaxOpenConns(1) // what it has seen is counted by connection
	d := &Tables{t: t, sql: opened, stamp: stamp, fields: make(map[string][]string)}
	for _, row := range d.rows(query) {
		table, column, _ := strings.Cut(row, "\x1f")
		if strings.HasPrefix(table, "goose_") {
			continue
		}
		d.fields[table] = append(d.fields[table], column)
	}
	for table, columns := range d.fields {
		if slices.Contains(columns, "organization_id") {
			d.owned = append(d.owned, table)
		} else {
			d.others = append(d.others, table)
		}
	}
	slices.Sort(d.owned)
	slices.Sort(d.others)
	return d
}

// Version is another one when anything was committed.
func (d *Tables) Version() string { d.t.Helper(); return d.rows(d.stamp)[0] }

// Of is every row of one organization, as text that changes when any of it does.
func (d *Tables) Of(organization string) string {
	d.t.Helper()
	quoted := "'" + strings.ReplaceAll(organization, "'", "''") + "'"
	var text strings.Builder
	for _, table := range d.owned {
		if table == "audit_checkpoints" {
			continue // the hub's own signatures, by the minute
		}
		d.dump(&text, table, " WHERE organization_id = "+quoted)
	}
	d.dump(&text, "organizations", " WHERE id = "+quoted)
	return text.String()
}

// IDs are those of an organization's rows in one table.
func (d *Tables) IDs(table, organization string) []string {
	d.t.Helper()
	quoted := "'" + strings.ReplaceAll(organization, "'", "''") + "'"
	return d.rows("SELECT id FROM " + table + " WHERE organization_id = " + quoted + " ORDER BY id")
}

// All is every row of every table.
func (d *Tables) All() string {
	d.t.Helper()
	var text strings.Builder
	for _, table := range slices.Concat(d.owned, d.others) {
		d.dump(&text, table, "")
	}
	return text.String()
}

func (d *Tables) dump(text *strings.Builder, table, where string) {
	d.t.Helper()
	columns := slices.DeleteFunc(slices.Clone(d.fields[table]), restless)
	//nolint:gosec // names from the schema
	rows := d.rows("SELECT " + strings.Join(columns, ", ") + " FROM " + table + where)
	slices.Sort(rows)
	fmt.Fprintf(text, "%s %v\n%s\n", table, columns, strings.Join(rows, "\n"))
}

// rows is the answer to a query, a line a row.
func (d *Tables) rows(query string) []string {
	d.t.Helper()
	found, err := d.sql.QueryContext(d.t.Context(), query)
	must(d.t, err)
	defer func() { _ = found.Close() }()
	columns, err := found.Columns()
	must(d.t, err)
	var lines []string
	for found.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		must(d.t, found.Scan(cells...))
		line := make([]string, len(cells))
		for i, c := range cells {
			switch v := (*c.(*any)).(type) {
			case []byte:
				line[i] = string(v)
			default:
				line[i] = fmt.Sprint(v)
			}
		}
		lines = append(lines, strings.Join(line, "\x1f"))
	}
	must(d.t, found.Err())
	return lines
}

// Changed names the lines of which two dumps differ.
func Changed(before, after string) string {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	var lines []string
	for _, line := range b {
		if !slices.Contains(a, line) {
			lines = append(lines, "+ "+strings.ReplaceAll(line, "\x1f", " | "))
		}
	}
	for _, line := range a {
		if !slices.Contains(b, line) {
			lines = append(lines, "- "+strings.ReplaceAll(line, "\x1f", " | "))
		}
	}
	return strings.Join(lines, "\n")
}
