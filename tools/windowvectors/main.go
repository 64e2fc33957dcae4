// Command windowvectors writes docs/windows-vectors.json: schedules and the starts of their
// windows, for whoever wants to check another implementation against this one.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"connecthub/scheduler/window"
)

// vector is one entry of the file: the starts of the first windows on or after a civil date.
type vector struct {
	Zone   string   `json:"zone"`
	Time   string   `json:"time"`
	Days   []string `json:"days"`
	From   string   `json:"from"`
	Starts []string `json:"starts"`
}

func main() {
	out := flag.String("out", "docs/windows-vectors.json", "file to write")
	flag.Parse()
	text, err := vectors()
	if err == nil {
		err = os.WriteFile(*out, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "windowvectors:", err)
		os.Exit(1)
	}
}

// vectors is the whole file, one vector a line.
func vectors() ([]byte, error) {
	var text bytes.Buffer
	text.WriteString("[\n")
	for i, c := range cases {
		v, err := c.vector()
		if err != nil {
			return nil, fmt.Errorf("cannot make the vector %v: %w", c, err)
		}
		line, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		text.WriteString("  ")
		text.Write(line)
		if i < len(cases)-1 {
			text.WriteByte(',')
		}
		text.WriteByte('\n')
	}
	text.WriteString("]\n")
	return text.Bytes(), nil
}

func (c testCase) vector() (vector, error) {
	at, err := window.ParseTimeOfDay(c.at)
	if err != nil {
		return vector{}, err
	}
	days, err := window.ParseDays(strings.Split(c.days, ","))
	if err != nil {
		return vector{}, err
	}
	zone, err := window.LoadZone(c.zone)
	if err != nil {
		return vector{}, err
	}
	rule, err := window.NewRule(at, days, zone, window.DefaultLength)
	if err != nil {
		return vector{}, err
	}
	from, err := window.ParseDate(c.from)
	if err != nil {
		return vector{}, err
	}
	v := vector{Zone: c.zone, Time: c.at, Days: days.Names(), From: c.from}
	for _, w := range rule.From(from, c.count) {
		v.Starts = append(v.Starts, w.Start.Format(time.RFC3339))
	}
	return v, nil
}
