package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"text/tabwriter"
	"time"

	"connecthub/hub/depot"
	"connecthub/models"
	"connecthub/scheduler/window"
	"connecthub/server/config"
)

// command is one run of the command line over an open hub.
type command struct {
	hub  *hub
	line config.Line
	out  io.Writer
	log  *slog.Logger
}

// run does what the words of the command say.
func (c command) run(ctx context.Context, words string) error {
	switch words {
	case "release publish <file>":
		return c.publish(ctx)
	case "release list":
		return c.listReleases(ctx)
	case "release pause <release>":
		return c.setState(ctx, c.line.Release.Pause, models.ReleasePaused)
	case "release resume <release>":
		return c.setState(ctx, c.line.Release.Resume, models.ReleasePublished)
	case "release recall <release>":
		return c.setState(ctx, c.line.Release.Recall, models.ReleaseRecalled)
	case "restored":
		return c.restored(ctx)
	case "seal status":
		return c.sealStatus(ctx)
	case "seal rotate":
		return c.sealRotate(ctx)
	}
	if done, err := c.peopleCommand(ctx, words); done {
		return err
	}
	if done, err := c.auditCommand(ctx, words); done {
		return err
	}
	if done, err := c.softwareCommand(ctx, words); done {
		return err
	}
	if done, err := c.oidcCommand(ctx, words); done {
		return err
	}
	return fmt.Errorf("cannot run %q: there is no such command", words)
}

// actor is whoever has the hub's data directory in hand.
func actor(o models.Organization) models.Actor {
	name := "command line"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return models.Actor{Kind: models.ActorCommand, Name: name, Organization: o.ID}
}

func (c command) publish(ctx context.Context) error {
	n := c.line.Release.Publish
	vendor, err := c.hub.identity.Vendor(ctx)
	if err != nil {
		return err
	}
	file, err := os.Open(n.File)
	if err != nil {
		return fmt.Errorf("cannot open the bundle: %w", err)
	}
	defer file.Close()
	r, err := c.hub.depot.Publish(ctx, actor(vendor), depot.NewRelease{Kind: models.Kind(n.Kind),
		Channel: n.Channel, Notes: n.Notes, Draft: n.Draft}, file)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s %s %s in %s (%s), sha256:%s\n", r.State, r.Kind, r.Version, r.Channel,
		r.ID, r.Digest)
	return nil
}

func (c command) listReleases(ctx context.Context) error {
	vendor, err := c.hub.identity.Vendor(ctx)
	if err != nil {
		return err
	}
	all, err := c.hub.depot.Releases(ctx, actor(vendor))
	if err != nil {
		return err
	}
	return table(c.out, "ID\tVERSION\tKIND\tSTATE\tCHANNEL\tSIZE", all,
		func(r models.Release) string {
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d", r.ID, r.Version, r.Kind, r.State,
				r.Channel, r.Size)
		})
}

func (c command) setState(ctx context.Context, choice config.ReleaseChoice,
	state models.ReleaseState) error {
	vendor, err := c.hub.identity.Vendor(ctx)
	if err != nil {
		return err
	}
	all, err := c.hub.depot.Releases(ctx, actor(vendor))
	if err != nil {
		return err
	}
	var found []models.Release
	for _, r := range all {
		if string(r.ID) == choice.Release || string(r.Version) == choice.Release {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("cannot choose release %q: %d match; give its ID", choice.Release,
			len(found))
	}
	r, err := c.hub.depot.SetState(ctx, actor(vendor), found[0].ID, state)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s is %s\n", r.Version, r.State)
	return nil
}

// maxWindows is how many windows are printed at most.
const maxWindows = 10_000

func printWindows(out io.Writer, w config.Windows) error {
	clock, err := window.ParseTimeOfDay(w.Time)
	if err != nil {
		return models.Invalid("invalid_time", "time")
	}
	days, err := window.ParseDays(w.Days)
	if err != nil {
		return models.Invalid("invalid_days", "days")
	}
	zone, err := window.LoadZone(w.Zone)
	if err != nil {
		return models.Invalid("invalid_zone", "zone")
	}
	from, err := window.ParseDate(w.From)
	if err != nil {
		return models.Invalid("invalid_date", "from")
	}
	if w.Count < 1 || w.Count > maxWindows {
		return models.Invalid("invalid_count", "count")
	}
	rule, err := window.NewRule(clock, days, zone, w.Length)
	if err != nil {
		return models.Invalid("invalid_length", "length")
	}
	return window.PrintStarts(out, rule, from, w.Count)
}

func table[T any](out io.Writer, head string, rows []T, line func(T) string) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, row := range rows {
		fmt.Fprintln(w, line(row))
	}
	return w.Flush()
}

// commandDeadline bounds a command that only reads and writes the database.
const commandDeadline = 5 * time.Minute
