package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
	_ "time/tzdata" // logs may name a zone on a machine without zone data

	"connecthub/models"
	"connecthub/scheduler/window"
	"connecthub/server/config"
)

// Main runs one command line and answers with the exit code: 0, 1 for a failure, 2 for a line or
// for settings that cannot be meant.
func Main(ctx context.Context, args []string, version string, out, errOut io.Writer) int {
	line, words, err := config.Parse(args, out)
	switch {
	case errors.Is(err, config.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(errOut, "server:", err)
		return 2
	}
	if err := execute(ctx, line, words, version, out, errOut); err != nil {
		fmt.Fprintln(errOut, "server:", said(err))
		return 1
	}
	return 0
}

// said is what a person at a terminal reads of an error: a refusal's sentence where it is one.
func said(err error) string {
	var r *models.Refusal
	if errors.As(err, &r) && r.Code != models.CodeInternal {
		return fmt.Sprintf("%s (%s)", r.Sentence("en"), r.Code)
	}
	return err.Error()
}

func execute(ctx context.Context, line config.Line, words, version string,
	out, errOut io.Writer) error {
	log := newLog(line.Config, errOut)
	switch words {
	case "version":
		fmt.Fprintf(out, "connecthub %s, zone data %s\n", version, window.ZoneDataVersion())
		return nil
	case "seal key":
		return printSealKey(out)
	case "windows":
		return printWindows(out, line.Windows)
	case "serve":
		return Run(ctx, line.Config, Around{Version: version, Now: time.Now, Log: log, Out: out})
	}
	ctx, cancel := context.WithTimeout(ctx, commandDeadline)
	defer cancel()
	if words == "migrate" {
		return migrate(ctx, line.Config, log, out)
	}
	h, err := openHub(ctx, line.Config, time.Now, log)
	if err != nil {
		return err
	}
	err = command{hub: h, line: line, out: out, log: log}.run(ctx, words)
	return errors.Join(err, h.store.Close())
}

func migrate(ctx context.Context, c config.Config, log *slog.Logger, out io.Writer) error {
	s, err := openStore(ctx, c, time.Now, log)
	if err != nil {
		return err
	}
	from, to, err := s.Migrate(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("cannot migrate the database: %w", err), s.Close())
	}
	fmt.Fprintf(out, "database migrated from version %d to %d\n", from, to)
	return s.Close()
}

func newLog(c config.Config, out io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo // the settings have been validated
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
