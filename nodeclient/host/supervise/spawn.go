package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	spawnWait  = 10 * time.Second
	spawnRetry = 20 * time.Millisecond
)

// Ensure makes sure that a supervisor answers for dir; where none does it starts argv, detached
// from this process, its group and its terminal.
func Ensure(ctx context.Context, dir string, argv []string) error {
	client := Client{Dir: dir}
	if _, err := client.Status(ctx); err == nil || !errors.Is(err, ErrAway) {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, logsDir), 0o700); err != nil {
		return fmt.Errorf("cannot make folder: %w", err)
	}
	out, err := os.OpenFile(filepath.Join(dir, logsDir, "supervisor.log"),
		os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open supervisor log: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // it outlives this process on purpose
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start supervisor: %w", err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, spawnWait)
	defer cancel()
	tick := time.NewTicker(spawnRetry)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot start supervisor: %w", ctx.Err())
		case err := <-gone:
			return fmt.Errorf("cannot start supervisor: it ended at once (see %s): %w", out.Name(), err)
		case <-tick.C:
			if _, err := client.Status(ctx); err == nil {
				return nil
			}
		}
	}
}
