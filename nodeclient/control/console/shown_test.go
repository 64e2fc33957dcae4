package console_test

import (
	"testing"
	"time"

	"connecthub/nodeclient/control/console"
)

func TestDurationsAndTimesAreShownAsPeopleSayThem(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration][2]string{
		0:                          {"0 s", "0 秒"},
		-time.Hour:                 {"0 s", "0 秒"},
		1400 * time.Millisecond:    {"1 s", "1 秒"},
		10 * time.Minute:           {"10 min", "10 分"},
		time.Hour:                  {"1 h", "1 時間"},
		90 * time.Minute:           {"1 h 30 min", "1 時間 30 分"},
		time.Hour + time.Second:    {"1 h", "1 時間"},
		200 * time.Second:          {"3 min 20 s", "3 分 20 秒"},
		50*time.Hour + time.Minute: {"2 d 2 h", "2 日 2 時間"},
	} {
		if en, ja := console.Span(d, "en"), console.Span(d, "ja"); en != want[0] || ja != want[1] {
			t.Errorf("%s: %q, %q", d, en, ja)
		}
	}
	tokyo := time.FixedZone("JST", 9*60*60)
	s := &console.Session{Now: func() time.Time { return time.Now().In(tokyo) }}
	if text := s.Moment(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)); text != "2026-11-22 19:00:00 JST" {
		t.Error(text)
	}
}
