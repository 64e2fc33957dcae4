package models

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

// noVersion is what no version has: it is older than every one.
var noVersion = [maxVersionParts]int64{-1, -1, -1, -1, -1, -1, -1}

// versionParts keeps the build number apart in the last place, so that 1.0-2 is older than 1.0.1.
// It is asked many times a poll, and so it goes over the text once.
func versionParts(text string) ([maxVersionParts]int64, bool) {
	var parts [maxVersionParts]int64
	if len(text) > 64 {
		return noVersion, false
	}
	at, digits, build := 0, 0, false
	for k := range len(text) {
		c := text[k]
		if c >= '0' && c <= '9' {
			if digits++; digits > 9 {
				return noVersion, false
			}
			parts[at] = parts[at]*10 + int64(c-'0')
			continue
		}
		if digits == 0 || build || c != '.' && c != '-' {
			return noVersion, false
		}
		build, digits = c == '-', 0
		if at++; build {
			at = maxVersionParts - 1
		} else if at == maxVersionParts-1 {
			return noVersion, false
		}
	}
	if digits == 0 {
		return noVersion, false
	}
	return parts, true
}
