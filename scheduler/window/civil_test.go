package window_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/scheduler/window"
)

func TestR9OnlyATimeOfDayIsATimeOfDay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"00:00", "03:00", "23:59"} {
		if got, err := window.ParseTimeOfDay(text); err != nil || got.String() != text {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "3:00", "03:0", "24:00", "23:60", "-1:00", "03:00:00", " 3:00", "03.00", "0x:00",
		"+3:00", "03:00 ", "０3:00", "noon!", strings.Repeat("0", 1<<16),
	} {
		_, err := window.ParseTimeOfDay(text)
		if !errors.Is(err, window.ErrTimeOfDay) || len(err.Error()) > 200 {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestR9DaysAreANonEmptySetOfWeekdays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]window.Days{
		"monday":        window.On(time.Monday),
		"sunday,monday": window.On(time.Monday, time.Sunday),
		"daily":         window.Daily,
		"monday,tuesday,wednesday,thursday,friday,saturday,sunday": window.Daily,
	} {
		if got, err := window.ParseDays(strings.Split(text, ",")); err != nil || got != want {
			t.Errorf("%q is read as %v, %v", text, got.Names(), err)
		}
	}
	for _, text := range []string{
		"", "Monday", "mon", "montag", "monday,monday", "daily,monday", "monday,daily",
		"monday,", " monday", strings.Repeat("monday,", 1000),
	} {
		if got, err := window.ParseDays(strings.Split(text, ",")); !errors.Is(err, window.ErrDays) {
			t.Errorf("%.20q is read as %v, %v", text, got.Names(), err)
		}
	}
	if _, err := window.ParseDays(nil); !errors.Is(err, window.ErrDays) {
		t.Errorf("no day at all: %v", err)
	}
}

func TestDaysAreNamedFromMonday(t *testing.T) {
	t.Parallel()
	got := window.On(time.Sunday, time.Saturday, time.Monday).Names()
	if want := []string{"monday", "saturday", "sunday"}; !slices.Equal(got, want) {
		t.Errorf("names are %v, want %v", got, want)
	}
	if !window.Days(0).Empty() || window.Daily.Empty() || len(window.Daily.Names()) != 7 {
		t.Error("the empty set and the full one are confused")
	}
}

func TestOnlyADateIsADate(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1900-01-01", "2028-02-29", "9999-12-31"} {
		if got, err := window.ParseDate(text); err != nil || got.String() != text {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "2026-02-29", "2026-13-01", "2026-00-10", "1899-12-31", "2026-1-01", "26-01-01",
		"2026/01/01", "2026-01-01Z", "+026-01-01", strings.Repeat("2", 1<<16),
	} {
		_, err := window.ParseDate(text)
		if !errors.Is(err, window.ErrDate) || len(err.Error()) > 200 {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func FuzzParseTimeOfDay(f *testing.F) {
	f.Add("03:00")
	f.Add("24:00")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := window.ParseTimeOfDay(text)
		if err == nil && got.String() != text {
			t.Errorf("%q is read as %v", text, got)
		}
	})
}

func FuzzParseDays(f *testing.F) {
	f.Add("monday,sunday")
	f.Add("daily")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := window.ParseDays(strings.Split(text, ","))
		if err != nil {
			return
		}
		again, err := window.ParseDays(got.Names())
		if err != nil || again != got || got.Empty() {
			t.Errorf("%q is read as %v", text, got.Names())
		}
	})
}

func FuzzParseDate(f *testing.F) {
	f.Add("2028-02-29")
	f.Add("2026-02-29")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := window.ParseDate(text)
		if err == nil && got.String() != text {
			t.Errorf("%q is read as %v", text, got)
		}
	})
}

func FuzzLoadZone(f *testing.F) {
	f.Add("Europe/Berlin")
	f.Add("../etc/passwd")
	f.Fuzz(func(t *testing.T, name string) {
		z, err := window.LoadZone(name)
		_, listed := slices.BinarySearch(window.ZoneNames(), name)
		if (err == nil) != listed || err == nil && z.Name() != name {
			t.Errorf("%q: %v, %v", name, z, err)
		}
	})
}

// FuzzNext asks at odd times in all zones: there is always a next window, and it is the first.
func FuzzNext(f *testing.F) {
	f.Add(uint16(0), uint16(180), uint8(127), int64(1_800_000_000))
	f.Add(uint16(300), uint16(0), uint8(1), int64(2_114_467_200))
	f.Fuzz(func(t *testing.T, zoneNumber, minute uint16, days uint8, at int64) {
		names := window.ZoneNames()
		r := window.Rule{
			Time: window.TimeOfDay{Hour: int(minute / 60 % 24), Minute: int(minute % 60)},
			Days: window.Days(days)%window.Daily + 1,
			Zone: zone(t, names[int(zoneNumber)%len(names)]), Length: window.DefaultLength,
		}
		const year9000 = 221_845_392_000
		now := time.Unix(at%year9000, 0)
		w := r.Next(now)
		if w.Start.Before(now) || w.Start.Sub(now) > 16*24*time.Hour {
			t.Fatalf("%v %v: after %v comes %v", r.Zone, r.Time, now, w)
		}
		if got := r.Next(w.Start); got != w {
			t.Errorf("%v %v: from %v on comes %v", r.Zone, r.Time, w.Start, got)
		}
		if got, open := r.At(w.Start); !open || got != w {
			t.Errorf("%v %v: at %v it is %v, %v", r.Zone, r.Time, w.Start, got, open)
		}
	})
}
