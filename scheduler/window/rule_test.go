package window_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/scheduler/window"
)

func zone(t testing.TB, name string) window.Zone {
	t.Helper()
	z, err := window.LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// rule makes a rule of two hours from words.
func rule(t testing.TB, zoneName, at, days string) window.Rule {
	t.Helper()
	clock, err := window.ParseTimeOfDay(at)
	if err != nil {
		t.Fatal(err)
	}
	set, err := window.ParseDays(strings.Split(days, ","))
	if err != nil {
		t.Fatal(err)
	}
	r, err := window.NewRule(clock, set, zone(t, zoneName), window.DefaultLength)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func utc(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestR8AScheduleHasNoFieldThatSwitchesItOff(t *testing.T) {
	t.Parallel()
	var fields []string
	for f := range reflect.TypeFor[window.Rule]().Fields() {
		fields = append(fields, f.Name)
	}
	if want := []string{"Time", "Days", "Zone", "Length"}; !slices.Equal(fields, want) {
		t.Errorf("a rule has the fields %v, want %v", fields, want)
	}
}

func TestR8TheDefaultIsDailyAtThreeInTheZone(t *testing.T) {
	t.Parallel()
	got := window.DefaultRule(zone(t, "Asia/Tokyo"))
	if want := rule(t, "Asia/Tokyo", "03:00", "daily"); got != want {
		t.Errorf("the default is %v, want %v", got, want)
	}
}

func TestR9ARuleWithoutWindowsIsRefused(t *testing.T) {
	t.Parallel()
	tokyo, three := zone(t, "Asia/Tokyo"), window.TimeOfDay{Hour: 3}
	for name, c := range map[string]struct {
		at     window.TimeOfDay
		days   window.Days
		zone   window.Zone
		length time.Duration
		want   error
	}{
		"no such hour":     {window.TimeOfDay{Hour: 24}, window.Daily, tokyo, 2 * time.Hour, window.ErrTimeOfDay},
		"no such minute":   {window.TimeOfDay{Minute: -1}, window.Daily, tokyo, 2 * time.Hour, window.ErrTimeOfDay},
		"no day":           {three, 0, tokyo, 2 * time.Hour, window.ErrDays},
		"an eighth day":    {three, 1 << 7, tokyo, 2 * time.Hour, window.ErrDays},
		"no zone":          {three, window.Daily, window.Zone{}, 2 * time.Hour, window.ErrZone},
		"too short":        {three, window.Daily, tokyo, 29 * time.Minute, window.ErrLength},
		"too long":         {three, window.Daily, tokyo, 12*time.Hour + time.Minute, window.ErrLength},
		"parts of minutes": {three, window.Daily, tokyo, time.Hour + time.Second, window.ErrLength},
	} {
		if _, err := window.NewRule(c.at, c.days, c.zone, c.length); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, length := range []time.Duration{window.MinLength, window.MaxLength} {
		if _, err := window.NewRule(three, window.Daily, tokyo, length); err != nil {
			t.Errorf("%v is refused: %v", length, err)
		}
	}
}

func TestR10AWindowIsHalfOpen(t *testing.T) {
	t.Parallel()
	r := rule(t, "Europe/Berlin", "03:00", "daily")
	start, end := utc(t, "2026-11-22T02:00:00Z"), utc(t, "2026-11-22T04:00:00Z")
	for at, want := range map[time.Time]bool{
		start.Add(-1): false, start: true, end.Add(-1): true, end: false,
	} {
		w, open := r.At(at)
		if open != want || open && (!w.Start.Equal(start) || !w.End.Equal(end)) {
			t.Errorf("at %v: %v, %v; want %v", at, w, open, want)
		}
	}
	if got := r.Next(start); !got.Start.Equal(start) {
		t.Errorf("the first window from its own start on is %v", got)
	}
	if got := r.Next(start.Add(1)); !got.Start.Equal(start.Add(24 * time.Hour)) {
		t.Errorf("the first window after the start is %v", got)
	}
}

func TestR10AWindowLastsElapsedTimeAcrossAJump(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z"} {
		w := rule(t, "Europe/Berlin", "01:30", "daily").Next(utc(t, from))
		if w.Length() != 2*time.Hour || w.Start.Location() != time.UTC {
			t.Errorf("%v lasts %v", w, w.Length())
		}
	}
}

func TestR10TheClocksGoOnForEver(t *testing.T) {
	t.Parallel()
	for _, name := range window.ZoneNames() {
		z := zone(t, name)
		r := window.DefaultRule(z)
		for _, year := range []int{1900, 1969, 2036, 2040, 2100, 2400, 9996} {
			from := time.Date(year, 12, 30, 0, 0, 0, 0, time.UTC)
			for _, w := range r.Upcoming(from, 4) {
				if got := w.Start.In(z.Location()); got.Hour() != 3 && year > 2000 {
					t.Errorf("%s in %d: %v", name, year, got)
				}
			}
		}
	}
}

func TestTheZeroRuleHasNoWindows(t *testing.T) {
	t.Parallel()
	var r window.Rule
	now := utc(t, "2026-11-22T02:00:00Z")
	if w := r.Next(now); !w.IsZero() {
		t.Errorf("next is %v", w)
	}
	if w, open := r.At(now); open {
		t.Errorf("open is %v", w)
	}
	if n := len(r.Upcoming(now, 3)) + len(r.From(window.Date{Year: 2026, Month: 1, Day: 1}, 3)); n > 0 {
		t.Errorf("%d windows are listed", n)
	}
}

func TestR10UpcomingListsTheWindowsInOrder(t *testing.T) {
	t.Parallel()
	r := rule(t, "Asia/Kolkata", "11:00", "monday,thursday")
	var got []string
	for _, w := range r.Upcoming(utc(t, "2026-11-23T05:30:00Z"), 3) {
		got = append(got, w.Start.Format(time.RFC3339))
	}
	want := []string{"2026-11-23T05:30:00Z", "2026-11-26T05:30:00Z", "2026-11-30T05:30:00Z"}
	if !slices.Equal(got, want) {
		t.Errorf("upcoming: %v, want %v", got, want)
	}
}

// vectors reads the published file.
func vectors(t *testing.T) []publishedVector {
	t.Helper()
	text, err := os.ReadFile("../../docs/windows-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var all []publishedVector
	if err := decoder.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

type publishedVector struct {
	Zone, Time string
	Days       []string
	From       string
	Starts     []string
}

func TestR10ThePublishedVectorsHold(t *testing.T) {
	t.Parallel()
	all := vectors(t)
	if len(all) < 50 {
		t.Fatalf("only %d vectors", len(all))
	}
	for _, v := range all {
		r := rule(t, v.Zone, v.Time, strings.Join(v.Days, ","))
		from, err := window.ParseDate(v.From)
		if err != nil {
			t.Fatal(err)
		}
		var printed bytes.Buffer
		if err := window.PrintStarts(&printed, r, from, len(v.Starts)); err != nil {
			t.Fatal(err)
		}
		if want := strings.Join(v.Starts, "\n") + "\n"; printed.String() != want {
			t.Errorf("%s %s %v from %s: %q, want %q", v.Zone, v.Time, v.Days, v.From, &printed, want)
		}
		if seen := watched(t, r, from, len(v.Starts)); !slices.Equal(seen, v.Starts) {
			t.Errorf("%s %s %v from %s: the clocks say %v", v.Zone, v.Time, v.Days, v.From, seen)
		}
	}
}

// watched is the oracle's answer to what a vector asks.
func watched(t *testing.T, r window.Rule, from window.Date, n int) []string {
	t.Helper()
	days := make([]wallDay, 7*n+7)
	first := dayNumber(from)
	watch(r.Zone.Location(), first, days)
	var starts []string
	for i := range days {
		number := first + int64(i)
		start, ok := days[i].start(number, r.Time)
		if ok && r.Days.Has(time.Unix(number*daySeconds, 0).UTC().Weekday()) && len(starts) < n {
			starts = append(starts, start.Format(time.RFC3339))
		}
	}
	return starts
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestPrintStartsReportsAFailedWrite(t *testing.T) {
	t.Parallel()
	r := rule(t, "UTC", "03:00", "daily")
	err := window.PrintStarts(brokenPipe{}, r, window.Date{Year: 2026, Month: 1, Day: 1}, 1000)
	if !errors.Is(err, os.ErrClosed) {
		t.Errorf("the error is %v", err)
	}
}
