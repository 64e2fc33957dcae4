package window

import (
	"errors"
	"time"
)

// Kind says for which releases a window opens.
type Kind string

// The two kinds: each has its schedule, and a window of one never opens for the other.
const (
	Regular   Kind = "regular"
	Emergency Kind = "emergency"
)

// Valid says whether k is one of the two kinds.
func (k Kind) Valid() bool { return k == Regular || k == Emergency }

// The refusals of a postponement.
var (
	ErrPostponed    = errors.New("an upgrade is already postponed")
	ErrNotPostponed = errors.New("no upgrade is postponed")
	ErrTooLate      = errors.New("the postponed window is over or would be open by now")
)

// Plan is all that decides when a cluster may be upgraded: its two schedules, since when each
// holds, and the two exceptions an admin can make. It is a value: its methods change nothing.
type Plan struct {
	Regular   Rule
	Emergency Rule

	// A changed schedule holds for starts at or after its commit (R13). Zero: it always held.
	ValidFrom          time.Time // of Regular
	EmergencyValidFrom time.Time // of Emergency

	// Postponed is the start of the one regular window that is skipped (R12); zero: none. It stays
	// after that window has passed, until the owner of the plan sees that no upgrade is pending.
	Postponed time.Time

	// Extra is the window that an Upgrade now has opened, for releases of ExtraKind (R15).
	Extra     Window
	ExtraKind Kind
}

// Open is the window of the kind that is open now, if there is one. Of two it is the one that
// stays open longer.
func (p Plan) Open(kind Kind, now time.Time) (Window, bool) {
	rule, _ := p.schedule(kind)
	w := p.first(kind, now.Add(1-rule.Length))
	open := w.Contains(now)
	if p.ExtraKind == kind && p.Extra.Contains(now) && (!open || p.Extra.End.After(w.End)) {
		return p.Extra, true
	}
	if !open {
		return Window{}, false
	}
	return w, true
}

// NextOpen is the window of the kind that opens next, after now. It is what is shown as the next
// upgrade (R11): both it and Open ask the same function.
func (p Plan) NextOpen(kind Kind, now time.Time) Window {
	w := p.first(kind, now.Add(1))
	if p.ExtraKind == kind && p.Extra.Start.After(now) && p.Extra.Start.Before(w.Start) {
		return p.Extra
	}
	return w
}

// NextEither is the window of either schedule that starts next, after now. It is all that a node
// may learn outside its windows (R14), so that postponements and extra windows, which tell of a
// pending release, do not count.
func (p Plan) NextEither(now time.Time) Window {
	p.Postponed = time.Time{}
	regular, emergency := p.first(Regular, now.Add(1)), p.first(Emergency, now.Add(1))
	if emergency.Start.Before(regular.Start) {
		return emergency
	}
	return regular
}

// Postpone skips exactly the next regular window that has not opened (R12); an emergency window
// never. It refuses with ErrPostponed as long as the plan holds a postponement, past or not.
func (p Plan) Postpone(now time.Time) (Plan, error) {
	if !p.Postponed.IsZero() {
		return p, ErrPostponed
	}
	p.Postponed = p.first(Regular, now.Add(1)).Start
	return p, nil
}

// TakeBack ends the postponement. It refuses with ErrNotPostponed where there is none, and with
// ErrTooLate from the start of the skipped window on (R12).
func (p Plan) TakeBack(now time.Time) (Plan, error) {
	if p.Postponed.IsZero() {
		return p, ErrNotPostponed
	}
	if !now.Before(p.Postponed) {
		return p, ErrTooLate
	}
	p.Postponed = time.Time{}
	return p, nil
}

// UpgradeNow opens one extra window of the kind, from now on and as long as those of its schedule
// (R15). It takes the place of an earlier one.
func (p Plan) UpgradeNow(kind Kind, now time.Time) Plan {
	rule, _ := p.schedule(kind)
	now = now.UTC()
	p.Extra, p.ExtraKind = Window{Start: now, End: now.Add(rule.Length)}, kind
	return p
}

// first is the first window of the kind's schedule that starts at from or later and is to open.
// Whatever is shown and whatever opens comes from here (R11).
func (p Plan) first(kind Kind, from time.Time) Window {
	rule, validFrom := p.schedule(kind)
	if from.Before(validFrom) {
		from = validFrom
	}
	w := rule.Next(from)
	if kind == Regular && !p.Postponed.IsZero() && w.Start.Equal(p.Postponed) {
		w = rule.Next(w.Start.Add(1))
	}
	return w
}

// schedule is the rule of a kind, and since when it holds. An unknown kind has no windows.
func (p Plan) schedule(kind Kind) (Rule, time.Time) {
	switch kind {
	case Regular:
		return p.Regular, p.ValidFrom
	case Emergency:
		return p.Emergency, p.EmergencyValidFrom
	default:
		return Rule{}, time.Time{}
	}
}

// MaxPutOff is how far changes of a schedule together may put off a pending upgrade (R13).
const MaxPutOff = 8 * 24 * time.Hour

// PutsOffTooFar says whether the change of a plan, made now while an upgrade of the kind is
// pending, must be refused (R13): it puts off the next chance, and to more than 8 days after the
// one counted from (see CountFrom). A change that puts off nothing is never refused.
func PutsOffTooFar(old, changed Plan, kind Kind, now, chance time.Time) bool {
	after := changed.chance(kind, now)
	return after.After(old.chance(kind, now)) &&
		after.Sub(old.CountFrom(kind, now, chance)) > MaxPutOff
}

// CountFrom is the chance from which the 8 days count: the one given, which is the start of the
// window that the upgrade had before it when it became pending; or, where the cluster has since
// been given a whole chance under p, its next one. Whoever commits a change keeps the answer
// beside the changed plan, for the next change.
func (p Plan) CountFrom(kind Kind, now, chance time.Time) time.Time {
	_, since := p.schedule(kind)
	if since.Before(chance) {
		since = chance
	}
	// A chance is whole when its window was there up to its start-by: a schedule that is changed
	// in every first second of its windows gives none.
	if given := p.first(kind, since); StartBy(given).After(now) {
		return chance
	}
	return p.chance(kind, now)
}

// chance is when the next upgrade of the kind can start: in the window that is open, as long as it
// offers permits, and otherwise in the next one.
func (p Plan) chance(kind Kind, now time.Time) time.Time {
	if w, open := p.Open(kind, now); open && !now.After(StartBy(w)) {
		return w.Start
	}
	return p.NextOpen(kind, now).Start
}
