// Package nightly is what a control node's daily jobs do: download software, tell people what is new,
// rotate the repository's token. It does not know when.
package nightly

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/deployment"
	"connecthub/nodeclient/control/download"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/jobs"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/mail"
	"connecthub/nodeclient/control/repository"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/enroll"
)

// BySchedule is who a job is that nobody asked for.
const BySchedule = "schedule"

// Night is a node's jobs.
type Night struct {
	Dir   string
	Store *settings.Store
	Now   func() time.Time
	Log   *slog.Logger
	Box   *mail.Box
}

// Begin takes a lock of the node's gate, or says why that cannot be now.
type Begin func(ctx context.Context, kind gate.Kind, what string) (release func(), err error)

// Tasks are what the runner is given.
func (n *Night) Tasks(begin Begin) map[jobs.Job]jobs.Task {
	holding := func(kind gate.Kind, what string) func(context.Context) (func(), error) {
		return func(ctx context.Context) (func(), error) { return begin(ctx, kind, what) }
	}
	return map[jobs.Job]jobs.Task{
		jobs.Rotate: {Run: func(ctx context.Context, _ jobs.Due) (string, error) { return n.Rotate(ctx) }},
		jobs.Notify: {Run: func(context.Context, jobs.Due) (string, error) { return n.Notify() }},
		jobs.Download: {Begin: holding(gate.Download, "software download"),
			Run: func(ctx context.Context, _ jobs.Due) (string, error) { return n.Download(ctx, BySchedule) }},
		jobs.Cache: {Begin: holding(gate.Orchestration, "deployment cache update"),
			Run: func(ctx context.Context, _ jobs.Due) (string, error) { return n.Cache(ctx) }},
	}
}

// Cache asks all machines of the inventory what they run. Whoever calls it holds the gate.
func (n *Night) Cache(ctx context.Context) (string, error) {
	if len(n.inventory().Machines()) == 0 {
		return "", fmt.Errorf("%w: the inventory names no machine", jobs.ErrSkip)
	}
	away := 0
	cache, err := deployment.Update(ctx, n.Dir, BySchedule, deployment.RefreshAll, n.Now,
		func(seen deployment.Seen) {
			if seen.Err != nil {
				away++
			}
		})
	return fmt.Sprintf("%d machines, %d of them not reached", len(cache.Machines), away), err
}

// Download brings the software here and mails a failure. Whoever calls it holds the gate.
func (n *Night) Download(ctx context.Context, by string) (string, error) {
	status, err := download.Run(ctx, download.Options{Dir: n.Dir, Store: n.Store, By: by, Way: n.way,
		Now: n.Now})
	switch {
	case errors.Is(err, download.ErrNotConfigured):
		return "", fmt.Errorf("%w: %w", jobs.ErrSkip, err)
	case err != nil && ctx.Err() == nil: // who ends the agent knows
		n.mailed(n.Box.DownloadFailed(n.deployment(), mail.Trouble{When: status.Started,
			Reason: status.Sentence}))
	}
	return status.Sentence("en"), err
}

func (n *Night) way(host string) (http.RoundTripper, error) {
	return enroll.RepositoryTransport(n.Dir, host)
}

// Rotate replaces the repository's identity token when it is time. A failure is mailed in the last days
// before its end.
func (n *Night) Rotate(ctx context.Context) (string, error) {
	c, _, err := repository.Load(n.Store)
	if err != nil {
		return "", err
	}
	r, err := repository.LoadRotation(n.Store)
	if err != nil {
		return "", err
	}
	if !r.Due(c, n.Now()) {
		return "", fmt.Errorf("%w: no token is to be rotated", jobs.ErrSkip)
	}
	way, err := enroll.RepositoryTransport(n.Dir, c.Host())
	if err == nil {
		defer way.CloseIdleConnections()
		_, err = repository.RotateIfDue(ctx, n.Store, way, BySchedule, n.Now())
	}
	if err != nil && r.Warns(c, n.Now()) && ctx.Err() == nil {
		reason := func(language string) string {
			var spoken interface{ Sentence(string) string }
			if errors.As(err, &spoken) {
				return spoken.Sentence(language)
			}
			return err.Error()
		}
		n.mailed(n.Box.RotationFailed(n.deployment(), mail.Trouble{When: n.Now(), Reason: reason,
			Until: c.ExpiresAt}))
	}
	return "the token was rotated", err
}

// told is what people know.
type told struct {
	Until time.Time `json:"until"` // of catalogue.File.Since
}

// Notify tells people what came since they were told last.
func (n *Night) Notify() (string, error) {
	c, err := catalogue.Read(n.Dir)
	if err != nil {
		return "", err
	}
	last, _, err := settings.Read[told](n.Store, settings.Mailed)
	if err != nil {
		return "", err
	}
	fresh, until := []mail.Software{}, last.Until
	for _, f := range c.Files {
		if !f.Since.After(last.Until) {
			continue
		}
		fresh = append(fresh, mail.Software{Product: f.Product, Version: f.Version.String(), File: f.Name(),
			Notes: f.Notes})
		if f.Since.After(until) {
			until = f.Since
		}
	}
	if len(fresh) == 0 {
		return "", fmt.Errorf("%w: nothing is new", jobs.ErrSkip)
	}
	if err := n.Box.NewSoftware(n.deployment(), fresh); err != nil {
		return "", err
	}
	_, err = settings.Update(n.Store, settings.Mailed, BySchedule, func(t *told) error {
		t.Until = until
		return nil
	})
	return fmt.Sprintf("%d new files", len(fresh)), err
}

func (n *Night) mailed(err error) {
	if err != nil {
		n.Log.Error("cannot write a mail", "error", err)
	}
}

// deployment is the name that stands in a mail's subject; none where the inventory names none.
func (n *Night) deployment() string { return n.inventory().DeploymentName }

// inventory is what was imported last; nothing where it cannot be read, which its commands say.
func (n *Night) inventory() inventory.Inventory {
	text, err := machines.Open(n.Dir, n.Now).Current()
	if err != nil {
		return inventory.Inventory{}
	}
	what, _ := inventory.Parse(text.Text)
	return what
}
