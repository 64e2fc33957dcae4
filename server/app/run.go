package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"connecthub/hub/audit"
	"connecthub/hub/fleet"
	"connecthub/hub/identity"
	"connecthub/hub/keys"
	"connecthub/hub/seal"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/scheduler"
	"connecthub/server/config"

	"golang.org/x/sync/errgroup"
)

// Around is what surrounds a running hub.
type Around struct {
	Version string
	Now     func() time.Time
	Log     *slog.Logger
	Out     io.Writer   // what a person must see: the first password
	Ready   func(Bound) // called once, when requests are welcome; may be nil
}

// Bound is where a running hub listens.
type Bound struct {
	Console, Node, Metrics net.Addr // Metrics is nil when it is on Console
	CA                     string   // file of the CA that nodes are given
	Password               string   // of the first admin, at the first start only
}

// Run is the hub's service, from an empty directory if need be, until ctx ends. It returns when
// every request has been answered or given up and everything is written.
func Run(ctx context.Context, c config.Config, around Around) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("cannot accept the settings:\n%w", err)
	}
	unlock, err := alone(c) // before a newer version changes the database of one that serves it
	if err != nil {
		return err
	}
	defer unlock()
	h, err := openHub(ctx, c, around.Now, around.Log)
	if err != nil {
		return err
	}
	err = serve(ctx, c, h, around)
	return errors.Join(err, h.store.Close())
}

func serve(ctx context.Context, c config.Config, h *hub, around Around) error {
	listeners, err := listen(ctx, c, h.seal, around.Now())
	if err != nil {
		return cured(c, err)
	}
	defer listeners.close()
	if c.PublicURL == "" {
		c.PublicURL = publicURL(c, listeners.console.Addr())
	}
	h.identity = h.identity.At(c.Public())
	signing, err := keys.LoadOrCreate(c.Keys(), h.seal)
	if err != nil {
		return cured(c, err)
	}
	h.audit, err = audit.New(audit.Options{Store: h.store, Keys: signing, Now: around.Now,
		Log: around.Log})
	if err != nil {
		return err
	}
	f, err := fleet.New(fleet.Options{Store: h.store, Keys: signing, Now: around.Now,
		Log: around.Log, PublicURL: c.Public(), NodePagePort: c.PagePort, PollNear: c.PollNear,
		Replicated: h.store.Dialect() == store.PostgreSQL,
		PollFar:    c.PollFar, Environment: c.Environment, MinVersion: models.Version(c.MinVersion),
		MinClient: models.Version(c.MinClient)})
	if err != nil {
		return err
	}
	password, err := h.identity.EnsureFirst(ctx, itself(),
		identity.First{Organization: c.OrganizationName, Zone: c.OrganizationZone,
			Language: c.OrganizationLanguage, Email: c.AdminEmail})
	if err != nil {
		return err
	}
	if password != "" {
		fmt.Fprintf(around.Out, "First start: %s is the full admin of %s.\nPassword: %s\n"+
			"It is not shown again.\n", c.AdminEmail, c.OrganizationName, password)
	}
	if h.oidc, err = newOIDC(h, c, around.Now, around.Log); err != nil {
		return err
	}
	s := &service{config: c, around: around, hub: h, fleet: f, listeners: listeners,
		closing: make(chan struct{}), leader: newLeader(h.store, around.Now)}
	return s.run(ctx, password)
}

// service is a hub between its start and its end.
type service struct {
	config    config.Config
	around    Around
	hub       *hub
	fleet     *fleet.Fleet
	listeners listeners
	closing   chan struct{} // closed when streams must end
	leader    *leader
	health    *health
}

func (s *service) run(ctx context.Context, password string) error {
	servers, err := s.servers() //nolint:contextcheck // each request brings its own
	if err != nil {
		return err
	}
	pulse, err := scheduler.New(s.around.Log, s.leader.lease, s.jobs()...)
	if err != nil {
		return err
	}
	if err := s.fleet.Start(ctx); err != nil {
		return err
	}
	// Work outlives the first signal: requests are finished before it ends.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, failed := errgroup.WithContext(work)
	group.Go(func() error { return s.fleet.Run(failed) })
	group.Go(func() error { return pulse.Run(failed) })
	for _, server := range servers {
		group.Go(server.serve)
	}
	s.health.ready.Store(true)
	s.around.Log.InfoContext(ctx, "hub is ready", "version", s.around.Version,
		"console", s.config.Public(), "nodes", s.listeners.node.Addr().String())
	if s.around.Ready != nil {
		s.around.Ready(s.bound(password))
	}
	select {
	case <-ctx.Done():
	case <-failed.Done():
	}
	s.health.ready.Store(false)
	err = s.drain(work, servers)
	stop()
	err = errors.Join(err, group.Wait())
	return errors.Join(err, s.lastWords(context.WithoutCancel(ctx)))
}

// drain ends the streams at once and gives every other request its time.
func (s *service) drain(ctx context.Context, servers []*server) error {
	s.around.Log.InfoContext(ctx, "hub is shutting down")
	close(s.closing)
	ctx, cancel := context.WithTimeout(ctx, s.config.ShutdownWait)
	defer cancel()
	var group errgroup.Group
	for _, server := range servers {
		group.Go(func() error { return server.shutdown(ctx) })
	}
	return group.Wait()
}

// lastWords writes what is only in memory.
func (s *service) lastWords(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.ShutdownWait+time.Second)
	defer cancel()
	err := s.leader.resign(ctx)
	if err != nil {
		err = fmt.Errorf("cannot end the lease: %w", err)
	}
	err = errors.Join(err, s.fleet.Leave(ctx))
	if flush := s.fleet.FlushSeen(ctx); flush != nil {
		err = errors.Join(err, fmt.Errorf("cannot write when nodes were seen: %w", flush))
	}
	return err
}

func (s *service) bound(password string) Bound {
	b := Bound{Console: s.listeners.console.Addr(), Node: s.listeners.node.Addr(),
		CA: filepath.Join(s.config.Certificates(), "ca.pem"), Password: password}
	if s.listeners.metrics != nil {
		b.Metrics = s.listeners.metrics.Addr()
	}
	return b
}

func (s *service) jobs() []scheduler.Job {
	return []scheduler.Job{
		{Name: "expire registrations", Every: time.Second, Do: s.fleet.ExpireRegistrations},
		{Name: "sweep permits", Every: 2 * time.Second, Do: s.fleet.SweepPermits},
		{Name: "flush seen", Every: 5 * time.Second, Everywhere: true, Do: s.fleet.FlushSeen},
		{Name: "purge old", Every: 10 * time.Minute, Everywhere: true, Do: s.fleet.PurgeOld},
		{Name: "sign audit", Every: time.Minute, Do: s.hub.audit.SignCheckpoints},
		{Name: "prune audit", Every: time.Hour, Do: s.hub.audit.Prune},
		{Name: "purge sessions", Every: 10 * time.Minute, Do: s.hub.identity.PurgeSessions},
		{Name: "purge provider sign-ins", Every: time.Minute, Do: s.hub.oidc.PurgeLogins},
	}
}

// listeners are the hub's doors, open but unanswered.
type listeners struct {
	console, node, metrics net.Listener
}

func (l listeners) close() {
	for _, one := range []net.Listener{l.console, l.node, l.metrics} {
		if one != nil {
			_ = one.Close() // a served one is closed already
		}
	}
}

func listen(ctx context.Context, c config.Config, sealer *seal.Sealer, now time.Time) (
	l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	node, err := nodeTLS(c, sealer, now)
	if err != nil {
		return l, err
	}
	open := func(address string) (net.Listener, error) {
		var lc net.ListenConfig
		one, err := lc.Listen(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("cannot listen: %w", err)
		}
		return one, nil
	}
	if l.console, err = open(c.Listen); err != nil {
		return l, err
	}
	if c.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return l, fmt.Errorf("cannot read the console's certificate: %w", err)
		}
		l.console = tls.NewListener(l.console, tlsOf(pair))
	}
	if l.node, err = open(c.NodeListen); err != nil {
		return l, err
	}
	l.node = tls.NewListener(l.node, node)
	if c.MetricsListen != "" {
		l.metrics, err = open(c.MetricsListen)
	}
	return l, err
}

// nodeTLS is the operator's own certificate, or one of the hub's CA.
func nodeTLS(c config.Config, sealer *seal.Sealer, now time.Time) (*tls.Config, error) {
	if c.NodeCert != "" {
		pair, err := tls.LoadX509KeyPair(c.NodeCert, c.NodeKey)
		if err != nil {
			return nil, fmt.Errorf("cannot read the node API's certificate: %w", err)
		}
		return tlsOf(pair), nil
	}
	ca, err := openAuthority(c.Certificates(), sealer, now)
	if err != nil {
		return nil, err
	}
	pair, err := ca.leaf(c.NodeNames, now)
	if err != nil {
		return nil, err
	}
	return tlsOf(pair), nil
}

// tlsOf speaks HTTP/2 where the caller does. Customers' proxies do not all speak TLS 1.3.
func tlsOf(pair tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		NextProtos: []string{"h2", "http/1.1"}}
}

// publicURL is the console's address where the port was left to the machine.
func publicURL(c config.Config, bound net.Addr) string {
	_, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return c.Public()
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return c.Public()
	}
	c.Listen = net.JoinHostPort(host, port)
	return c.Public()
}
