package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/host/hosttest"
)

func TestWhatWentFromPublisherToSubscriberStandsInTheLogOfBoth(t *testing.T) {
	t.Parallel()
	b := newTwo(t)
	says := func(m *machine, word string) {
		t.Helper()
		hosttest.Await(t, word, func() bool {
			raw, err := os.ReadFile(filepath.Join(logs.Folder(m.dir), string(logs.Sync)))
			text, last := string(raw), ""
			for line := range strings.Lines(text) { // asked every two seconds, said once
				_, said, _ := strings.Cut(line, " ")
				if said == last || strings.Contains(said, "known to nobody else") {
					t.Fatalf("said twice, or more than names and revisions: %s", text)
				}
				last = said
			}
			return err == nil && strings.Contains(text, word)
		})
	}
	b.changes(t, "known to nobody else")
	b.same(t)
	says(b.pub, "Z to cc-sub.example.com: ")
	says(b.sub, "Z from cc-pub.example.com: ")
	for _, what := range []string{"settings revision ", "inventory revision "} {
		says(b.pub, what)
		says(b.sub, what)
	}
	b.pub.ends()
	says(b.sub, "Z not taken from cc-pub.example.com: ")
}
