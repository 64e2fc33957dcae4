// Package windriver talks to Windows machines through PowerShell over OpenSSH: one constant command,
// everything else as JSON on its standard input. It knows no procedure, and makes no text of what it
// is given.
package windriver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/target"
)

const (
	callTimeout = 2 * time.Minute
	hashTimeout = 15 * time.Minute
	maxDetail   = 512
	// exitScript is what a script ends with when it could not do what it was asked.
	exitScript = 64
)

// Machine is one Windows machine.
type Machine struct{ link *remote.Link }

var _ target.Machine = (*Machine)(nil)

// New connects to nothing yet.
func New(link *remote.Link) *Machine { return &Machine{link} }

// Close ends the connection.
func (m *Machine) Close() { m.link.Close() }

// request is what standard input brings.
type request struct {
	Script  string `json:"script"`
	Request any    `json:"request"`
}

// software is an entry of the machine's list of programs.
type software struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// answer is what the script of facts says.
type answer struct {
	Boot          string     `json:"boot"`
	Software      []software `json:"software"`
	Updates       []string   `json:"updates"`
	Maintenance   bool       `json:"maintenance"`
	Stopped       []string   `json:"stopped"`
	Services      int        `json:"services"`
	RestartNeeded bool       `json:"restartNeeded"`
	DiskFree      int64      `json:"diskFree"`
	Running       string     `json:"running"`
}

// operation is what the scripts of operations say.
type operation struct {
	ID      string `json:"id"`
	State   string `json:"state"` // running, done, failed, busy, unknown, lost
	Code    int    `json:"code"`
	Detail  string `json:"detail"`
	Restart bool   `json:"restart"`
}

// work is target.Work as the scripts read it.
type work struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Name   string `json:"name,omitempty"` // of the program that is taken away
	File   *file  `json:"file,omitempty"`
	KB     string `json:"kb,omitempty"`
	Boot   string `json:"boot,omitempty"`
	Reason int    `json:"reason,omitempty"`
}

type file struct {
	Name string `json:"name"`
}

func (m *Machine) ask(ctx context.Context, s Script, q, into any, timeout time.Duration) error {
	command, err := Command()
	if err != nil {
		return err
	}
	text, err := s.Text()
	if err != nil {
		return err
	}
	stdin, err := json.Marshal(request{text, q})
	if err != nil {
		return fmt.Errorf("cannot write the request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var r remote.Result
	err = m.link.Use(ctx, func(c *remote.Client) error {
		r, err = c.Run(ctx, command, bytes.NewReader(stdin))
		return err
	})
	switch {
	case err != nil:
		return target.Away(err)
	case r.Exit == exitScript:
		return target.Unclear("script", string(r.Stderr))
	case r.Exit != 0:
		return target.Unclear(fmt.Sprintf("exit_%d", r.Exit), "PowerShell: "+string(r.Stderr))
	}
	if err := json.Unmarshal(bytes.TrimPrefix(r.Stdout, []byte("\xef\xbb\xbf")), into); err != nil {
		return target.Unclear("answer", "JSON")
	}
	return nil
}

// Facts asks the machine.
func (m *Machine) Facts(ctx context.Context) (target.Facts, error) {
	var a answer
	if err := m.ask(ctx, Facts, struct{}{}, &a, callTimeout); err != nil {
		return target.Facts{}, err
	}
	f := target.Facts{Boot: plain(a.Boot), Updates: a.Updates, Maintenance: a.Maintenance,
		Serving: len(a.Stopped) == 0 && a.Services > 0 && !a.Maintenance, RestartNeeded: a.RestartNeeded,
		DiskFree: a.DiskFree, Running: plain(a.Running)}
	if len(a.Stopped) > 0 {
		f.Trouble = plain("stopped: " + strings.Join(a.Stopped, ", "))
	}
	f.Active, f.Inactive = sides(installed(a.Software))
	return f, nil
}

// program is software whose version is one of a contact-center component.
type program struct {
	name    string
	version compat.Version
}

// sides are the highest release with its patches, and the release below it, which is there again when
// the higher one is taken away.
func sides(all []program) (target.Side, *target.Side) {
	var releases []compat.Version
	patches := map[compat.Version][]compat.Version{}
	for _, p := range all {
		release := p.version
		release.ES = 0
		if p.version.ES > 0 {
			patches[release] = append(patches[release], p.version)
		} else if !slices.Contains(releases, release) {
			releases = append(releases, release)
		}
	}
	slices.SortFunc(releases, compat.Version.Compare)
	side := func(v compat.Version) target.Side {
		slices.SortFunc(patches[v], compat.Version.Compare) // the list of programs has their days only
		return target.Side{Version: v, Patches: patches[v]}
	}
	switch n := len(releases); n {
	case 0:
		return target.Side{}, nil
	case 1:
		return side(releases[0]), nil
	default:
		below := side(releases[n-2])
		return side(releases[n-1]), &below
	}
}

var inName = regexp.MustCompile(`\d{1,4}\.\d{1,4}\(\d{1,4}\)(?:[ _-]?(?:SU|ES|su|es)\d{1,4})*`)

// installed reads the versions out of the names, and where a name has none, out of the version.
func installed(all []software) []program {
	var found []program
	for _, s := range all {
		v, err := compat.Parse(inName.FindString(s.Name))
		if err != nil {
			v, err = compat.Parse(s.Version)
		}
		if err == nil {
			found = append(found, program{s.Name, v})
		}
	}
	return found
}

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._()+~-]{0,200}$`)

// Put copies a file into the folder that the machine names.
func (m *Machine) Put(ctx context.Context, f target.File, progress func(int64)) error {
	name := path.Base(f.Path)
	if !fileName.MatchString(name) {
		return target.Fail("name")
	}
	var there struct{ Folder, SHA256 string }
	if err := m.ask(ctx, Digest, map[string]string{"name": name}, &there, hashTimeout); err != nil {
		return err
	}
	if there.SHA256 == f.SHA256 {
		return nil
	}
	return m.link.Use(ctx, func(c *remote.Client) error {
		return target.Away(c.Copy(ctx, remote.Upload{Local: f.Local, Remote: there.Folder + "/" + name,
			SHA256: f.SHA256, Size: f.Size, Progress: progress, Verify: m.digest(name)}))
	})
}

// digest lets the machine itself read what arrived: sending it back would take as long as sending it.
func (m *Machine) digest(name string) func(context.Context, string) (string, error) {
	return func(ctx context.Context, where string) (string, error) {
		var there struct{ Folder, SHA256 string }
		err := m.ask(ctx, Digest, map[string]string{"name": path.Base(where)}, &there, hashTimeout)
		return there.SHA256, err
	}
}

// Do starts an operation of that id, unless it was started, and asks until it has ended.
func (m *Machine) Do(ctx context.Context, w target.Work) (target.Outcome, error) {
	q, err := m.work(ctx, w)
	if err != nil {
		return target.Outcome{}, err
	}
	runner, err := Runner.Text()
	if err != nil {
		return target.Outcome{}, err
	}
	var o operation
	if err := m.ask(ctx, Start, map[string]any{"work": q, "runner": runner}, &o, callTimeout); err != nil {
		return target.Outcome{}, err
	}
	waited := time.Duration(0)
	for o.State == "running" {
		pause := target.Pause(waited)
		if err := sleep(ctx, pause); err != nil {
			return target.Outcome{}, target.Away(err)
		}
		waited += pause
		if err := m.ask(ctx, Status, map[string]string{"id": w.ID}, &o, callTimeout); err != nil {
			return target.Outcome{}, err
		}
	}
	return outcome(o)
}

func outcome(o operation) (target.Outcome, error) {
	switch o.State {
	case "done":
		return target.Outcome{Restart: o.Restart, Detail: plain(o.Detail)}, nil
	case "failed":
		return target.Outcome{}, target.Fail(fmt.Sprintf("exit_%d", o.Code), inWords(o.Detail))
	case "busy":
		return target.Outcome{}, target.Fail("busy", o.Detail)
	case "lost", "unknown":
		return target.Outcome{}, target.Fail(o.State)
	}
	return target.Outcome{}, target.Unclear("answer", o.State)
}

// inWords are the scripts' own words as reasons, and what anybody else wrote as it is.
func inWords(detail string) string {
	for text, code := range map[string]string{"the installer failed": "installer_failed",
		"it is not installed": "not_on_the_machine", "Windows Update failed": "windows_update_failed",
		"the operation is unknown": "unknown"} {
		if detail == text {
			return target.Because(code).Inner()
		}
	}
	return detail
}

// work names the program that is to go by what the machine itself calls it.
func (m *Machine) work(ctx context.Context, w target.Work) (work, error) {
	q := work{ID: w.ID, Kind: string(w.Kind), KB: w.KB, Boot: w.Boot, Reason: w.Reason}
	if w.File != nil {
		q.File = &file{path.Base(w.File.Path)}
	}
	if w.Kind != target.Unpatch && w.Kind != target.Back {
		return q, nil
	}
	var a answer
	if err := m.ask(ctx, Facts, struct{}{}, &a, callTimeout); err != nil {
		return q, err
	}
	gone := w.Version
	if w.Kind == target.Back { // the version that is active goes, and the one before it is there again
		gone = w.Active
		gone.ES = 0
	}
	for _, p := range installed(a.Software) {
		if p.version == gone {
			q.Name = p.name
		}
	}
	return q, nil
}

// plain is what a machine wrote, short and in printable characters.
func plain(s string) string { return target.Plain(s, maxDetail) }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
