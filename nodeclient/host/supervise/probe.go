package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"connecthub/nodeclient/host/bundle"
)

const (
	loopback  = "127.0.0.1"
	maxAnswer = 64 << 10
	commandWD = time.Second
)

// probe asks a service once whether it serves.
func (k *keeper) probe(ctx context.Context) error {
	h := k.svc.Health
	ctx, cancel := context.WithTimeout(ctx, h.Timeout.D())
	defer cancel()
	switch {
	case h.HTTP != nil:
		code, err := k.call(ctx, h.HTTP)
		if err != nil {
			return err
		}
		if code < 200 || code > 299 {
			return fmt.Errorf("the health check answered %d", code)
		}
		return nil
	case h.TCP != "":
		port, err := k.values.Port(h.TCP)
		if err != nil {
			return err
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address(port))
		if err != nil {
			return fmt.Errorf("cannot connect: %w", err)
		}
		return conn.Close()
	default:
		return k.command(ctx, h.Command)
	}
}

// callDrain reports whether the service is still draining: it says so with 202.
func (k *keeper) callDrain(ctx context.Context, c *bundle.HTTPCall) (bool, error) {
	call := *c
	if call.Method == "" {
		call.Method = http.MethodPost
	}
	code, err := k.call(ctx, &call)
	if err != nil {
		return false, err
	}
	if code < 200 || code > 299 {
		return false, fmt.Errorf("the drain call answered %d", code)
	}
	return code == http.StatusAccepted, nil
}

// call never leaves this machine: no proxy, no redirect, no connection that is kept.
func (k *keeper) call(ctx context.Context, c *bundle.HTTPCall) (int, error) {
	port, err := k.values.Port(c.Port)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, c.Method, "http://"+address(port)+c.Path, nil)
	if err != nil {
		return 0, fmt.Errorf("cannot call %s: %w", c.Path, err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("cannot call %s: %w", c.Path, err)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, fmt.Errorf("cannot read answer of %s: %w", c.Path, err)
	}
	return resp.StatusCode, nil
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// command runs a check or a drain of the bundle; it and its children end with the deadline.
func (k *keeper) command(ctx context.Context, words []string) error {
	argv, env, err := k.prepare(words)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = env, k.sup.slots.Path(k.slot)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = commandWD
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("command %s: %w", words[0], err)
	}
	return nil
}

func (s *Supervisor) logFile(service string) string {
	return filepath.Join(s.opts.Dir, logsDir, service+".log")
}

// rotateLogs keeps each log and one older one below the bound. The service holds the file, so it is
// copied and cut: lines written in between are lost, the disk is not.
func (s *Supervisor) rotateLogs(ctx context.Context) {
	tick := time.NewTicker(rotateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		keepers := s.keepers
		s.mu.Unlock()
		for _, k := range keepers {
			if err := rotate(s.logFile(k.svc.Name), s.opts.LogBytes); err != nil {
				s.opts.Log.Warn("log not turned over", "service", k.svc.Name, "err", err)
			}
		}
	}
}

func rotate(name string, limit int64) error {
	info, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) || (err == nil && info.Size() <= limit) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot measure log: %w", err)
	}
	copyErr := copyTail(name, name+".1", limit)
	if err := os.Truncate(name, 0); err != nil {
		return fmt.Errorf("cannot cut log: %w", err)
	}
	return copyErr
}

func copyTail(from, to string, limit int64) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("cannot read log: %w", err)
	}
	defer in.Close()
	if info, err := in.Stat(); err == nil && info.Size() > limit {
		if _, err := in.Seek(info.Size()-limit, io.SeekStart); err != nil {
			return fmt.Errorf("cannot read log: %w", err)
		}
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write older log: %w", err)
	}
	_, err = io.Copy(out, io.LimitReader(in, limit))
	return errors.Join(err, out.Close())
}
