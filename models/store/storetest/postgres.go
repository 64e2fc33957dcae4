package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"connecthub/models/store"
)

const (
	template      = "hub_template"
	startDeadline = 60 * time.Second
)

// cluster is one PostgreSQL server of this test process.
type cluster struct {
	once   sync.Once
	failed error
	absent bool

	mu    sync.Mutex
	admin *pgx.Conn
	made  int

	dir  string
	stop chan struct{} // closed by Main
	gone chan struct{} // closed when the server has ended
	live bool
}

// shared is the process's one server: it is started by the first test that needs it, and stopped by
// Main. A test process has no other place for what outlives its tests.
var shared = &cluster{stop: make(chan struct{}), gone: make(chan struct{})}

// Main runs a package's tests and stops the PostgreSQL server that they may have started. A package
// whose tests call Postgres or PostgresDSN says: func TestMain(m *testing.M) { storetest.Main(m) }.
func Main(m *testing.M) {
	defer shared.end()
	m.Run()
}

// Postgres opens a fresh migrated database on PostgreSQL; database and store end with the test.
func Postgres(t testing.TB) *store.Store {
	t.Helper()
	return Open(t, PostgresDSN(t))
}

// PostgresDSN answers the address of a fresh migrated database.
func PostgresDSN(t testing.TB) string {
	t.Helper()
	return shared.database(t, template)
}

// EmptyPostgresDSN answers the address of a database without any table.
func EmptyPostgresDSN(t testing.TB) string {
	t.Helper()
	return shared.database(t, "template0")
}

// database skips the test where PostgreSQL is not installed: CI fails on that line.
func (c *cluster) database(t testing.TB, from string) string {
	t.Helper()
	c.once.Do(func() { c.failed = c.start() })
	if c.absent {
		t.Skip("SKIP postgresql binaries absent")
	}
	if c.failed != nil {
		t.Fatalf("cannot start PostgreSQL: %v", c.failed)
	}
	c.mu.Lock()
	c.made++
	name := "hub_" + strconv.Itoa(c.made)
	err := c.do("CREATE DATABASE " + name + " TEMPLATE " + from)
	c.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := c.do("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return c.dsn(name)
}

func (c *cluster) do(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	if _, err := c.admin.Exec(ctx, sql); err != nil {
		return fmt.Errorf("cannot %s: %w", sql, err)
	}
	return nil
}

func (c *cluster) dsn(database string) string {
	return "postgres:///" + database + "?user=postgres&host=" + url.QueryEscape(c.dir)
}

// binaries answers the folder of the newest installed server, or nothing.
func binaries() string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		if path, err := exec.LookPath("postgres"); err == nil {
			return filepath.Dir(path)
		}
		return ""
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	sort.Slice(found, func(i, j int) bool { return version(found[i]) > version(found[j]) })
	return filepath.Dir(found[0])
}

func (c *cluster) start() error {
	bin := binaries()
	if bin == "" {
		c.absent = true
		fmt.Println("SKIP postgresql binaries absent")
		return nil
	}
	// a socket's path must be short, and another user must be able to reach it
	dir, err := os.MkdirTemp("/tmp", "chub-pg-")
	if err != nil {
		return err
	}
	c.dir = dir
	who, err := owner()
	if err != nil {
		return err
	}
	if err := who.own(dir); err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres",
		"-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr = dir, who.attributes()
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	began := make(chan error, 1)
	go c.serve(bin, data, who, began)
	if err := <-began; err != nil {
		return err
	}
	c.live = true
	if err := c.connect(ctx); err != nil {
		return err
	}
	return c.makeTemplate(ctx)
}

// serve keeps the thread that forked the server: the kernel tells the server to quit when that
// thread is gone, so that even a killed test process leaves none behind.
func (c *cluster) serve(bin, data string, who account, began chan<- error) {
	runtime.LockOSThread()
	defer close(c.gone)
	var output bytes.Buffer
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", c.dir, "-h", "",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
		"-c", "shared_buffers=32MB", "-c", "autovacuum=off", "-c", "timezone=Asia/Tokyo")
	server.Dir, server.Stdout, server.Stderr = c.dir, &output, &output
	server.SysProcAttr = who.attributes()
	if err := server.Start(); err != nil {
		began <- err
		return
	}
	began <- nil
	<-c.stop
	if err := server.Process.Signal(os.Interrupt); err != nil {
		fmt.Fprintln(os.Stderr, "cannot stop PostgreSQL:", err)
	}
	if err := server.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "PostgreSQL ended badly:", err, output.String())
	}
}

func (c *cluster) connect(ctx context.Context) error {
	for {
		admin, err := pgx.Connect(ctx, c.dsn("postgres"))
		if err == nil {
			c.admin = admin
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-c.gone:
			return fmt.Errorf("the server ended at once: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *cluster) makeTemplate(ctx context.Context) error {
	if err := c.do("CREATE DATABASE " + template); err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Options{DSN: c.dsn(template), Now: Start})
	if err != nil {
		return err
	}
	_, _, err = s.Migrate(ctx)
	return errors.Join(err, s.Close())
}

// end is called once, by Main.
func (c *cluster) end() {
	ended := false
	c.once.Do(func() { ended = true })
	if ended || c.absent {
		return
	}
	if c.admin != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.admin.Close(ctx)
	}
	close(c.stop)
	if c.live {
		<-c.gone
	}
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}
