package models

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// RefusalKind says what sort of refusal it is; only the edge turns it into a status.
type RefusalKind string

// The kinds of refusal.
const (
	KindInvalid      RefusalKind = "invalid"      // the input is wrong
	KindUnauthorized RefusalKind = "unauthorized" // nobody is signed in, or the credential is void
	KindForbidden    RefusalKind = "forbidden"    // signed in, but not this
	KindNotFound     RefusalKind = "not_found"    // not there or not yours: the same answer (R29)
	KindConflict     RefusalKind = "conflict"     // the state does not allow it now
	KindGone         RefusalKind = "gone"         // was valid once
	KindTooLarge     RefusalKind = "too_large"
	KindTooMany      RefusalKind = "too_many"
	KindUnavailable  RefusalKind = "unavailable"
	KindInternal     RefusalKind = "internal"
)

// Code is the stable word of a refusal; docs/errors.md lists every one.
type Code string

// Refusal is a no with its reason: a stable code, the field it is about, and what its sentence
// names. Its sentences in English and Japanese stand in one table beside the codes.
type Refusal struct {
	Kind       RefusalKind
	Code       Code
	Field      string
	Subject    string // what the sentence names, e.g. a display name
	RetryAfter time.Duration
	Statement  string // a signed statement for a node (R6)
}

// Error is for logs; people read Sentence.
func (r *Refusal) Error() string {
	text := string(r.Code)
	if r.Field != "" {
		text += " (" + r.Field + ")"
	}
	if r.Subject != "" {
		text += fmt.Sprintf(": %q", r.Subject)
	}
	return text
}

// Is lets errors.Is compare refusals by code.
func (r *Refusal) Is(target error) bool {
	var other *Refusal
	return errors.As(target, &other) && other.Code == r.Code
}

// Sentence answers in "ja" or, for any other language, in English.
func (r *Refusal) Sentence(language string) string {
	texts, ok := sentences[r.Code]
	if !ok {
		texts = sentences[CodeInternal]
	}
	text := texts.en
	if language == "ja" {
		text = texts.ja
	}
	return strings.ReplaceAll(text, "{subject}", r.Subject)
}

// Invalid refuses wrong input in one field.
func Invalid(code Code, field string) *Refusal {
	return &Refusal{Kind: KindInvalid, Code: code, Field: field}
}

// Conflict refuses what the present state does not allow.
func Conflict(code Code, subject string) *Refusal {
	return &Refusal{Kind: KindConflict, Code: code, Subject: subject}
}

// NotFound is the one answer for what does not exist and for what is another's (R29).
func NotFound() *Refusal { return &Refusal{Kind: KindNotFound, Code: "not_found"} }

// Forbidden refuses what the role does not allow.
func Forbidden() *Refusal { return &Refusal{Kind: KindForbidden, Code: "forbidden"} }

// Unauthorized refuses a missing or void credential.
func Unauthorized(code Code) *Refusal { return &Refusal{Kind: KindUnauthorized, Code: code} }

// CodeInternal is the one refusal that says nothing but its tracking id.
const CodeInternal Code = "internal"
