// Package words is how a VOS machine refuses its administrator: a code and a sentence in both languages.
// It knows no command.
package words

import (
	"fmt"
	"strings"
)

// Refusal is why something is not done.
type Refusal struct {
	Code              string
	english, japanese string
}

// Refuse makes a Refusal. The same arguments fill both sentences.
func Refuse(code, english, japanese string, args ...any) *Refusal {
	return &Refusal{code, fmt.Sprintf(english, args...), fmt.Sprintf(japanese, args...)}
}

// Error is the English sentence.
func (r *Refusal) Error() string { return r.english }

// Sentence is the refusal in "ja" or, for any other language, in English.
func (r *Refusal) Sentence(language string) string {
	if language == "ja" {
		return r.japanese
	}
	return r.english
}

// All are several refusals at once, a line each.
type All []*Refusal

// Err is nil where there is none.
func (a All) Err() error {
	if len(a) == 0 {
		return nil
	}
	return a
}

// Error is the English sentences.
func (a All) Error() string { return a.Sentence("en") }

// Sentence is each in the language.
func (a All) Sentence(language string) string {
	lines := make([]string, 0, len(a))
	for _, r := range a {
		lines = append(lines, r.Sentence(language))
	}
	return strings.Join(lines, "\n")
}
