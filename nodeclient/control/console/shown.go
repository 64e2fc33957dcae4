package console

import (
	"fmt"
	"strings"
	"time"
)

// Moment is how a time is shown: on the civil clock of this node's zone, with the zone's name.
func (s *Session) Moment(at time.Time) string { return Moment(at.In(s.Now().Location())) }

// Moment is a time in its own zone, with the zone's name.
func Moment(at time.Time) string { return at.Format("2006-01-02 15:04:05 MST") }

// Span is a duration as people say it, such as "1 h 30 min", in at most two units.
func Span(d time.Duration, language string) string {
	d = max(d.Round(time.Second), 0)
	var parts []string
	for _, unit := range []struct {
		size   time.Duration
		en, ja string
	}{{24 * time.Hour, "d", "日"}, {time.Hour, "h", "時間"}, {time.Minute, "min", "分"}, {time.Second, "s", "秒"}} {
		n := d / unit.size
		d -= n * unit.size
		switch {
		case len(parts) == 0 && n == 0 && unit.size > time.Second:
			continue
		case len(parts) > 0 && n == 0:
			return strings.Join(parts, " ")
		}
		name := unit.en
		if language == "ja" {
			name = unit.ja
		}
		if parts = append(parts, fmt.Sprintf("%d %s", n, name)); len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}
