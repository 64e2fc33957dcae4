package models

import (
	"crypto/sha256"
	"slices"
	"strings"
)

// MaxPackages is how many packages a PackageSet names; of more, some are left out.
const MaxPackages = 8000

const packageMark = 5 // octets

// PackageSet is the names of a machine's packages: of each the first 5 octets of its SHA-256, in
// order, without a gap. Its size has a limit whatever the packages are called, and a node can send
// all of it without being asked for names, which would tell it of a release (R14). A name that is
// not in it counts as being there once in 2^40/n times.
type PackageSet []byte

// NewPackageSet holds the names, each once; more says that some did not fit.
func NewPackageSet(names []string) (set PackageSet, more bool) {
	marks := make([]string, 0, len(names))
	for _, name := range names {
		marks = append(marks, markOf(name))
	}
	slices.Sort(marks)
	marks = slices.Compact(marks)
	if more = len(marks) > MaxPackages; more {
		marks = marks[:MaxPackages]
	}
	return PackageSet(strings.Join(marks, "")), more
}

// Packages are the packages of a machine.
type Packages struct {
	Names PackageSet `json:"names"`          // base64
	More  bool       `json:"more,omitempty"` // there are more than Names can hold
}

func markOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return string(sum[:packageMark])
}

// Len is how many packages it names.
func (s PackageSet) Len() int { return len(s) / packageMark }

func (s PackageSet) mark(i int) string { return string(s[i*packageMark : (i+1)*packageMark]) }

// Valid says whether NewPackageSet could have made it.
func (s PackageSet) Valid() bool {
	if len(s)%packageMark != 0 || s.Len() > MaxPackages {
		return false
	}
	for i := 1; i < s.Len(); i++ {
		if s.mark(i-1) >= s.mark(i) {
			return false
		}
	}
	return true
}

// Has says whether it names the package.
func (s PackageSet) Has(name string) bool {
	mark, from, to := markOf(name), 0, s.Len()
	for from < to {
		switch at := (from + to) / 2; strings.Compare(s.mark(at), mark) {
		case 0:
			return true
		case -1:
			from = at + 1
		default:
			to = at
		}
	}
	return false
}
