package window

import (
	"errors"
	"fmt"
	"math/bits"
	"time"
)

// The refusals of the parsers.
var (
	ErrTimeOfDay = errors.New("not a time of day between 00:00 and 23:59")
	ErrDays      = errors.New("not a list of different days of the week")
	ErrDate      = errors.New("not a date between 1900-01-01 and 9999-12-31")
)

// TimeOfDay is what a clock on the wall shows, to the minute.
type TimeOfDay struct{ Hour, Minute int }

// ParseTimeOfDay reads HH:MM, 00:00 to 23:59, always five characters.
func ParseTimeOfDay(s string) (TimeOfDay, error) {
	if len(s) == 5 && s[2] == ':' {
		hour, ok1 := twoDigits(s[:2])
		minute, ok2 := twoDigits(s[3:])
		if t := (TimeOfDay{hour, minute}); ok1 && ok2 && t.valid() {
			return t, nil
		}
	}
	return TimeOfDay{}, fmt.Errorf("cannot read %.16q: %w", s, ErrTimeOfDay)
}

// String is the form that ParseTimeOfDay reads.
func (t TimeOfDay) String() string { return fmt.Sprintf("%02d:%02d", t.Hour, t.Minute) }

func (t TimeOfDay) valid() bool {
	return t.Hour >= 0 && t.Hour < 24 && t.Minute >= 0 && t.Minute < 60
}

func twoDigits(s string) (int, bool) {
	if s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' {
		return 0, false
	}
	return int(s[0]-'0')*10 + int(s[1]-'0'), true
}

// Days is a set of days of the week. The zero value is the empty set, which no schedule has.
type Days uint8

// Daily is every day of the week.
const Daily Days = 1<<7 - 1

// On makes the set of the days given.
func On(days ...time.Weekday) Days {
	var set Days
	for _, d := range days {
		set |= 1 << d & Daily
	}
	return set
}

// dayNames starts with Sunday, as time.Weekday does.
var dayNames = [7]string{
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
}

// ParseDays reads lower-case English names. The single word "daily" stands for all seven. It
// refuses an empty list, an unknown name and a name given twice.
func ParseDays(names []string) (Days, error) {
	if len(names) == 1 && names[0] == "daily" {
		return Daily, nil
	}
	var set Days
	for _, name := range names {
		d, ok := dayNamed(name)
		if !ok || set.Has(d) {
			return 0, fmt.Errorf("cannot read day %.16q: %w", name, ErrDays)
		}
		set |= On(d)
	}
	if set.Empty() {
		return 0, fmt.Errorf("cannot read no day at all: %w", ErrDays)
	}
	return set, nil
}

func dayNamed(name string) (time.Weekday, bool) {
	for i, n := range dayNames {
		if n == name {
			return time.Weekday(i), true
		}
	}
	return 0, false
}

// Has says whether d is in the set.
func (d Days) Has(day time.Weekday) bool { return d>>day&1 == 1 }

// Empty says whether no day is in the set.
func (d Days) Empty() bool { return d&Daily == 0 }

// Names lists the days from Monday to Sunday, in the form that ParseDays reads.
func (d Days) Names() []string {
	names := make([]string, 0, bits.OnesCount8(uint8(d&Daily)))
	for i := range 7 {
		if day := time.Weekday((i + 1) % 7); d.Has(day) {
			names = append(names, dayNames[day])
		}
	}
	return names
}

// Date is a civil date: a page of the calendar, the same words in every zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// The years that ParseDate reads: before them zones were not yet law.
const (
	firstYear = 1900
	lastYear  = 9999
)

// ParseDate reads YYYY-MM-DD, always ten characters, and refuses days that no calendar has.
func ParseDate(s string) (Date, error) {
	if len(s) == 10 {
		t, err := time.Parse(time.DateOnly, s)
		if err == nil && t.Year() >= firstYear && t.Year() <= lastYear {
			return dateOf(t), nil
		}
	}
	return Date{}, fmt.Errorf("cannot read %.16q: %w", s, ErrDate)
}

// String is the form that ParseDate reads.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

func dateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}
