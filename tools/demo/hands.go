package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"connecthub/nodeclient/host/supervise"
)

// hands does to the machines of a cluster what no browser can: it switches them off and on again,
// and lets time pass for them.
type hands struct {
	hub     *hub
	cluster *cluster
	server  *http.Server
	url     string
}

// lend listens on this machine, for the browser tests alone.
func lend(h *hub, c *cluster) (*hands, error) {
	l, err := net.Listen("tcp", loopback(0))
	if err != nil {
		return nil, fmt.Errorf("cannot lend a hand: %w", err)
	}
	lent := &hands{hub: h, cluster: c, url: "http://" + l.Addr().String()}
	mux := http.NewServeMux()
	for path, do := range map[string]func(context.Context, *node) error{
		"POST /off/{node}":     switchOff,
		"POST /on/{node}":      func(_ context.Context, n *node) error { return n.run() },
		"POST /silence/{node}": lent.silence,
	} {
		mux.HandleFunc(path, lent.handle(do))
	}
	lent.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = lent.server.Serve(l) }()
	return lent, nil
}

func (h *hands) stop() { _ = h.server.Close() }

func (h *hands) handle(do func(context.Context, *node) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := errors.New("no such node")
		for _, n := range h.cluster.nodes {
			if n.name == r.PathValue("node") {
				err = do(r.Context(), n)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// switchOff ends everything on a machine at once, as a power cut does.
func switchOff(ctx context.Context, n *node) error {
	n.process.kill()
	_, err := supervise.Client{Dir: n.dir}.Shutdown(ctx)
	return err
}

// silence lets it be 16 minutes since the hub has heard of a node, by setting back what the hub has
// written down of it while the hub is stopped: an override is refused before 15 minutes (R20).
func (h *hands) silence(ctx context.Context, n *node) error {
	h.hub.process.stop()
	if err := setBack(ctx, filepath.Join(h.hub.dir, "hub"), n.name); err != nil {
		return err
	}
	return h.hub.up(ctx)
}

func setBack(ctx context.Context, dir, name string) error {
	db, err := openHub(dir)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	earlier := func(column string) string {
		return column + " = strftime('%Y-%m-%d %H:%M:%f', " + column + ", '-16 minutes') || '000+00:00'"
	}
	for _, change := range []string{
		"UPDATE nodes SET " + earlier("seen_at") + " WHERE name = ?",
		"UPDATE permits SET " + earlier("offered_at") + ", " + earlier("confirmed_at") +
			" WHERE ended_at IS NULL AND node_id IN (SELECT id FROM nodes WHERE name = ?)",
	} {
		done, err := db.ExecContext(ctx, change, name)
		if err != nil {
			return fmt.Errorf("cannot set the hub's memory back: %w", err)
		}
		if n, err := done.RowsAffected(); err != nil || n != 1 {
			return fmt.Errorf("cannot set the hub's memory back: %d rows of %s: %w", n, name, err)
		}
	}
	return nil
}

func openHub(dir string) (*sql.DB, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("cannot find the hub's database in %s: %v", dir, files)
	}
	db, err := sql.Open("sqlite3", files[0]+"?_busy_timeout=5000")
	if err != nil {
		return nil, fmt.Errorf("cannot open the hub's database: %w", err)
	}
	return db, nil
}
