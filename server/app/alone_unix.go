//go:build unix

package app

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"connecthub/server/config"
)

// alone refuses to serve a default database that another process serves: the two would not hear
// of each other's changes. The lock ends with the process, however it ends.
func alone(c config.Config) (unlock func(), err error) {
	if !c.Embedded() {
		return func() {}, nil
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(c.Data, "serve.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot serve %s: another hub does: %w", c.Data, err)
	}
	return func() { file.Close() }, nil
}
