package agent

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
