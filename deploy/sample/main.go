// Package main is a small service to try upgrades with: it answers its version and its node's name,
// drains when told to, and stops gracefully. It knows nothing of the product that upgrades it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// version is set by the linker; the variable VERSION of the manifest wins.
var version = "dev"

const (
	readTime  = 5 * time.Second
	writeTime = 90 * time.Second
	drainTime = 30 * time.Second
	stopTime  = 10 * time.Second
	lookAgain = 5 * time.Millisecond
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "sample:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if v := os.Getenv("VERSION"); v != "" {
		version = v
	}
	s := &service{node: os.Getenv("NODE_NAME"), version: version}
	var err error
	if s.grace, err = duration("DRAIN_GRACE"); err != nil {
		return err
	}
	// FAIL_AFTER makes a version that turns bad that long after its first good health check, to show
	// a rollback.
	if s.failAfter, err = duration("FAIL_AFTER"); err != nil {
		return err
	}
	// START_DELAY is how long it takes to come up, as a real server does.
	delay, err := duration("START_DELAY")
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(delay):
	}
	srv := &http.Server{Handler: s.handler(), ReadHeaderTimeout: readTime, WriteTimeout: writeTime}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", os.Getenv("PORT")))
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	fmt.Printf("sample %s on %s listens at %s\n", s.version, s.node, listener.Addr())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("cannot serve: %w", err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := srv.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("cannot stop: %w", err)
	}
	return nil
}

func duration(name string) (time.Duration, error) {
	text := os.Getenv(name)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return d, nil
}

type service struct {
	node, version    string
	grace, failAfter time.Duration
	draining         atomic.Bool
	failing          atomic.Bool
	seen             sync.Once
	inFlight         atomic.Int64
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, s.version)
	})
	mux.HandleFunc("POST /drain", s.drain)
	mux.HandleFunc("GET /{$}", s.work)
	return mux
}

func (s *service) healthz(w http.ResponseWriter, _ *http.Request) {
	switch {
	case s.draining.Load():
		http.Error(w, "draining", http.StatusServiceUnavailable)
	case s.failing.Load():
		http.Error(w, "failing", http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, "ok")
		if s.failAfter > 0 {
			s.seen.Do(func() { time.AfterFunc(s.failAfter, func() { s.failing.Store(true) }) })
		}
	}
}

// work answers who serves; ?delay=50ms makes it take a while.
func (s *service) work(w http.ResponseWriter, r *http.Request) {
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	if d, err := time.ParseDuration(r.URL.Query().Get("delay")); err == nil {
		select {
		case <-time.After(min(d, drainTime)):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"version": s.version, "node": s.node})
}

// drain turns the health check away first, gives load balancers DRAIN_GRACE to notice, and answers
// once nothing is in flight. Until it is stopped the service still answers whoever comes.
func (s *service) drain(w http.ResponseWriter, r *http.Request) {
	s.draining.Store(true)
	ctx, cancel := context.WithTimeout(r.Context(), s.grace+drainTime)
	defer cancel()
	wait := time.NewTimer(s.grace)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			http.Error(w, "requests are still in flight", http.StatusServiceUnavailable)
			return
		case <-wait.C:
		}
		if s.inFlight.Load() == 0 {
			fmt.Fprintln(w, "drained")
			return
		}
		wait.Reset(lookAgain)
	}
}
