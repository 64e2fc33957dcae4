// Package logs keeps what a control node wrote down: one file a subject, each line whole, the file
// replaced before it grows too large. It does not know what the lines say.
package logs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
)

const (
	// MaxBytes is how large a file becomes.
	MaxBytes = 5 << 20
	// MaxLine is how long a line becomes.
	MaxLine = 8 << 10
	// Kept is how many former files stay beside the one that is written: NAME.1 is the latest.
	Kept = 5

	lockName = ".lock"
)

// Name is one log: a file in the folder, with its former ones beside it.
type Name string

// The logs.
const (
	Audit     Name = "orchestration-audit.log" // who ran which command, and how it ended
	CLI       Name = "cli.log"                 // what a command met: the refusals of the repository, too
	Download  Name = "software-download.log"   // every file of every download
	Downloads Name = "download-history.log"    // one line a download
	Jobs      Name = "jobs.log"                // what ran by its schedule
	Mail      Name = "mail.log"                // what was sent, to how many
	Procedure Name = "procedure.log"           // every step of every procedure
	Onboard   Name = "onboarding.log"          // what joined, left or could not
	Sync      Name = "replication.log"         // what went from publisher to subscriber
)

// Names lists the logs.
func Names() []Name {
	return []Name{Audit, CLI, Download, Downloads, Jobs, Mail, Procedure, Onboard, Sync}
}

// Folder is where a node's logs are.
func Folder(dir string) string { return filepath.Join(dir, "control", "logs") }

// Log is one log that is written. Several processes may write it at once.
type Log struct {
	folder string
	name   Name
	limit  int64
}

// Open names the log; nothing is made before the first line.
func Open(dir string, name Name) *Log { return &Log{Folder(dir), name, MaxBytes} }

// To is a logger whose lines go to the log.
func To(dir string, name Name) *slog.Logger {
	return slog.New(slog.NewTextHandler(Open(dir, name), nil))
}

// Line writes one line, the time before it. What others wrote cannot make a second one of it.
func (l *Log) Line(now time.Time, format string, args ...any) error {
	_, err := io.WriteString(l, now.UTC().Format(time.RFC3339)+" "+oneLine(fmt.Sprintf(format, args...))+"\n")
	return err
}

func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, text)
	if len(text) > MaxLine {
		text = strings.ToValidUTF8(text[:MaxLine], "") + "…"
	}
	return text
}

// Write appends lines. A file that would grow over its limit becomes NAME.1 before.
func (l *Log) Write(lines []byte) (int, error) {
	if !slices.Contains(Names(), l.name) {
		return 0, fmt.Errorf("there is no log %q", l.name)
	}
	unlock, err := l.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	path := filepath.Join(l.folder, string(l.name))
	info, err := os.Stat(path)
	if err == nil && info.Size() > 0 && info.Size()+int64(len(lines)) > l.limit {
		err = rotate(path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("cannot write the log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, fmt.Errorf("cannot write the log: %w", err)
	}
	n, err := f.Write(lines)
	if err := errors.Join(err, f.Close()); err != nil {
		return n, fmt.Errorf("cannot write the log: %w", err)
	}
	return n, nil
}

// rotate makes room; the oldest former file is replaced.
func rotate(path string) error {
	for i := Kept; i > 0; i-- {
		from := path
		if i > 1 {
			from += "." + strconv.Itoa(i-1)
		}
		err := os.Rename(from, path+"."+strconv.Itoa(i))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// lock lets one line at a time look for room. Unlocking is said, not left to closing: a process that is
// just being started may hold the same file for a moment.
func (l *Log) lock() (unlock func(), err error) {
	if err := os.MkdirAll(l.folder, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder of the logs: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(l.folder, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the logs: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot lock the logs: %w", err)
	}
	return func() {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		_ = f.Close()
	}, nil
}

// File is one file of a log, as it is listed.
type File struct {
	Name     string    `json:"name"` // software-download.log, software-download.log.1
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

// List answers what there is, each log's own file before its former ones.
func List(dir string) ([]File, error) {
	var all []File
	for _, name := range Names() {
		for i := range Kept + 1 {
			file := string(name)
			if i > 0 {
				file += "." + strconv.Itoa(i)
			}
			info, err := os.Lstat(filepath.Join(Folder(dir), file))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("cannot list the logs: %w", err)
			}
			if info.Mode().IsRegular() {
				all = append(all, File{file, info.Size(), info.ModTime().UTC()})
			}
		}
	}
	return all, nil
}

// Read opens a file by the name that List gives it; no other name leads anywhere.
func Read(dir, file string) (*os.File, error) {
	base, number := file, ""
	if i := strings.LastIndexByte(file, '.'); i >= 0 && file[i+1:] != "log" {
		base, number = file[:i], file[i+1:]
	}
	n, err := strconv.Atoi(number)
	if !slices.Contains(Names(), Name(base)) ||
		number != "" && (err != nil || n < 1 || n > Kept || strconv.Itoa(n) != number) {
		return nil, fmt.Errorf("there is no log %.80q", file)
	}
	f, err := os.OpenFile(filepath.Join(Folder(dir), file), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read the log: %w", err)
	}
	return f, nil
}
