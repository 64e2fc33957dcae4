package wire_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
)

func usualPoll() wire.PollRequest {
	return wire.PollRequest{Protocol: 1, ClientVersion: "1.2.3", Version: "15.0.1.10000-1",
		Step: models.StepIdle, HighestFence: models.Fence{Incarnation: 1, Counter: 7},
		Health: models.Healthy, FactsDigest: "abc", BootID: "boot", Counter: 42,
		Clock: time.Date(2030, 1, 2, 3, 4, 5, 600000, time.UTC)}
}

func marshal(t testing.TB, r wire.PollRequest) []byte {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// strictly reads like every other request is read.
func strictly(text []byte) (wire.PollRequest, error) {
	var r wire.PollRequest
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	if err == nil && len(bytes.TrimSpace(text[d.InputOffset():])) > 0 {
		err = json.Unmarshal(text, &r)
	}
	return r, err
}

// same fails where what was read by hand is not what the library reads.
func same(t testing.TB, text []byte) bool {
	t.Helper()
	var got wire.PollRequest
	if !wire.ReadUsualPoll(text, &got) {
		if !reflect.DeepEqual(got, wire.PollRequest{}) {
			t.Errorf("%s: given up, but left %+v", text, got)
		}
		return false
	}
	want, err := strictly(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got\n%+v, want\n%+v (%v)", text, got, want, err)
	}
	return true
}

func TestTheUsualPollIsReadByHandAsTheLibraryReadsIt(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*wire.PollRequest){
		"as it is":     func(*wire.PollRequest) {},
		"no fence":     func(r *wire.PollRequest) { r.HighestFence = models.Fence{} },
		"no version":   func(r *wire.PollRequest) { r.Version = "" },
		"abroad":       func(r *wire.PollRequest) { r.Clock = r.Clock.In(time.FixedZone("", 9*3600)) },
		"last counter": func(r *wire.PollRequest) { r.Counter = 999_999_999_999_999_999 },
	} {
		r := usualPoll()
		change(&r)
		if !same(t, marshal(t, r)) {
			t.Errorf("%s: not read by hand", name)
		}
	}
}

func TestWhatIsUnusualInAPollIsLeftToTheLibrary(t *testing.T) {
	t.Parallel()
	usual := string(marshal(t, usualPoll()))
	texts := []string{"", "{}", usual + " x", usual + "{}", usual[:len(usual)-1], " " + usual}
	for _, pair := range [][2]string{{`"protocol":1`, `"protocol":01`},
		{`"protocol":1`, `"protocol":1e0`}, {`"protocol":1`, `"Protocol":1`},
		{`"protocol":1`, `"protocol":1,"protocol":2`}, {`"counter":42`, `"counter":-42`},
		{`"counter":42`, `"counter":18446744073709551616`}, {`"boot"`, `"b\u006fot"`},
		{`"boot"`, `"東京"`}, {`"boot"`, `null`}, {`"boot"`, "\"b\not\""}, {`"boot"`, "\"\xff\""},
		{`"idle"`, `"fetching"`}, {`"healthy"`, `"unhealthy"`}, {`2030-01-02T`, `2030-13-02T`},
		{`2030-01-02T`, `2030-1-2T`}, {`}`, `},"unknown":1`}, {`"counter":42`, `"counter":`},
		{`,"facts_digest":"abc"`, ``}, {`,"health"`, `,"journal":null,"health"`}} {
		texts = append(texts, strings.Replace(usual, pair[0], pair[1], 1))
	}
	for _, text := range texts {
		if text == usual || same(t, []byte(text)) {
			t.Errorf("read by hand: %s", text)
		}
	}
}

func FuzzAPollReadByHandIsWhatTheLibraryReads(f *testing.F) {
	usual := marshal(f, usualPoll())
	f.Add(usual)
	f.Add(bytes.ToUpper(usual))
	f.Add(append([]byte(" "), usual...))
	f.Add(bytes.Replace(usual, []byte("T03:04:05.0006Z"), []byte("T24:00:00,5+99:00"), 1))
	f.Fuzz(func(t *testing.T, text []byte) { same(t, text) })
}
