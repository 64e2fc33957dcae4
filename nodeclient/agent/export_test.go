package agent

import "time"

// RecordLate is the mutant of the crash proof: every record but the first reaches the disk only when
// the next one is due, so that steps are done before they are written.
func (a *Agent) RecordLate() {
	var held func() error
	a.write = func(change func() error) error {
		due := held
		held = change
		if due == nil {
			return nil
		}
		return due()
	}
}

// Allowed asks an allowance of the given age, by the monotonic and by the wall clock.
func Allowed(within, mono, wall time.Duration) bool {
	at := time.Now()
	later := at.Add(mono)
	a := allowance{permit: "p", at: at.Add(mono - wall).Round(0), within: within}
	if mono == wall {
		a.at = at
	}
	return a.holds("p", later)
}
