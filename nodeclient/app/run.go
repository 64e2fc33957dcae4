package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/agent"
	"connecthub/nodeclient/control/cloudview"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/mail"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/journal"
)

type runCommand struct {
	dirFlag
	RotateKeyEvery time.Duration `default:"24h" help:"How old the node's key becomes before it gets another."`
}

// node is one running agent program: its parts, and the agent while the node is registered.
type node struct {
	e          *env
	dir        string
	slots      *host.Slots
	journal    *journal.Journal
	enrollment *enroll.Enrollment
	bootID     string
	lock       *os.File // held while this process owns the folder

	agent   atomic.Pointer[agent.Agent]
	trouble struct {
		sync.Mutex
		text string
	}
}

// Run works until the context ends. The services go on.
func (r runCommand) Run(e *env) error {
	n, err := open(e, r.Dir)
	if err != nil {
		return err
	}
	defer n.close()
	n.enrollment.RotateKeyEvery(r.RotateKeyEvery)
	if err := startActiveIfIdle(e.ctx, n); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(e.ctx)
	page, err := n.page()
	if err != nil {
		return err
	}
	g.Go(func() error { return page.Run(ctx) })
	switch n.enrollment.Config().Role {
	case models.Publisher:
		g.Go(func() error { return n.enrollment.ServePeers(ctx, n.replicas()...) })
	case models.Subscriber:
		g.Go(func() error { return n.enrollment.FollowPublisher(ctx, n.note) })
		g.Go(func() error { return n.replicate(ctx) })
		g.Go(func() error {
			n.followProxy(ctx)
			return nil
		})
	}
	if n.enrollment.Config().Role != models.Subscriber {
		g.Go(func() error {
			n.cloudView().Run(ctx)
			return nil
		})
	}
	g.Go(func() error { return n.work(ctx) })
	g.Go(func() error {
		n.dropOtherKind(ctx)
		return n.jobs().Run(ctx)
	})
	g.Go(func() error {
		n.mail().Run(ctx)
		return nil
	})
	return g.Wait()
}

// mail is the node's outbox; the agent delivers what waits in it.
func (n *node) mail() *mail.Box {
	return mail.Open(n.dir, mail.Options{Now: n.e.now, Log: logs.To(n.dir, logs.Mail),
		Server: string(n.enrollment.Config().FQDN), Zone: n.e.now().Location()})
}

// cloudView tells the hub what its console may show.
func (n *node) cloudView() cloudview.Sender {
	return cloudview.Sender{Dir: n.dir, Now: n.e.now, Log: n.e.log, Send: n.enrollment.CloudView,
		Cluster: func() models.ClusterID {
			if identity := n.enrollment.Identity(); identity != nil {
				return identity.ClusterID
			}
			return ""
		}}
}

// open makes this process the owner of the folder; it refuses while another one is.
func open(e *env, dir string) (*node, error) {
	if _, err := enroll.LoadConfig(dir); err != nil {
		return nil, err
	}
	n := &node{e: e, dir: dir}
	var err error
	if n.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	if err := n.read(); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// lockFolder takes what only one process may have: two that write one journal damage it. It is
// free again when the process ends, however it ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "agent.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the folder's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("the agent is running in %s; stop it first: %w", dir, err)
	}
	return f, nil
}

func (n *node) close() {
	if n.journal != nil {
		_ = n.journal.Close() // every record was synced when it was written
	}
	_ = n.lock.Close()
}

func (n *node) read() error {
	var err error
	if n.bootID, err = host.BootID(); err != nil {
		return err
	}
	if n.slots, err = host.OpenSlots(n.dir); err != nil {
		return err
	}
	if n.journal, err = n.openJournal(); err != nil {
		return err
	}
	n.enrollment, err = enroll.Open(enroll.Options{Dir: n.dir, ClientVersion: n.e.version,
		Version: func() models.Version { return installedVersion(n.slots) },
		Busy:    func() bool { return n.journal.State().Entry != nil }, Now: n.e.now})
	return err
}

// startActiveIfIdle starts the services after a boot; in the middle of an upgrade the agent decides
// from its journal.
func startActiveIfIdle(ctx context.Context, n *node) error {
	if n.journal.State().Entry != nil {
		return ensureSupervisor(ctx, n.dir)
	}
	return startActive(ctx, n.dir)
}

func (n *node) note(err error) {
	n.trouble.Lock()
	defer n.trouble.Unlock()
	if n.trouble.text != err.Error() {
		n.trouble.text = err.Error()
		n.e.log.Warn("cannot join through the publisher", "error", err)
	}
}

// work waits for an identity and runs the agent while there is one.
func (n *node) work(ctx context.Context) error {
	for ctx.Err() == nil {
		if n.enrollment.Identity() == nil {
			if err := n.enrollment.Await(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			if n.enrollment.Identity() != nil {
				continue
			}
			select {
			case <-ctx.Done():
			case <-n.enrollment.Changed():
			case <-time.After(lookEvery): // "nodeclient register" is another process
				if err := n.settleByHand(ctx); err != nil {
					return err
				}
				if err := n.enrollment.Reread(); err != nil {
					n.e.log.Warn("cannot look for a registration", "error", err)
				}
			}
			continue
		}
		if err := n.serve(ctx); err != nil {
			return err
		}
	}
	return nil
}

// serve runs the agent until ctx ends or the node is deregistered; then credential and fences are
// forgotten, and the services go on (R6).
func (n *node) serve(ctx context.Context) error {
	identity := n.enrollment.Identity()
	if err := n.journal.Saw(journal.Fence(identity.Fence)); err != nil {
		return err
	}
	a, err := n.newAgent(false)
	if err != nil {
		return err
	}
	n.agent.Store(a)
	defer n.agent.Store(nil)
	n.e.log.Info("registered", "organization", identity.Organization, "cluster", identity.ClusterID,
		"node", identity.NodeID)
	err = a.Run(ctx)
	if !errors.Is(err, agent.ErrDeregistered) {
		return err
	}
	n.e.log.Info("the hub has stated that this node is no longer registered", "cause", err)
	if err := n.journal.Reset(); err != nil { // the agent has done it, unless it was cut short
		return err
	}
	return n.enrollment.Forget("deregistered")
}

// hub is the enrollment as the agent sees it.
type hub enroll.Enrollment

// Poll asks the hub.
func (h *hub) Poll(ctx context.Context, r wire.PollRequest) (wire.PollResponse, error) {
	answer, err := (*enroll.Enrollment)(h).Poll(ctx, r)
	return answer, translated(err)
}

// Confirm asks the hub.
func (h *hub) Confirm(ctx context.Context, id models.PermitID, r wire.ConfirmRequest) (
	wire.ConfirmResponse, error) {
	answer, err := (*enroll.Enrollment)(h).Confirm(ctx, id, r)
	return answer, translated(err)
}

// Local asks the hub for a permit for work by hand (R33).
func (h *hub) Local(ctx context.Context, r wire.LocalRequest) (wire.LocalResponse, error) {
	answer, err := (*enroll.Enrollment)(h).Local(ctx, r)
	var refusal *enroll.Refusal
	if errors.As(err, &refusal) && refusal.Problem.Code != "" && refusal.Problem.Status < 500 &&
		!errors.Is(err, enroll.ErrStatement) {
		return answer, &agent.RefusedError{Code: refusal.Problem.Code, Err: err}
	}
	return answer, translated(err)
}

// Bundle asks the depot.
func (h *hub) Bundle(ctx context.Context, digest string, header http.Header) (
	*http.Response, error) {
	res, err := (*enroll.Enrollment)(h).Bundle(ctx, digest, header)
	return res, translated(err)
}

func translated(err error) error {
	var r *enroll.Refusal
	switch {
	case errors.Is(err, enroll.ErrStatement):
		return fmt.Errorf("%w: %w", agent.ErrDeregistered, err)
	case errors.As(err, &r) && r.RetryAfter > 0:
		return &agent.RetryError{Err: err, After: r.RetryAfter}
	}
	return err
}

const (
	statusWait = 2 * time.Second
	lookEvery  = 2 * time.Second
)
