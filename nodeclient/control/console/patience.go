package console

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// reader reads one answer. While this session holds a lock it gives up when the answer is not there in
// time: what waits for the lock is not kept from its turn by a prompt that somebody has left.
func (s *Session) reader(f *os.File) func([]byte) (int, error) {
	if s.hold == nil || !s.hold.Held() {
		return f.Read
	}
	patience := s.Patience
	if patience == 0 {
		patience = Patience
	}
	begun := s.Now()
	return func(into []byte) (int, error) {
		for {
			left := patience - s.Now().Sub(begun)
			if left <= 0 {
				return 0, Refuse("prompt_timeout", "nobody answered within %s; nothing was begun, so that the node's "+
					"other work can go on", "%s 以内に入力がなかったため中止しました。何も開始していません", patience)
			}
			fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}} //nolint:gosec // a descriptor is small
			n, err := unix.Poll(fds, int(min(left, time.Minute)/time.Millisecond)+1)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return 0, fmt.Errorf("cannot wait for the answer: %w", err)
			}
			if n > 0 {
				return f.Read(into)
			}
		}
	}
}

// unread is why an answer was not read; a refusal stays what it is.
func unread(what string, err error) error {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return fmt.Errorf("cannot read the %s: %w", what, err)
}
