package download

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/settings"
)

// Bandwidth is how many bytes a second a download may take; zero is no limit.
type Bandwidth int64

const (
	minBandwidth = 8_000                     // 64 Kbps: below it a connection looks dead
	maxBandwidth = 100_000_000_000 / 8       // 100 Gbps
	advised      = Bandwidth(10_000_000 / 8) // 10 Mbps
	bitsPerByte  = 8
)

// WrongBandwidth refuses a text that is no bandwidth.
type WrongBandwidth struct{}

// Error is the English sentence.
func (w *WrongBandwidth) Error() string { return w.Sentence("en") }

// Sentence answers in "ja" or English.
func (*WrongBandwidth) Sentence(language string) string {
	if language == "ja" {
		return "帯域幅は 10M(Mbps)、500K(Kbps)、1250000(バイト/秒)の形式で、64K から 100000M までを指定してください。制限しない場合は off です。"
	}
	return "A bandwidth is 10M (Mbps), 500K (Kbps) or 1250000 (bytes a second), from 64K to 100000M; off is no limit."
}

// ParseBandwidth reads a number with the suffix M (Mbps), K (Kbps) or none (bytes a second); "off" is
// no limit.
func ParseBandwidth(text string) (Bandwidth, error) {
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, "off") || text == "0" {
		return 0, nil
	}
	digits, unit := text, int64(bitsPerByte)
	if n := len(text) - 1; n > 0 {
		switch text[n] {
		case 'M', 'm':
			digits, unit = text[:n], 1_000_000
		case 'K', 'k':
			digits, unit = text[:n], 1_000
		}
	}
	n, err := strconv.ParseUint(digits, 10, 40)
	if err != nil || int64(n) > math.MaxInt64/unit {
		return 0, &WrongBandwidth{}
	}
	b := Bandwidth(int64(n) * unit / bitsPerByte)
	if b < minBandwidth || b > maxBandwidth {
		return 0, &WrongBandwidth{}
	}
	return b, nil
}

// Slow says that it is less than what is advised.
func (b Bandwidth) Slow() bool { return b > 0 && b < advised }

// String is the form that ParseBandwidth reads, in the largest unit that says it exactly.
func (b Bandwidth) String() string {
	bits := int64(b) * bitsPerByte
	switch {
	case b == 0:
		return "off"
	case bits%1_000_000 == 0:
		return strconv.FormatInt(bits/1_000_000, 10) + "M"
	case bits%1_000 == 0:
		return strconv.FormatInt(bits/1_000, 10) + "K"
	}
	return strconv.FormatInt(int64(b), 10)
}

type limits struct {
	BytesPerSecond int64 `json:"bytes_per_second"`
}

// LoadBandwidth answers what this node may take.
func LoadBandwidth(s *settings.Store) (Bandwidth, error) {
	v, _, err := settings.Read[limits](s, settings.Download)
	return Bandwidth(v.BytesPerSecond), err
}

// SetBandwidth changes it, from the next file on.
func SetBandwidth(s *settings.Store, by string, b Bandwidth) error {
	_, err := settings.Update(s, settings.Download, by, func(v *limits) error {
		v.BytesPerSecond = int64(b)
		return nil
	})
	return err
}

// State says how far a download is.
type State string

// The states.
const (
	Checking    State = "checking"    // contract, agreement and list
	Downloading State = "downloading" // files
	Done        State = "done"
	Failed      State = "failed"
)

// Status is the download that runs, or the last one. Where the process that ran it has died, it stays
// what it was: who holds the gate tells.
type Status struct {
	ID         string    `json:"id"` // changes with each download
	By         string    `json:"by"`
	State      State     `json:"state"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended,omitzero"`
	File       string    `json:"file,omitempty"`
	Files      int       `json:"files"`      // to be fetched
	FilesDone  int       `json:"files_done"` // of them
	Bytes      int64     `json:"bytes"`      // to be fetched
	BytesDone  int64     `json:"bytes_done"` // of them
	Removed    int       `json:"removed"`    // are no longer offered
	Skipped    []string  `json:"skipped"`    // what cannot be used, and why
	Problem    string    `json:"problem,omitempty"`
	ProblemJa  string    `json:"problem_ja,omitempty"`
	Restricted bool      `json:"restricted"`
	Total      int       `json:"total"` // files in the catalogue afterwards
}

// Sentence is how it ended, in "ja" or English.
func (s Status) Sentence(language string) string {
	switch {
	case s.State == Failed && language == "ja":
		return s.ProblemJa
	case s.State == Failed:
		return s.Problem
	case s.State == Done && language == "ja":
		return fmt.Sprintf("%d 個のファイルをダウンロードし、%d 個を削除しました。現在のファイル数は %d です。",
			s.FilesDone, s.Removed, s.Total)
	case s.State == Done:
		return fmt.Sprintf("%d files were downloaded and %d removed; there are %d.", s.FilesDone, s.Removed,
			s.Total)
	case s.State == Checking && language == "ja":
		return "リポジトリに確認しています。"
	case s.State == Checking:
		return "The repository is being asked."
	case language == "ja":
		return fmt.Sprintf("%d / %d ファイル、%d / %d バイト: %s", s.FilesDone, s.Files, s.BytesDone,
			s.Bytes, s.File)
	}
	return fmt.Sprintf("%d of %d files, %d of %d bytes: %s", s.FilesDone, s.Files, s.BytesDone, s.Bytes,
		s.File)
}

const (
	statusFile  = "download-status.json"
	statusLimit = 1 << 20
)

// ReadStatus answers the download that runs or ran last; zero where there was none.
func ReadStatus(dir string) (Status, error) {
	var s Status
	err := atomicfile.ReadJSON(statusPath(dir), statusLimit, &s)
	if isNotExist(err) {
		return Status{}, nil
	}
	return s, err
}
