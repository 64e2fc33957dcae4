package models

import (
	"strconv"
	"strings"
)

// Version is a release number such as "2.10.1" or "15.0.1.10000-21": one to six numbers parted by
// dots, and at most one build number behind a hyphen. Every pair of versions has one order (R23).
type Version string

const maxVersionParts = 7

// ParseVersion refuses what has no place in that order.
func ParseVersion(text string) (Version, error) {
	if _, ok := versionParts(text); !ok {
		return "", Invalid("invalid_version", "version")
	}
	return Version(text), nil
}

// Compare answers -1, 0 or 1. A missing number counts as zero; what is no version is older than
// every version.
func (v Version) Compare(w Version) int {
	a, _ := versionParts(string(v))
	b, _ := versionParts(string(w))
	for i := range a {
		switch {
		case a[i] < b[i]:
			return -1
		case a[i] > b[i]:
			return 1
		}
	}
	return 0
}

// Less says whether v is older than w.
func (v Version) Less(w Version) bool { return v.Compare(w) < 0 }

// versionParts keeps the build number apart in the last place, so that 1.0-2 is older than 1.0.1.
func versionParts(text string) ([maxVersionParts]int64, bool) {
	var parts [maxVersionParts]int64
	for i := range parts {
		parts[i] = -1
	}
	if len(text) > 64 {
		return parts, false
	}
	numbers, build, hasBuild := strings.Cut(text, "-")
	i := 0
	for word := range strings.SplitSeq(numbers, ".") {
		n, ok := versionNumber(word)
		if !ok || i == maxVersionParts-1 {
			for j := range parts {
				parts[j] = -1
			}
			return parts, false
		}
		parts[i] = n
		i++
	}
	for ; i < maxVersionParts; i++ {
		parts[i] = 0
	}
	if hasBuild {
		n, ok := versionNumber(build)
		if !ok {
			for j := range parts {
				parts[j] = -1
			}
			return parts, false
		}
		parts[maxVersionParts-1] = n
	}
	return parts, true
}

func versionNumber(word string) (int64, bool) {
	if word == "" || len(word) > 9 {
		return 0, false
	}
	for _, r := range word {
		if r < '0' || r > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(word, 10, 64)
	return n, err == nil
}
