package wire

import (
	"encoding/json"
	"strconv"
	"time"
)

// AppendPollResponse appends the JSON of an answer to dst, byte for byte as encoding/json writes it.
// The usual answer, without a permit, is written by hand: it is what a hub does most.
func AppendPollResponse(dst []byte, r PollResponse) ([]byte, error) {
	usual := r.Permit == nil && len(r.ForgetDenied) == 0 && r.PermitOpen == "" &&
		len(r.ByHandHeard) == 0 && plain(string(r.Decision.Verb)) &&
		plain(string(r.Decision.Reason)) && plain(r.Decision.Subject) &&
		plain(string(r.PermitEnded)) && ordinary(r.Now) &&
		(r.Decision.Earliest == nil || ordinary(*r.Decision.Earliest))
	if !usual {
		text, err := json.Marshal(r)
		return append(dst, text...), err
	}
	dst = strconv.AppendInt(append(dst, `{"protocol":`...), int64(r.Protocol), 10)
	dst = r.Now.AppendFormat(append(dst, `,"now":"`...), time.RFC3339Nano)
	dst = strconv.AppendInt(append(dst, `","next_poll_ms":`...), r.NextPollMS, 10)
	dst = appendDecision(append(dst, `,"decision":`...), r.Decision)
	if r.PermitEnded != "" {
		dst = append(append(dst, `,"permit_ended":"`...), r.PermitEnded...)
		dst = append(dst, '"')
	}
	if r.Maintenance {
		dst = append(dst, `,"maintenance":true`...)
	}
	if r.SendFacts {
		dst = append(dst, `,"send_facts":true`...)
	}
	if r.SendPackages {
		dst = append(dst, `,"send_packages":true`...)
	}
	return append(dst, '}'), nil
}

func appendDecision(dst []byte, d Decision) []byte {
	dst = append(append(dst, `{"verb":"`...), d.Verb...)
	dst = append(append(dst, `","reason":"`...), d.Reason...)
	dst = append(dst, '"')
	if d.Subject != "" {
		dst = append(append(dst, `,"subject":"`...), d.Subject...)
		dst = append(dst, '"')
	}
	if d.Earliest != nil {
		dst = d.Earliest.AppendFormat(append(dst, `,"earliest":"`...), time.RFC3339Nano)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// plain says whether JSON writes the text as it stands.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// ordinary says whether RFC 3339 can write the time without a second look.
func ordinary(t time.Time) bool {
	return t.Location() == time.UTC && t.Year() >= 0 && t.Year() < 10000
}
