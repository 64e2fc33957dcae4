package cloudview

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/settings"
)

const (
	stateFile  = "cloud-view-sent.json"
	stateLimit = 4 << 10
	look       = 5 * time.Second
	again      = time.Hour        // a hub that was restored gets it anew
	retry      = 15 * time.Second // after the first failure; doubled up to again
	deadline   = 30 * time.Second
)

// choice is the administrator's. It was made for one registration: after another one it counts no more.
type choice struct {
	Cluster models.ClusterID `json:"cluster"`
}

// Enabled says whether the administrator lets this registration show anything.
func Enabled(s *settings.Store, cluster models.ClusterID) (bool, error) {
	c, _, err := settings.Read[choice](s, settings.CloudView)
	return c.Cluster != "" && c.Cluster == cluster, err
}

// Enable lets one registration show the contact center; an empty cluster lets none.
func Enable(s *settings.Store, by string, cluster models.ClusterID) error {
	_, err := settings.Update(s, settings.CloudView, by, func(c *choice) error {
		c.Cluster = cluster
		return nil
	})
	return err
}

// Sent is what the hub holds, as far as this node knows.
type Sent struct {
	Cluster models.ClusterID `json:"cluster"` // where it may hold something; empty: it holds nothing
	Digest  string           `json:"digest"`  // of what it holds
	At      time.Time        `json:"at,omitzero"`
	Trouble string           `json:"trouble,omitempty"` // why it could not be told last
}

// Last answers what the hub holds.
func Last(dir string) (Sent, error) {
	var s Sent
	err := atomicfile.ReadJSON(filepath.Join(dir, "control", stateFile), stateLimit, &s)
	if errors.Is(err, os.ErrNotExist) {
		return Sent{}, nil
	}
	return s, err
}

func (s Sent) save(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "control"), 0o700); err != nil {
		return fmt.Errorf("cannot keep what was sent: %w", err)
	}
	return atomicfile.WriteJSON(filepath.Join(dir, "control", stateFile), s)
}

// Sender tells the hub.
type Sender struct {
	Dir string
	Now func() time.Time
	Log *slog.Logger
	// Cluster is the present registration; empty while there is none.
	Cluster func() models.ClusterID
	Send    func(context.Context, wire.CloudViewRequest) (wire.CloudViewResponse, error)
}

// Run tells the hub what changed, until the context ends.
func (s Sender) Run(ctx context.Context) {
	pause := look
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		err := s.Once(ctx)
		switch {
		case err == nil:
			pause = look
		case ctx.Err() == nil:
			pause = min(max(2*pause, retry), again)
			s.Log.Warn("cannot tell the hub what is shown", "error", err)
		}
	}
}

// Once tells the hub if something changed, or if it is long ago. That the hub may hold something is on
// disk before it is sent, so that a no after a crash reaches it, too.
func (s Sender) Once(ctx context.Context) error {
	cluster := s.Cluster()
	sent, err := Last(s.Dir)
	if err != nil {
		return err
	}
	enabled, err := Enabled(settings.Open(s.Dir, s.Now), cluster)
	switch {
	case err != nil:
		return err
	case sent.Cluster != "" && sent.Cluster != cluster:
		return Sent{}.save(s.Dir) // that registration is over, and the hub deleted what it held
	case cluster == "" || !enabled && sent.Cluster == "":
		return nil
	case !enabled:
		return s.tell(ctx, sent, wire.CloudViewRequest{}, Sent{})
	}
	d, err := Build(s.Dir, s.Now)
	if err != nil {
		return err
	}
	fresh, now := digest(d), s.Now()
	if age := now.Sub(sent.At); sent.Digest == fresh && age >= 0 && age < again {
		return nil
	}
	if sent.Cluster == "" {
		sent.Cluster = cluster
		if err := sent.save(s.Dir); err != nil {
			return err
		}
	}
	return s.tell(ctx, sent, wire.CloudViewRequest{Document: &d}, Sent{Cluster: cluster, Digest: fresh, At: now.UTC()})
}

func (s Sender) tell(ctx context.Context, before Sent, r wire.CloudViewRequest, after Sent) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	answer, err := s.Send(ctx, r)
	if err == nil && answer.Kept != (r.Document != nil) {
		err = errors.New("the hub answered something else")
	}
	if err != nil {
		before.Trouble = err.Error()
		return errors.Join(err, before.save(s.Dir))
	}
	return after.save(s.Dir)
}

// digest leaves out when the document was made.
func digest(d models.CloudDocument) string {
	d.TakenAt = time.Time{}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(d); err != nil {
		return ""
	}
	sum := sha256.Sum256(text.Bytes())
	return hex.EncodeToString(sum[:])
}
