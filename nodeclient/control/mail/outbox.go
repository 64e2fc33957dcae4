package mail

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	gomail "github.com/wneessen/go-mail"

	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/settings"
)

const (
	folder    = "outbox"
	lockName  = "outbox.lock"
	suffix    = ".json"
	idForm    = "20060102T150405.000000000" // letters go in this order
	most      = 1000                        // letters that wait
	keptFor   = 24 * time.Hour
	fileLimit = 4 * maxBody
	every     = 15 * time.Second
)

// Options are what the outbox is told by whoever composes the program.
type Options struct {
	Now    func() time.Time
	Log    *slog.Logger
	Server string         // this node's FQDN, as letters name it
	Zone   *time.Location // server time
}

// Box is the outbox of a node's folder. Putting a letter in never waits for the network; whoever
// delivers next sends it, the agent at the latest.
type Box struct {
	dir      string
	settings *settings.Store
	Options
}

// Open names the folder; nothing is read or written before it is asked for.
func Open(dir string, o Options) *Box {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Box{filepath.Join(dir, "control", folder), settings.Open(dir, o.Now), o}
}

// entry is one letter to one person. It holds no password.
type entry struct {
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	What     string    `json:"what"`
	To       string    `json:"to"`
	Subject  string    `json:"subject"`
	Body     string    `json:"body"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next"`
}

// Procedure tells what a procedure did, or a stage of it. There is no mail about patches.
func (b *Box) Procedure(p Procedure) error {
	return b.put(string(p.Kind), p.write)
}

// NewSoftware tells what was downloaded. Only the publisher tells it.
func (b *Box) NewSoftware(deployment string, all []Software) error {
	if len(all) == 0 {
		return nil
	}
	return b.put("new_software", func(p *page) letter { return writeSoftware(p, deployment, all) })
}

// DownloadFailed tells that software could not be downloaded.
func (b *Box) DownloadFailed(deployment string, t Trouble) error {
	return b.put("download", func(p *page) letter { return writeTrouble(p, "download", deployment, t) })
}

// RotationFailed tells that the repository's token could not be rotated.
func (b *Box) RotationFailed(deployment string, t Trouble) error {
	return b.put("rotation", func(p *page) letter { return writeTrouble(p, "rotation", deployment, t) })
}

// put writes one letter for each person, in that person's language. Where nobody is to be told it
// does nothing.
func (b *Box) put(what string, write func(*page) letter) error {
	s, err := Load(b.settings)
	if err != nil {
		return err
	}
	people, err := Subscribers(b.settings)
	if err != nil {
		return err
	}
	if s.Host == "" || len(people) == 0 {
		b.Log.Info("no mail is sent", "about", what, "server", s.Host != "", "subscribers", len(people))
		return nil
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the outbox: %w", err)
	}
	waiting, err := b.names()
	if err != nil {
		return err
	}
	if len(waiting)+len(people) > most {
		return refuse("outbox_full")
	}
	now := b.Now().UTC()
	for i, to := range people {
		l := write(&page{language: to.Language, server: b.Server, zone: b.Zone})
		id := now.Add(time.Duration(i)).Format(idForm) + "-" + strings.ToLower(rand.Text()[:12])
		e := entry{ID: id, Created: now, What: what, To: to.Address, Subject: l.Subject, Body: l.Body, Next: now}
		if err := b.save(e); err != nil {
			return err
		}
	}
	return nil
}

func (b *Box) save(e entry) error {
	return atomicfile.WriteJSON(filepath.Join(b.dir, e.ID+suffix), e)
}

// names lists what waits, the oldest first.
func (b *Box) names() ([]string, error) {
	all, err := os.ReadDir(b.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the outbox: %w", err)
	}
	var names []string
	for _, f := range all {
		if strings.HasSuffix(f.Name(), suffix) && !strings.HasPrefix(f.Name(), ".") {
			names = append(names, f.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Waiting is how many letters wait.
func (b *Box) Waiting() (int, error) {
	names, err := b.names()
	return len(names), err
}

// Run delivers what is due until the context ends.
func (b *Box) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := b.Deliver(ctx); err != nil && ctx.Err() == nil {
			b.Log.Warn("mail waits", "reason", err.Error(), "because", behind(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// behind is what the library said, as one line.
func behind(err error) string {
	if cause := errors.Unwrap(err); cause != nil {
		return clean(cause.Error())
	}
	return ""
}

// Deliver sends what is due, over one connection. Where another process is at it already, it leaves
// it to that one. A crash between sending and forgetting sends a letter twice, with one Message-ID.
func (b *Box) Deliver(ctx context.Context) error {
	names, err := b.names()
	if err != nil || len(names) == 0 {
		return err
	}
	unlock, err := b.lock()
	if err != nil || unlock == nil {
		return err
	}
	defer unlock()
	due, err := b.due(names)
	if err != nil || len(due) == 0 {
		return err
	}
	s, err := Load(b.settings)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	c, err := connect(ctx, s, b.Server)
	if err != nil {
		return b.postpone(due, err)
	}
	defer c.close()
	for i, e := range due {
		err := c.send(ctx, e.message(s.From, b.Server))
		switch {
		case err == nil:
			b.Log.Info("mail sent", "about", e.What, "to", e.To, "id", e.ID)
			err = b.forget(e)
		case final(err):
			b.Log.Error("mail refused for good", "about", e.What, "to", e.To, "because", behind(err))
			err = b.forget(e)
		default:
			return b.postpone(due[i:], err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// due reads what is to be tried now, and drops what is too old or no letter.
func (b *Box) due(names []string) ([]entry, error) {
	now := b.Now()
	var all []entry
	for _, name := range names {
		var e entry
		path := filepath.Join(b.dir, name)
		err := atomicfile.ReadJSON(path, fileLimit, &e)
		switch {
		case errors.Is(err, os.ErrNotExist): // another process sent it meanwhile
		case err != nil || e.ID+suffix != name:
			b.Log.Error("a file in the outbox is no letter; it was removed", "file", name)
			if err := atomicfile.Remove(path); err != nil {
				return nil, err
			}
		case now.Sub(e.Created) > keptFor:
			b.Log.Error("mail given up", "about", e.What, "to", e.To, "attempts", e.Attempts)
			if err := b.forget(e); err != nil {
				return nil, err
			}
		case !e.Next.After(now):
			all = append(all, e)
		}
	}
	return all, nil
}

func (b *Box) forget(e entry) error { return atomicfile.Remove(filepath.Join(b.dir, e.ID+suffix)) }

// postpone waits longer after each attempt: 1, 2, 4 … minutes, an hour at most.
func (b *Box) postpone(all []entry, cause error) error {
	now := b.Now().UTC()
	for _, e := range all {
		e.Next = now.Add(min(time.Minute<<min(e.Attempts, 6), time.Hour))
		e.Attempts++
		if err := b.save(e); err != nil {
			return err
		}
	}
	return cause
}

// lock answers nil where another process delivers.
func (b *Box) lock() (func(), error) {
	f, err := os.OpenFile(filepath.Join(b.dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the outbox: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock the outbox: %w", err), f.Close())
	}
	return func() {
		// Said aloud: a process that is being started has the file open, too, for a moment.
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		f.Close()
	}, nil
}

// message is the letter as it travels.
func (e entry) message(from, server string) *gomail.Msg {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	// Both were judged when they were set; what is not an address any more is refused by Send.
	_ = m.From(from)
	_ = m.To(e.To)
	m.Subject(e.Subject)
	m.SetDateWithValue(e.Created)
	m.SetMessageIDWithValue(e.ID + "@" + server)
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(gomail.TypeTextPlain, e.Body)
	return m
}

// Test reaches the server with the present settings, and sends a test mail where to is given.
func (b *Box) Test(ctx context.Context, to, language string) error {
	s, err := Load(b.settings)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	c, err := connect(ctx, s, b.Server)
	if err != nil {
		return err
	}
	defer c.close()
	if to == "" {
		return nil
	}
	now := b.Now().UTC()
	l := writeTest(&page{language: language, server: b.Server, zone: b.Zone}, now)
	e := entry{ID: now.Format(idForm) + "-test", Created: now, To: to,
		Subject: l.Subject, Body: l.Body}
	return c.send(ctx, e.message(s.From, b.Server))
}
