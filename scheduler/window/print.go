package window

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// PrintStarts writes the starts of the windows on the first n scheduled civil days that are from
// or later, in RFC 3339 and UTC, one a line.
func PrintStarts(w io.Writer, rule Rule, from Date, n int) error {
	out := bufio.NewWriter(w)
	for _, window := range rule.From(from, n) {
		if _, err := fmt.Fprintln(out, window.Start.Format(time.RFC3339)); err != nil {
			return fmt.Errorf("cannot print the windows: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("cannot print the windows: %w", err)
	}
	return nil
}
