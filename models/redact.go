package models

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// Redacted stands where a secret would have.
const Redacted = "[redacted]"

// secretWords are parts of the names of fields whose values never reach an audit record.
var secretWords = [...]string{"password", "passphrase", "secret", "token", "ticket", "cookie",
	"credential", "private", "authorization", "assertion", "proof", "recovery", "otp", "nonce",
	"apikey", "api_key", "session_hash", "sessionhash", "return_code", "seal", "statement"}

// openNames are fields with such words, or with long random values, that are no secrets: public
// keys and what is public about something.
var openNames = map[string]bool{
	"token_id": true, "tokenid": true, "tokens": true, "credential_id": true, "passkey_id": true,
	"key_thumb": true, "keythumb": true, "thumbprint": true, "fingerprint": true, "digest": true,
	"public_key": true, "key": true, "hash": true, "subject": true, "client_id": true, "requirecomparisoncode": true, "require_comparison_code": true,
	"secret_set": true, "client_secret_set": true,
}

// secretForms are texts that hold a secret wherever they stand: a signed token, a private key, a
// password's hash, 256 bits in hexadecimal digits or in base64.
var secretForms = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.|` +
	`-----BEGIN [A-Z ]*PRIVATE KEY|\$argon2|[0-9a-fA-F]{64}|[A-Za-z0-9+/]{43}=`)

// longRuns are what 256 random bits look like in base64url, and what a long name looks like too.
var longRuns = regexp.MustCompile(`[A-Za-z0-9_-]{43,}`)

// secretText says whether the text looks as only secrets and what is made from them do.
func secretText(text string) bool {
	if secretForms.MatchString(text) {
		return true
	}
	for _, run := range longRuns.FindAllString(text, -1) {
		if strings.ContainsAny(run, "0123456789") && strings.ToLower(run) != run &&
			strings.ToUpper(run) != run {
			return true
		}
	}
	return false
}

// redact takes what may be a secret out of a JSON value, by the names of its fields and by the form
// of its texts. It is the second wall: nobody records a secret on purpose.
func redact(raw []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil
	}
	cleaned, changed := clean(v, "")
	if !changed {
		return raw
	}
	out, err := json.Marshal(cleaned)
	if err != nil {
		return nil
	}
	return out
}

func clean(v any, name string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		changed := false
		for key, value := range v {
			if secretName(key) && !empty(value) {
				v[key], changed = Redacted, true
				continue
			}
			cleaned, c := clean(value, key)
			v[key], changed = cleaned, changed || c
		}
		return v, changed
	case []any:
		changed := false
		for i := range v {
			cleaned, c := clean(v[i], name)
			v[i], changed = cleaned, changed || c
		}
		return v, changed
	case string:
		if !openNames[strings.ToLower(name)] && secretText(v) {
			return Redacted, true
		}
	}
	return v, false
}

func secretName(name string) bool {
	name = strings.ToLower(name)
	if openNames[name] {
		return false
	}
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// empty says whether the value tells nothing but whether there is one.
func empty(v any) bool {
	switch v := v.(type) {
	case nil, bool:
		return true
	case string:
		return v == ""
	}
	return false
}
