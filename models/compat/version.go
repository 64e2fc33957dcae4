// Package compat is what may follow what: versions of contact-center components, what each needs
// before it can be orchestrated, the paths of an upgrade, the stages of a deployment, and who has
// to be how far before whom. Its facts are data files beside it; it knows no machine.
package compat

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"connecthub/models"
)

// Version is a version of a component, such as 12.6(1), 12.5(1)ES66 or 15.0(1)SU2. The zero value is
// no version: it is older than every one. Two versions are the same exactly when they are ==.
type Version struct {
	Major, Minor, Maintenance int
	SU                        int // service update, 0 where there is none
	ES                        int // engineering special, 0 where there is none
}

// ErrVersion is matched by every refusal of a version's text.
var ErrVersion = errors.New("not a version of a component")

const (
	maxVersionText   = 32
	maxVersionDigits = 4
	firstBuild       = 10000 // VOS counts its builds from here
)

// Parse reads "12.6(1)", "12.6(1)ES4", "12.6(2)_ES04", "12.5(1) ES66", "15.0(1)SU2" and
// "15.0(1)SU1ES3". A space, a hyphen or an underscore may stand before SU and ES; leading zeros
// and case do not count.
func Parse(text string) (Version, error) {
	v, rest := Version{}, text
	if len(text) > maxVersionText {
		return Version{}, fmt.Errorf("%w: %.40q", ErrVersion, text)
	}
	ok := number(&rest, &v.Major) && literal(&rest, ".") && number(&rest, &v.Minor) &&
		literal(&rest, "(") && number(&rest, &v.Maintenance) && literal(&rest, ")") && v.Major > 0
	ok = ok && suffix(&rest, "SU", &v.SU) && suffix(&rest, "ES", &v.ES)
	if !ok || rest != "" {
		return Version{}, fmt.Errorf("%w: %.40q", ErrVersion, text)
	}
	return v, nil
}

func literal(rest *string, word string) (found bool) {
	*rest, found = strings.CutPrefix(*rest, word)
	return found
}

func number(rest *string, to *int) bool {
	n := 0
	for n < len(*rest) && (*rest)[n] >= '0' && (*rest)[n] <= '9' {
		n++
	}
	if n == 0 || n > maxVersionDigits {
		return false
	}
	*to, _ = strconv.Atoi((*rest)[:n])
	*rest = (*rest)[n:]
	return true
}

// suffix reads what may be absent; a zero after the word is refused.
func suffix(rest *string, word string, to *int) bool {
	after := strings.TrimLeft(*rest, " _-")
	if len(*rest)-len(after) > 1 || len(after) < len(word) ||
		!strings.EqualFold(after[:len(word)], word) {
		return true
	}
	after = after[len(word):]
	if !number(&after, to) || *to == 0 {
		return false
	}
	*rest = after
	return true
}

// FromRelease reads the number of a bundle: 12.6.1 is 12.6(1), 12.6.1.0.4 is 12.6(1)ES4, 15.0.1.2 is
// 15.0(1)SU2. A fourth number from 10000 on is a build and says neither SU nor ES.
func FromRelease(r models.Version) (Version, error) {
	head, _, _ := strings.Cut(string(r), "-")
	parts := strings.Split(head, ".")
	var n [5]int
	if _, err := models.ParseVersion(string(r)); err != nil || len(parts) < 3 {
		return Version{}, fmt.Errorf("%w: %.40q", ErrVersion, string(r))
	}
	for i, p := range parts {
		if i == 3 && len(p) > maxVersionDigits {
			break
		}
		if i == len(n) || len(p) > maxVersionDigits {
			return Version{}, fmt.Errorf("%w: %.40q", ErrVersion, string(r))
		}
		n[i], _ = strconv.Atoi(p)
	}
	if n[0] == 0 {
		return Version{}, fmt.Errorf("%w: %.40q", ErrVersion, string(r))
	}
	return Version{Major: n[0], Minor: n[1], Maintenance: n[2], SU: n[3], ES: n[4]}, nil
}

// Release is the number that a bundle of this version bears; FromRelease reads it back. Both orders
// agree.
func (v Version) Release() models.Version {
	s := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Maintenance)
	if v.ES > 0 {
		return models.Version(fmt.Sprintf("%s.%d.%d", s, v.SU, v.ES))
	}
	if v.SU > 0 {
		return models.Version(fmt.Sprintf("%s.%d", s, v.SU))
	}
	return models.Version(s)
}

// String is the one spelling that is shown and stored; the zero value is empty.
func (v Version) String() string {
	if v.IsZero() {
		return ""
	}
	s := fmt.Sprintf("%d.%d(%d)", v.Major, v.Minor, v.Maintenance)
	if v.SU > 0 {
		s += fmt.Sprintf("SU%d", v.SU)
	}
	if v.ES > 0 {
		s += fmt.Sprintf("ES%d", v.ES)
	}
	return s
}

// IsZero says whether this is no version.
func (v Version) IsZero() bool { return v == Version{} }

// Base is the release without service update and engineering special.
func (v Version) Base() Version {
	return Version{Major: v.Major, Minor: v.Minor, Maintenance: v.Maintenance}
}

// Compare answers -1, 0 or 1.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor),
		cmp.Compare(v.Maintenance, w.Maintenance), cmp.Compare(v.SU, w.SU), cmp.Compare(v.ES, w.ES))
}

// Less says whether v is older than w.
func (v Version) Less(w Version) bool { return v.Compare(w) < 0 }

// MarshalText writes String.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what Parse reads; an empty text is no version.
func (v *Version) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*v = Version{}
		return nil
	}
	*v, err = Parse(string(text))
	return err
}
