package window_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"connecthub/scheduler/window"
)

// The oracle knows what R10 says and nothing of how the package does it. It walks through UTC
// minute by minute and writes down what the clocks of the zone show.

const (
	daySeconds = 24 * 60 * 60
	dayMinutes = 24 * 60
	never      = -1
)

// wallDay is a civil day as somebody saw it who looked at the clock every minute.
type wallDay struct {
	seen  bool              // the zone has had this day
	first [dayMinutes]int64 // when a minute was shown first; never
	gap   [dayMinutes]int64 // where it was not: the offset before the clocks jumped over it
}

// dayNumber counts civil days from 1 January 1970.
func dayNumber(d window.Date) int64 {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix() / daySeconds
}

func dateNumbered(n int64) window.Date {
	y, m, d := time.Unix(n*daySeconds, 0).UTC().Date()
	return window.Date{Year: y, Month: m, Day: d}
}

// watch looks at the clocks of a zone for all of the civil days from number first on.
func watch(loc *time.Location, first int64, days []wallDay) {
	for i := range days {
		days[i].seen = false
		for m := range dayMinutes {
			days[i].first[m] = never
		}
	}
	begin, end := (first-1)*daySeconds, (first+int64(len(days))+1)*daySeconds
	var shownBefore, offsetBefore int64
	for at := begin; at < end; at += 60 {
		_, o := time.Unix(at, 0).In(loc).Zone()
		offset := int64(o)
		shown := at + offset
		if at > begin {
			for missed := shownBefore + 60; missed < shown; missed += 60 {
				if i := missed/daySeconds - first; i >= 0 && i < int64(len(days)) {
					days[i].gap[missed%daySeconds/60] = offsetBefore
				}
			}
		}
		shownBefore, offsetBefore = shown, offset
		i := shown/daySeconds - first
		if i < 0 || i >= int64(len(days)) {
			continue
		}
		days[i].seen = true
		if m := shown % daySeconds / 60; days[i].first[m] == never {
			days[i].first[m] = at
		}
	}
}

// start is when the day's window starts, if the day has one.
func (d *wallDay) start(number int64, t window.TimeOfDay) (time.Time, bool) {
	m := t.Hour*60 + t.Minute
	switch {
	case !d.seen:
		return time.Time{}, false
	case d.first[m] != never:
		return time.Unix(d.first[m], 0).UTC(), true
	default:
		return time.Unix(number*daySeconds+int64(m)*60-d.gap[m], 0).UTC(), true
	}
}

// subject is what is compared with the oracle: the package, or a mutant of it.
type subject struct {
	from func(window.Rule, window.Date, int) []window.Window
	next func(window.Rule, time.Time) window.Window
	at   func(window.Rule, time.Time) (window.Window, bool)
}

var thePackage = subject{window.Rule.From, window.Rule.Next, window.Rule.At}

// tally counts what was compared. A subject that is wrong is wrong often: only the first few
// mismatches are kept in words.
type tally struct {
	days, mismatches int
	words            []string
}

func (y *tally) add(other tally) {
	y.days += other.days
	y.mismatches += other.mismatches
	y.words = append(y.words, other.words[:min(len(other.words), 20-min(20, len(y.words)))]...)
}

func (y *tally) miss(format string, args ...any) {
	y.mismatches++
	if len(y.words) < 5 {
		y.words = append(y.words, fmt.Sprintf(format, args...))
	}
}

var theTimes = []string{
	"00:00", "00:01", "00:30", "01:30", "02:00", "02:15", "02:30", "02:59", "03:00", "03:30",
	"12:00", "23:30", "23:59",
}

// theRules is how many rules each zone is tried with: each time daily, and weekly on each weekday.
func theRules() int { return len(theTimes) * 8 }

// compare tries a subject on the civil days of one zone that the oracle has watched.
func compare(s subject, z window.Zone, first int64, days []wallDay) tally {
	y := tally{days: len(days)}
	for _, text := range theTimes {
		t, _ := window.ParseTimeOfDay(text)
		daily := window.Rule{Time: t, Days: window.Daily, Zone: z, Length: window.DefaultLength}
		var starts []time.Time
		for i := range days {
			number := first + int64(i)
			start, ok := days[i].start(number, t)
			if !ok {
				continue
			}
			starts = append(starts, start)
			compareWeekly(&y, s, daily, dateNumbered(number), start)
		}
		compareDaily(&y, s, daily, dateNumbered(first), starts)
	}
	return y
}

// compareDaily expects exactly the given windows, one after the other, from every side.
func compareDaily(y *tally, s subject, r window.Rule, from window.Date, starts []time.Time) {
	listed := s.from(r, from, len(starts))
	for i, want := range starts {
		if !listed[i].Start.Equal(want) || listed[i].End.Sub(listed[i].Start) != r.Length {
			y.miss("%v %v from %v: window %d starts %v, want %v",
				r.Zone, r.Time, from, i, listed[i].Start, want)
		}
		after := want
		if i > 0 {
			after = starts[i-1].Add(1)
		}
		if got := s.next(r, after); !got.Start.Equal(want) {
			y.miss("%v %v: after %v comes %v, want %v", r.Zone, r.Time, after, got.Start, want)
		}
		last := want.Add(r.Length - 1)
		if got, ok := s.at(r, last); !ok || !got.Start.Equal(want) {
			y.miss("%v %v: at %v it is %v, %v, want %v", r.Zone, r.Time, last, got.Start, ok, want)
		}
		if got, ok := s.at(r, want.Add(-1)); ok && !got.End.Equal(want) {
			y.miss("%v %v: before %v it is open, %v", r.Zone, r.Time, want, got.Start)
		}
	}
}

// compareWeekly expects the window of a scheduled day, and no other within five days before it: six days
// lie between two windows of a week in which a civil day was skipped.
func compareWeekly(y *tally, s subject, r window.Rule, d window.Date, want time.Time) {
	r.Days = window.On(time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Weekday())
	if got := s.from(r, d, 1); len(got) != 1 || !got[0].Start.Equal(want) {
		y.miss("%v %v weekly on %v: starts %v, want %v", r.Zone, r.Time, d, got, want)
	}
	fiveDays := want.Add(-5 * 24 * time.Hour)
	if got := s.next(r, fiveDays); !got.Start.Equal(want) {
		y.miss("%v %v weekly: after %v comes %v, want %v", r.Zone, r.Time, fiveDays, got.Start, want)
	}
}

const firstProofYear, lastProofYear = 2024, 2037

func yearStart(year int) int64 { return dayNumber(window.Date{Year: year, Month: 1, Day: 1}) }

// offsetChanges finds the civil days on which the clocks of a zone jump, by looking at them every
// twelve hours.
func offsetChanges(loc *time.Location) []int64 {
	var found []int64
	const step = 12 * 60 * 60
	_, before := time.Unix(yearStart(firstProofYear)*daySeconds, 0).In(loc).Zone()
	end := yearStart(lastProofYear+1) * daySeconds
	for at := yearStart(firstProofYear) * daySeconds; at < end; at += step {
		_, offset := time.Unix(at, 0).In(loc).Zone()
		if offset != before {
			lo, hi := at-step, at
			for hi-lo > 60 {
				mid := lo + (hi-lo)/120*60
				if _, o := time.Unix(mid, 0).In(loc).Zone(); o == before {
					lo = mid
				} else {
					hi = mid
				}
			}
			found = append(found, (hi+int64(before))/daySeconds)
		}
		before = offset
	}
	return found
}

// compareEveryDay walks through all the years, whole.
func compareEveryDay(s subject, z window.Zone) tally {
	var y tally
	days := make([]wallDay, 366)
	for year := firstProofYear; year <= lastProofYear; year++ {
		first := yearStart(year)
		these := days[:yearStart(year+1)-first]
		watch(z.Location(), first, these)
		y.add(compare(s, z, first, these))
	}
	return y
}

// compareChosenDays walks through the days around each jump of the clocks, unless a zone with the
// very same jumps has been through it, and through some days by chance.
func compareChosenDays(s subject, z window.Zone, known *sync.Map, chance *rand.Rand) tally {
	var chosen []int64
	changes := offsetChanges(z.Location())
	_, offset := time.Unix(yearStart(firstProofYear)*daySeconds, 0).In(z.Location()).Zone()
	if _, twin := known.LoadOrStore(fmt.Sprint(offset, changes), z); !twin {
		chosen = append(chosen, changes...)
	}
	// The last day of a leap year is one on which Go's own bounds of a zone are wrong.
	chosen = append(chosen, dayNumber(window.Date{Year: 2036, Month: 12, Day: 31}))
	for range 3 {
		all := yearStart(lastProofYear+1) - yearStart(firstProofYear)
		chosen = append(chosen, yearStart(firstProofYear)+chance.Int64N(all))
	}
	var y tally
	days := make([]wallDay, 3)
	for _, middle := range chosen {
		watch(z.Location(), middle-1, days)
		y.add(compare(s, z, middle-1, days))
	}
	return y
}

func TestR10EveryScheduledCivilDayHasExactlyOneWindowInEveryZone(t *testing.T) {
	t.Parallel()
	long := os.Getenv("LONG") == "1"
	seed := rand.Uint64()
	names := window.ZoneNames()
	var (
		known sync.Map
		mu    sync.Mutex
		total tally
		wait  sync.WaitGroup
		queue = make(chan int)
	)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range queue {
				z, err := window.LoadZone(names[i])
				if err != nil {
					t.Error(err)
					continue
				}
				var y tally
				if long {
					y = compareEveryDay(thePackage, z)
				} else {
					y = compareChosenDays(thePackage, z, &known, rand.New(rand.NewPCG(seed, uint64(i))))
				}
				mu.Lock()
				total.add(y)
				mu.Unlock()
			}
		})
	}
	for i := range names {
		queue <- i
	}
	close(queue)
	wait.Wait()
	for _, words := range total.words {
		t.Error(words)
	}
	if total.mismatches > 0 || total.days < 3*len(names) {
		t.Errorf("%d mismatches in %d days (seed %d)", total.mismatches, total.days, seed)
	}
	fmt.Printf("proof 2.4-windows zones=%d years=%d rules=%d days=%d mismatches=%d "+
		"seed=%d long=%t data=%s\n",
		len(names), lastProofYear-firstProofYear+1, theRules()*len(names), total.days,
		total.mismatches, seed, long, window.ZoneDataVersion())
}
