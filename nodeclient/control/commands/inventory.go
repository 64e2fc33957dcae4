package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/remote"
)

type inventoryCommand struct {
	Export        inventoryExport   `cmd:"" help:"Write this node's inventory.conf to an SFTP server."`
	Import        inventoryImport   `cmd:"" help:"Replace this node's inventory by inventory.conf of an SFTP server."`
	Check         inventoryCheck    `cmd:"" help:"Judge a file; nothing is changed."`
	Sample        inventorySample   `cmd:"" help:"Print the layout of a deployment as an example."`
	Versions      inventoryVersions `cmd:"" help:"List the last ten inventories, or print one."`
	ForgetHostKey forgetHostKey     `cmd:"" help:"Forget the confirmed host key of an SFTP server that was installed anew."`
}

// transfer is the outcome of an export or an import, as JSON shows it.
type transfer struct {
	Done     bool      `json:"done"`
	Where    string    `json:"where"`
	Version  int       `json:"version"`
	SHA256   string    `json:"sha256,omitempty"`
	Bytes    int       `json:"bytes"`
	Machines int       `json:"machines"`
	Diff     string    `json:"diff,omitempty"`
	Problems []problem `json:"problems"`
}

type problem struct {
	Line     int            `json:"line"`
	Column   int            `json:"column"`
	Rule     inventory.Rule `json:"rule"`
	Sentence string         `json:"sentence"`
}

func problems(found inventory.Problems, language string) []problem {
	all := make([]problem, 0, len(found))
	for _, p := range found {
		all = append(all, problem{p.Line, p.Column, p.Rule, console.Printable(p.Sentence(language))})
	}
	return all
}

type inventoryExport struct {
	serverFlags
	JSON bool `help:"As JSON."`
}

// Run writes the inventory as it was imported, or what a new node begins with.
func (x inventoryExport) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	now, err := machines.Open(s.Dir, s.Now).Current()
	if err != nil {
		return err
	}
	p, err := x.place(s)
	if err != nil {
		return err
	}
	session, err := x.connect(s, p)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.Write(p.directory, inventory.FileName, now.Text); err != nil {
		return fmt.Errorf("%w: %s", err, p)
	}
	if err := p.remember(s.Dir); err != nil {
		return err
	}
	what, _ := inventory.Parse(now.Text)
	if x.JSON {
		return s.JSON(transfer{Done: true, Where: p.String(), Version: now.Number,
			SHA256: now.SHA256(), Bytes: len(now.Text), Machines: len(what.Machines()),
			Problems: []problem{}})
	}
	_, err = fmt.Fprintf(s.Out, "The inventory was exported to %s.\n", p)
	return err
}

type inventoryImport struct {
	serverFlags
	Yes  bool `help:"Replace the current inventory without asking."`
	JSON bool `help:"As JSON; needs --yes."`
}

// Run replaces the inventory whole, or nothing.
func (m inventoryImport) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	if m.JSON && !m.Yes {
		return errors.New("--json asks nothing: give --yes, too")
	}
	store := machines.Open(s.Dir, s.Now)
	now, err := store.Current()
	if err != nil {
		return err
	}
	p, err := m.place(s)
	if err != nil {
		return err
	}
	text, err := m.fetch(s, p)
	if err != nil {
		return err
	}
	what, found := inventory.Parse(text)
	if len(found) > 0 {
		return m.refuse(s, p, found)
	}
	t := transfer{Done: true, Where: p.String(), Version: now.Number, Bytes: len(text),
		Machines: len(what.Machines()), Problems: []problem{}}
	if bytes.Equal(text, now.Text) && now.Number > 0 {
		t.SHA256 = now.SHA256()
		return m.tell(s, t, "It is the current inventory already; nothing was changed.")
	}
	t.Diff = machines.Diff(now.Text, text)
	if !m.JSON {
		_, _ = fmt.Fprintf(s.Out, "%s", console.Printable(t.Diff))
	}
	err = s.Confirm("The current inventory will be replaced.", "yes", m.Yes)
	if err != nil {
		return err
	}
	fresh, err := store.Import(text, now.Number, s.Who, p.String())
	if err != nil {
		return err
	}
	t.Version, t.SHA256 = fresh.Number, fresh.SHA256()
	return m.tell(s, t, fmt.Sprintf("The inventory was imported: version %d, %d machines, %s.",
		t.Version, t.Machines, what.DeploymentType))
}

// fetch closes the connection before anybody is asked anything.
func (m inventoryImport) fetch(s *console.Session, p place) ([]byte, error) {
	session, err := m.connect(s, p)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	text, err := session.Read(p.directory, inventory.FileName, inventory.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, p)
	}
	return text, p.remember(s.Dir)
}

func (m inventoryImport) refuse(s *console.Session, p place, found inventory.Problems) error {
	all := problems(found, s.Lang)
	if m.JSON {
		if err := s.JSON(transfer{Where: p.String(), Problems: all}); err != nil {
			return err
		}
	} else if err := list(s.Out, all); err != nil {
		return err
	}
	return fmt.Errorf("the inventory has %s; nothing was changed", counted(len(all)))
}

func (m inventoryImport) tell(s *console.Session, t transfer, sentence string) error {
	if m.JSON {
		return s.JSON(t)
	}
	_, err := fmt.Fprintln(s.Out, sentence)
	return err
}

func list(out io.Writer, all []problem) error {
	for _, p := range all {
		if _, err := fmt.Fprintln(out, p.Sentence); err != nil {
			return err
		}
	}
	return nil
}

func counted(n int) string {
	if n == 1 {
		return "1 problem"
	}
	return fmt.Sprintf("%d problems", n)
}

type inventoryCheck struct {
	File string `arg:"" type:"existingfile" help:"The file to judge."`
	JSON bool   `help:"As JSON."`
}

// Run fails where a rule is broken, and names all of them.
func (c inventoryCheck) Run(s *console.Session) error {
	text, err := readAtMost(c.File, inventory.MaxBytes+1)
	if err != nil {
		return fmt.Errorf("cannot read the inventory: %w", err)
	}
	what, found := inventory.Parse(text)
	all := problems(found, s.Lang)
	switch {
	case c.JSON:
		err = s.JSON(transfer{Done: len(all) == 0, Where: c.File, Bytes: len(text),
			Machines: len(what.Machines()), Problems: all})
	case len(all) > 0:
		err = list(s.Out, all)
	default:
		_, err = fmt.Fprintf(s.Out, "No problem: %d machines, %s.\n", len(what.Machines()),
			what.DeploymentType)
	}
	if err == nil && len(all) > 0 {
		err = fmt.Errorf("the inventory has %s", counted(len(all)))
	}
	return err
}

type inventorySample struct {
	Layout string `arg:"" enum:"UCCE-2000-Agents,UCCE-4000-Agents" help:"UCCE-2000-Agents or UCCE-4000-Agents."`
}

// Run prints a layout that an import takes.
func (l inventorySample) Run(s *console.Session) error {
	layout, err := inventory.Sample(inventory.DeploymentType(l.Layout))
	if err != nil {
		return err
	}
	_, err = s.Out.Write(inventory.Format(layout))
	return err
}

type inventoryVersions struct {
	Number int  `arg:"" optional:"" help:"Print this version as it was imported."`
	JSON   bool `help:"As JSON."`
}

// Run lists the current inventory first.
func (v inventoryVersions) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	all, err := machines.Open(s.Dir, s.Now).Versions()
	if err != nil {
		return err
	}
	if v.Number != 0 {
		for _, one := range all {
			if one.Number == v.Number {
				_, err := s.Out.Write(one.Text)
				return err
			}
		}
		return fmt.Errorf("version %d is not kept", v.Number)
	}
	type row struct {
		Version int       `json:"version"`
		Time    time.Time `json:"time"`
		By      string    `json:"by"`
		From    string    `json:"from"`
		Bytes   int       `json:"bytes"`
		SHA256  string    `json:"sha256"`
	}
	rows, text := make([]row, 0, len(all)), &strings.Builder{}
	for _, one := range all {
		rows = append(rows, row{one.Number, one.Time, one.By, one.From, len(one.Text), one.SHA256()})
		_, _ = fmt.Fprintf(text, "%4d  %s  %-16s %s\n", one.Number, s.Moment(one.Time),
			console.Printable(one.By), console.Printable(one.From))
	}
	if v.JSON {
		return s.JSON(rows)
	}
	if len(all) == 0 {
		text.WriteString("No inventory was imported yet.\n")
	}
	_, err = io.WriteString(s.Out, text.String())
	return err
}

type forgetHostKey struct {
	Server string `arg:"" help:"HOST or HOST:PORT."`
}

// Run makes the next connection ask for the key again.
func (f forgetHostKey) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	address, err := remote.Address(f.Server)
	if err != nil {
		return err
	}
	if err := remote.OpenPins(s.Dir, s.Now).Forget(address); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "The host key of %s is forgotten; it is asked for again.\n", address)
	return err
}
