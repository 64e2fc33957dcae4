package target

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"connecthub/nodeclient/control/remote"
)

// Away tells a machine that was not reached or was lost (ErrAway) from one that is not to be asked
// again, such as one that shows another host key.
func Away(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrAway), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, remote.ErrUnreachable), errors.Is(err, remote.ErrTimeout),
		errors.Is(err, remote.ErrGone), errors.Is(err, remote.ErrNoSSH),
		errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrAway, err)
	case errors.Is(err, remote.ErrDiskFull):
		return Fail(DiskFull, "")
	}
	return err
}

// Plain is what a machine wrote, in printable characters and at most so many bytes.
func Plain(s string, limit int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s))
	for len(s) > limit {
		runes := []rune(s)
		s = string(runes[:len(runes)-1-(len(s)-limit)/4])
	}
	return s
}
