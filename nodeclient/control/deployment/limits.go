package deployment

import (
	"fmt"

	"connecthub/nodeclient/control/settings"
)

// UsualParallel is how many machines are worked on at once where nobody has said it.
const UsualParallel = 10

type parallel struct {
	Max int `json:"max"` // 0: the usual one
}

// Parallel is how many machines are worked on at once.
func Parallel(store *settings.Store) (int, error) {
	p, _, err := settings.Read[parallel](store, settings.Parallel)
	if p.Max == 0 {
		p.Max = UsualParallel
	}
	return p.Max, err
}

// SetParallel takes 1 to the number of onboarded machines; 0 goes back to the usual one.
func SetParallel(store *settings.Store, by string, n, onboarded int) error {
	if n != 0 && (n < 1 || n > onboarded) {
		return &RangeError{onboarded}
	}
	_, err := settings.Update(store, settings.Parallel, by, func(p *parallel) error {
		p.Max = n
		return nil
	})
	return err
}

// RangeError says how many may be worked on at once.
type RangeError struct{ Most int }

// Error says it.
func (r *RangeError) Error() string {
	return fmt.Sprintf("give a number from 1 to %d, the number of onboarded nodes", r.Most)
}

type compatibility struct {
	Off bool `json:"off"` // it is enforced unless somebody has disabled it
}

// Enforced says whether the compatibility check can refuse a procedure.
func Enforced(store *settings.Store) (bool, error) {
	c, _, err := settings.Read[compatibility](store, settings.Compatibility)
	return !c.Off, err
}

// SetEnforced enables or disables that.
func SetEnforced(store *settings.Store, by string, on bool) error {
	_, err := settings.Update(store, settings.Compatibility, by, func(c *compatibility) error {
		c.Off = !on
		return nil
	})
	return err
}
