package localweb

import (
	"strings"

	"connecthub/nodeclient/enroll"
)

// shownEvents is how many lines of the record a page shows.
const shownEvents = 20

// eventLine is one line of the node's record of its registrations.
type eventLine struct{ At, Sentence string }

// eventLines are the latest events, newest first.
func eventLines(events []enroll.Event, t words) []eventLine {
	var lines []eventLine
	for i := len(events) - 1; i >= 0 && len(lines) < shownEvents; i-- {
		v := events[i]
		lines = append(lines, eventLine{At: v.At.UTC().Format("2006-01-02 15:04:05 UTC"),
			Sentence: t.event(v)})
	}
	return lines
}

// EventLines says the events of a node's record in one language, newest first.
func EventLines(events []enroll.Event, language string) []string {
	var lines []string
	for _, l := range eventLines(events, wordsOf(language)) {
		lines = append(lines, l.At+"  "+l.Sentence)
	}
	return lines
}

// event says what happened, by whom and for whom.
func (t words) event(v enroll.Event) string {
	sentence, ok := t.Events[v.What]
	if !ok {
		return ""
	}
	whom := v.Organization
	if v.Domain != "" {
		whom += " (" + v.Domain + ")"
	}
	text := strings.NewReplacer("{organization}", whom, "{requester}", v.RequestedBy,
		"{cluster}", v.Cluster).Replace(sentence)
	if why := t.said(v.Why); v.Why != "" && why != "" {
		text += " " + why
	}
	if v.User != "" || v.Address != "" {
		text += " [" + strings.Trim(v.User+" "+v.Address, " ") + "]"
	}
	return text
}
