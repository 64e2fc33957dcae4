package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
)

func TestAnAnswerWrittenByHandIsWhatTheLibraryWrites(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 600000, time.UTC)
	abroad := at.In(time.FixedZone("x", 3600))
	var tried int
	for _, subject := range []string{"", "2.0.0", `"`, "a<b>&c", "東京", "line\nbreak", "\x80"} {
		for _, earliest := range []*time.Time{nil, &at, &abroad} {
			for flags := range 32 {
				r := wire.PollResponse{Protocol: 1, Now: at, NextPollMS: 270123,
					Decision: wire.Decision{Verb: models.VerbHold,
						Reason: models.ReasonWindowClosed, Subject: subject, Earliest: earliest},
					Maintenance: flags&1 != 0, SendFacts: flags&2 != 0, SendPackages: flags&16 != 0}
				if flags&4 != 0 {
					r.PermitEnded = "permit-1"
				}
				if flags&8 != 0 {
					r.Permit = &wire.Permit{ID: "permit-2", StartBy: at}
					r.ForgetDenied = []models.Version{"2.0.0"}
				}
				want, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := wire.AppendPollResponse(nil, r)
				if err != nil || string(got) != string(want) {
					t.Fatalf("got\n%s, want\n%s (%v)", got, want, err)
				}
				tried++
			}
		}
	}
	if tried != 7*3*32 {
		t.Error(tried)
	}
}
