package models

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is text that must not be shown: printed, logged or written as JSON it is "[secret]".
// Reveal is the one way to it.
type Secret string

const hidden = "[secret]"

// Reveal answers the text itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// Format hides it from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// String hides it.
func (s Secret) String() string { return hidden }

// LogValue hides it.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides it, in JSON as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
