// Package download brings the software of the repository to a control node: what is new, verified, and
// nothing that is not offered any more. It does not know when it is asked to, and no machine.
package download

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/repository"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/fetch"
)

const (
	// Deadline is how long a download may take.
	Deadline = 23 * time.Hour

	tries       = 5
	firstWait   = 2 * time.Second
	stall       = time.Minute
	tellEvery   = time.Second
	maxSkipped  = 50
	minReserve  = 1 << 30
	mostReserve = 10 << 30
	reservePart = 20 // a twentieth of the partition
)

// ErrNotConfigured says that nobody has set a repository.
var ErrNotConfigured = errors.New("no repository is configured")

// Options are what a download is given.
type Options struct {
	Dir   string
	Store *settings.Store
	By    string // a person, or "schedule"
	// Way reaches the repository's host.
	Way func(host string) (http.RoundTripper, error)
	Now func() time.Time
	Log *slog.Logger // every file; nil: the download log of the node's folder
	// Space tells the size of a folder's partition and what is free there; nil asks the file system.
	Space func(dir string) (size, free int64, err error)
	// Pause is how long to wait before a file is asked for again; it doubles. Zero: two seconds.
	Pause time.Duration
	// Tell is told how far it is, now and then, beside the status file. May be nil.
	Tell func(Status)
}

// engine is one download.
type engine struct {
	Options
	status  Status
	written time.Time // of the status
	client  *repository.Client
	cat     catalogue.Catalogue
	reserve int64
}

// Run downloads what is offered and is not here, removes what is not offered any more, and leaves the
// catalogue that says so. Whoever calls it holds the gate. A download that was cut off anywhere is gone
// on with by the next; what is half here bears another name and is in no catalogue.
func Run(ctx context.Context, o Options) (Status, error) {
	if o.Log == nil {
		o.Log = logs.To(o.Dir, logs.Download)
	}
	if o.Space == nil {
		o.Space = partition
	}
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	e := &engine{Options: o, status: Status{ID: rand.Text(), By: o.By, State: Checking,
		Started: o.Now().UTC(), Skipped: []string{}}}
	config, _, err := repository.Load(o.Store)
	if err != nil {
		return e.status, err
	}
	if !config.Configured() {
		return e.status, ErrNotConfigured
	}
	e.status.Restricted = config.Restricted
	if err = e.tell(true); err == nil {
		err = e.run(ctx, config)
	}
	e.status.Ended, e.status.State, e.status.File = o.Now().UTC(), Done, ""
	if err != nil {
		e.status.State, e.status.Problem, e.status.ProblemJa = Failed, sentence(err, "en"), sentence(err, "ja")
	}
	e.status.Total = len(e.cat.Files)
	err = errors.Join(err, e.tell(true))
	o.Log.Info("ended", "state", e.status.State, "files", e.status.FilesDone, "bytes", e.status.BytesDone,
		"removed", e.status.Removed, "problem", e.status.Problem)
	history := logs.Open(o.Dir, logs.Downloads)
	return e.status, errors.Join(err, history.Line(o.Now(), "by %s, export restricted %t, %s: %s", o.By,
		config.Restricted, e.status.State, e.status.Sentence("en")))
}

func (e *engine) run(ctx context.Context, config repository.Config) error {
	way, err := e.Way(config.Host())
	if err != nil {
		return err
	}
	if idle, ok := way.(interface{ CloseIdleConnections() }); ok {
		defer idle.CloseIdleConnections()
	}
	if e.client, err = repository.New(config, way, ""); err != nil {
		return err
	}
	if e.cat, err = catalogue.Read(e.Dir); err != nil {
		return err
	}
	e.Log.Info("begins", "by", e.By, "url", config.URL, "repository", config.Repository,
		"restricted", config.Restricted, "secret", config.Secret)
	if _, err = e.client.Entitlement(ctx); err != nil {
		return e.refused(err)
	}
	offer, err := e.client.List(ctx)
	if err != nil {
		return e.refused(err)
	}
	for _, why := range offer.Skipped {
		e.Log.Warn("cannot be used", "file", why)
	}
	e.status.Skipped = offer.Skipped[:min(len(offer.Skipped), maxSkipped)]
	if e.status.Skipped == nil {
		e.status.Skipped = []string{}
	}
	if e.cat.Restricted != config.Restricted || e.cat.Repository != config.Repository {
		e.cat = catalogue.Catalogue{Repository: config.Repository, Restricted: config.Restricted,
			Files: e.cat.Files} // nothing may be installed before this download is complete
	}
	missing, err := e.settle(offer.Files)
	if err != nil {
		return err
	}
	if err := e.room(missing); err != nil {
		return err
	}
	e.status.State = Downloading
	for _, f := range missing {
		if err := e.one(ctx, f); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", f.Path, e.refused(err)), e.keep())
		}
	}
	e.cat.At = e.Now().UTC()
	return e.keep()
}

// refused puts a refusal into the log in the words that support looks for.
func (e *engine) refused(err error) error {
	var r *repository.Refusal
	if errors.As(err, &r) {
		for _, line := range r.LogLines() {
			e.Log.Error(line)
		}
	}
	return err
}

// settle removes what is not offered any more, first of all from the catalogue, and answers what is
// missing. What a former download left half done stays for this one.
func (e *engine) settle(offered []repository.File) (missing []repository.File, err error) {
	have, wanted := map[string]catalogue.File{}, map[string]bool{}
	for _, f := range e.cat.Files {
		if info, err := os.Lstat(f.Local); err == nil && info.Mode().IsRegular() && info.Size() == f.Size {
			have[f.Path] = f
		}
	}
	before := len(e.cat.Files)
	e.cat.Files = nil
	for _, f := range offered {
		wanted[f.SHA256] = true
		if old, ok := have[f.Path]; ok && old.SHA256 == f.SHA256 {
			e.cat.Files = append(e.cat.Files, entry(f, old.Since))
		} else {
			missing = append(missing, f)
		}
	}
	e.status.Removed = before - len(e.cat.Files)
	if err := e.keep(); err != nil {
		return nil, err
	}
	folders, err := os.ReadDir(catalogue.Folder(e.Dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot look at the software: %w", err)
	}
	for _, folder := range folders {
		if wanted[folder.Name()] {
			continue
		}
		e.Log.Info("removed", "content", folder.Name())
		if err := os.RemoveAll(filepath.Join(catalogue.Folder(e.Dir), folder.Name())); err != nil {
			return nil, fmt.Errorf("cannot remove software: %w", err)
		}
	}
	return missing, nil
}

func entry(f repository.File, since time.Time) catalogue.File {
	return catalogue.File{Path: f.Path, Product: f.Product, Version: f.Version,
		Kind: catalogue.KindOf(f.Path, f.Version), Restricted: f.Restricted, Size: f.Size, SHA256: f.SHA256,
		Notes: f.Notes, Published: f.Modified, Since: since}
}

// keep writes the catalogue of what is here.
func (e *engine) keep() error { return catalogue.Write(e.Dir, e.cat) }

// room refuses before the first byte what would fill the partition.
func (e *engine) room(missing []repository.File) error {
	folder := catalogue.Folder(e.Dir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of the software: %w", err)
	}
	size, free, err := e.Space(folder)
	if err != nil {
		return err
	}
	e.reserve = min(max(size/reservePart, minReserve), mostReserve)
	need := e.reserve
	for _, f := range missing {
		rest := f.Size
		if info, err := os.Lstat(fetch.Part(catalogue.Local(e.Dir, f.SHA256, f.Path))); err == nil {
			rest = max(0, rest-info.Size())
		}
		e.status.Files, e.status.Bytes, need = e.status.Files+1, e.status.Bytes+f.Size, need+rest
	}
	if len(missing) > 0 && free < need {
		return &NoSpace{Needed: need, Free: free, Reserve: e.reserve}
	}
	return nil
}

// one fetches a file, again and again where the network cuts it off.
func (e *engine) one(ctx context.Context, f repository.File) error {
	dst := catalogue.Local(e.Dir, f.SHA256, f.Path)
	if err := os.MkdirAll(filepath.Dir(dst), 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of the software: %w", err)
	}
	e.status.File = f.Path
	done := e.status.BytesDone
	wait := cmp.Or(e.Pause, firstWait)
	for try := 1; ; try++ {
		limit, err := LoadBandwidth(e.Store)
		if err != nil {
			return err
		}
		err = e.client.Fetch(ctx, f, dst, fetch.Options{Stall: stall, BytesPerSecond: int64(limit),
			Reserve: e.reserve, Free: e.free, Progress: func(n, _ int64) {
				e.status.BytesDone = done + n
				_ = e.tell(false) // the last word is said with care
			}})
		if err == nil {
			break
		}
		var status *fetch.StatusError
		var refusal *repository.Refusal
		again := errors.Is(err, fetch.ErrInterrupted) || errors.Is(err, fetch.ErrStalled) ||
			errors.As(err, &status)
		if errors.As(err, &refusal) {
			again = !refusal.Final()
		}
		if !again || try == tries || ctx.Err() != nil {
			return err
		}
		e.Log.Warn("cut off", "file", f.Path, "try", try, "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		wait *= 2
	}
	e.status.BytesDone, e.status.FilesDone = done+f.Size, e.status.FilesDone+1
	e.cat.Files = append(e.cat.Files, entry(f, e.Now().UTC()))
	e.Log.Info("downloaded", "file", f.Path, "product", f.Product, "version", f.Version, "bytes", f.Size,
		"sha256", f.SHA256)
	return e.tell(true)
}

func (e *engine) free(dir string) (int64, error) {
	_, free, err := e.Space(dir)
	return free, err
}

// tell writes the status, at most once a second unless it must.
func (e *engine) tell(must bool) error {
	if now := e.Now(); !must && now.Sub(e.written) < tellEvery {
		return nil
	}
	e.written = e.Now()
	if e.Tell != nil {
		status := e.status
		status.Skipped = slices.Clone(status.Skipped)
		e.Tell(status)
	}
	if err := os.MkdirAll(filepath.Dir(statusPath(e.Dir)), 0o700); err != nil {
		return fmt.Errorf("cannot write how far the download is: %w", err)
	}
	return atomicfile.WriteJSON(statusPath(e.Dir), e.status)
}

func statusPath(dir string) string { return filepath.Join(dir, "control", statusFile) }

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
