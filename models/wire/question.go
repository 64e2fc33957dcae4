package wire

import (
	"strconv"

	"connecthub/models"
)

// ReadUsualPoll reads what an idle, healthy node without news sends, as encoding/json writes it: it
// is what a hub reads most. On anything else it says false and leaves the request as it was; then
// encoding/json must read it. What it does read, encoding/json reads as the same.
func ReadUsualPoll(text []byte, into *PollRequest) bool {
	var r PollRequest
	s := scan{rest: text, ok: true}
	r.Protocol = int(s.number(`{"protocol":`))
	r.ClientVersion = s.word(`,"client_version":"`)
	r.Version = models.Version(s.word(`,"version":"`))
	s.skip(`,"step":"idle"`)
	r.Step = models.StepIdle
	r.HighestFence.Incarnation = s.number(`,"highest_fence":{"incarnation":`)
	r.HighestFence.Counter = s.number(`,"counter":`)
	s.skip(`},"health":"healthy"`)
	r.Health = models.Healthy
	r.FactsDigest = s.word(`,"facts_digest":"`)
	r.BootID = s.word(`,"boot_id":"`)
	r.Counter = s.number(`,"counter":`)
	clock := s.plain(`,"clock":"`)
	s.skip(`}`)
	if !s.ok || len(s.rest) > 0 || r.Clock.UnmarshalText(clock) != nil {
		return false
	}
	*into = r
	return true
}

// scan goes through a text that must be as expected to the byte; ok ends where it is not.
type scan struct {
	rest []byte
	ok   bool
}

func (s *scan) skip(expected string) {
	if len(s.rest) < len(expected) || string(s.rest[:len(expected)]) != expected {
		s.ok, s.rest = false, nil
		return
	}
	s.rest = s.rest[len(expected):]
}

// number is a natural number of at most 18 digits, as JSON writes it.
func (s *scan) number(before string) uint64 {
	s.skip(before)
	i := 0
	for i < len(s.rest) && s.rest[i] >= '0' && s.rest[i] <= '9' {
		i++
	}
	if i == 0 || i > 18 || i > 1 && s.rest[0] == '0' {
		s.ok = false
		return 0
	}
	n, err := strconv.ParseUint(string(s.rest[:i]), 10, 64)
	s.ok = s.ok && err == nil
	s.rest = s.rest[i:]
	return n
}

func (s *scan) word(before string) string { return string(s.plain(before)) }

// plain is a string's text up to its closing quote, where that is what stands there.
func (s *scan) plain(before string) []byte {
	s.skip(before)
	for i, c := range s.rest {
		switch {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text
		case c < ' ' || c > '~' || c == '\\':
			s.ok = false
			return nil
		}
	}
	s.ok = false
	return nil
}
