package window

import (
	"math"
	"time"
)

// paperTime is a civil date and time written as seconds, as if the zone had no offset. It serves
// to count civil days; it is no instant until the clocks of a zone have made one of it.
type paperTime int64

// secondsPerDay is the length of a civil day on paper: what clocks on the wall count through.
const secondsPerDay = 24 * 60 * 60

func (d Date) midnight() paperTime {
	return paperTime(time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix())
}

func midnightOf(seconds int64) paperTime {
	day := seconds / secondsPerDay
	if seconds%secondsPerDay < 0 {
		day--
	}
	return paperTime(day * secondsPerDay)
}

// weekday of the civil day that begins at this midnight. The first day of the count, 1 January
// 1970, was a Thursday.
func (midnight paperTime) weekday() time.Weekday {
	day := int64(midnight) / secondsPerDay
	return time.Weekday(((day+int64(time.Thursday))%7 + 7) % 7)
}

// widestOffset is more than any zone was ever away from UTC, in seconds: the instants at which
// clocks show a given time lie within it on either side.
const widestOffset = 16 * 60 * 60

// clocks follow the clocks of a zone from one stretch of constant offset to the next. They only
// go forward: who asks them for a time asks for no earlier one afterwards.
type clocks struct {
	stretch
	loc *time.Location
}

// stretch is the time from one jump of the clocks, or from an earlier question, to the next jump.
type stretch struct {
	offset int64 // of the clocks from UTC, in seconds
	end    int64 // the instant of the jump; there may be none
}

// clocksFrom are the clocks of the zone early enough to be asked for any time of the civil day
// that begins at midnight.
func (z *zone) clocksFrom(midnight paperTime) clocks {
	return clocks{stretchAt(time.Unix(int64(midnight)-widestOffset, 0).In(z.loc)), z.loc}
}

func stretchAt(t time.Time) stretch {
	_, offset := t.Zone()
	_, end := t.ZoneBounds()
	switch {
	case end.IsZero():
		return stretch{offset: int64(offset), end: math.MaxInt64}
	case !end.After(t):
		// Go counts 365 days to every year that follows a rule of law, so that on the last day of
		// a leap year this end is past. The clocks do not jump any more in that year.
		end = time.Date(t.UTC().Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	return stretch{offset: int64(offset), end: end.Unix()}
}

// show is the instant at which the clocks show t for the first time on the civil day that begins
// at midnight. Where they jump over it, it is when they would have shown it without the jump (RFC
// 5545 section 3.3.5); but where they jump over the whole day, there is none.
//
// time.Date does not serve: in a gap and in an overlap it promises neither of two answers.
func (c *clocks) show(midnight paperTime, t TimeOfDay) (instant int64, ok bool) {
	local := int64(midnight) + int64(t.Hour)*3600 + int64(t.Minute)*60
	for {
		instant = local - c.offset
		if instant < c.end {
			return instant, true
		}
		next := stretchAt(time.Unix(c.end, 0).In(c.loc))
		from, to := c.end+c.offset, c.end+next.offset
		if from <= local && local < to {
			wholeDay := from <= int64(midnight) && int64(midnight)+secondsPerDay <= to
			return instant, !wholeDay
		}
		c.stretch = next
	}
}
