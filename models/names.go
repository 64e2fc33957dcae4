package models

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FQDN is a fully qualified domain name as RFC 1123 has it, in lower case (R1).
type FQDN string

// ParseFQDN folds to lower case and refuses: no dot, over 253 characters, an IP address, a port, a
// scheme, a label that RFC 1123 does not allow (R1).
func ParseFQDN(text string) (FQDN, error) {
	name := strings.ToLower(text)
	if len(name) != len(text) || strings.ContainsFunc(text, func(r rune) bool { return r > 'z' }) {
		return "", Invalid("invalid_fqdn", "fqdn") // a letter beyond ASCII may fold into one of it
	}
	if name == "" {
		return "", Invalid("fqdn_required", "fqdn")
	}
	if len(name) > 253 || !strings.Contains(name, ".") {
		return "", Invalid("invalid_fqdn", "fqdn")
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", Invalid("fqdn_is_address", "fqdn")
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if !validLabel(label) {
			return "", Invalid("invalid_fqdn", "fqdn")
		}
	}
	if allDigits(labels[len(labels)-1]) {
		return "", Invalid("fqdn_is_address", "fqdn")
	}
	return FQDN(name), nil
}

func validLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// ParseDisplayName trims white space around the name and refuses fewer than 1 or more than 128
// characters and control characters (R1).
func ParseDisplayName(text string) (string, error) {
	name := strings.TrimSpace(text)
	if name == "" {
		return "", Invalid("display_name_required", "display_name")
	}
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > 128 {
		return "", Invalid("invalid_display_name", "display_name")
	}
	for _, r := range name {
		if unicode.IsControl(r) || (unicode.Is(unicode.Cf, r) && r != '\u200d') {
			return "", Invalid("invalid_display_name", "display_name")
		}
	}
	return name, nil
}

// FoldName is what two display names share when an organization may not have both (R1).
func FoldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }
