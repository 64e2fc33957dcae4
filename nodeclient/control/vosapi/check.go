package vosapi

import (
	"fmt"
	"slices"
	"unicode"
)

// check refuses a request of another protocol, an unknown verb, and parts that do not belong to it.
func (q Request) check() error {
	if q.Protocol != Protocol {
		return &Refusal{Code: WrongProtocol, Detail: fmt.Sprint(q.Protocol)}
	}
	var wants Request
	switch q.Verb {
	case Ping, GetFacts:
	case PutFile, PutDone:
		wants.File = &File{}
	case Start:
		wants.Operation, wants.Work = "x", &Work{}
	case Status, Cancel:
		wants.Operation = "x"
	case Maintenance:
		wants.Enter = new(bool)
	case PutKeys:
		wants.Keys = &[]Key{}
	default:
		return &Refusal{Code: UnknownVerb, Detail: printable(string(q.Verb))}
	}
	whole := (q.File != nil) == (wants.File != nil) && (q.Work != nil) == (wants.Work != nil) &&
		(q.Operation != "") == (wants.Operation != "") && (q.Enter != nil) == (wants.Enter != nil) &&
		(q.Keys != nil) == (wants.Keys != nil)
	if !whole || q.Operation != "" && !q.Operation.Valid() {
		return &Refusal{Code: Malformed}
	}
	return q.parts()
}

func (q Request) parts() error {
	switch {
	case q.File != nil && (!q.File.SHA256.Valid() || q.File.Size <= 0):
		return &Refusal{Code: Malformed}
	case q.File != nil && q.File.Size > MaxFile:
		return &Refusal{Code: TooLarge, Detail: fmt.Sprintf("%d > %d", q.File.Size, MaxFile)}
	case q.Work != nil && !q.Work.valid():
		return &Refusal{Code: Malformed}
	case q.Keys != nil && len(*q.Keys) > MaxKeys:
		return &Refusal{Code: Malformed}
	}
	return nil
}

func (w Work) valid() bool {
	needsFile := w.Kind == Install || w.Kind == PatchInstall
	return slices.Contains(Kinds(), w.Kind) && needsFile == (w.SHA256 != "") &&
		(!needsFile || w.SHA256.Valid()) && (w.Boot == "" || w.Kind == Restart && plain(w.Boot))
}

// check refuses what no machine of this protocol says: too much of anything, or what would steer a
// terminal.
func (a Answer) check() error {
	if a.Protocol != Protocol {
		return &Refusal{Code: WrongProtocol, Detail: fmt.Sprint(a.Protocol)}
	}
	texts := []string{string(a.Code), a.Detail}
	if p := a.Ping; p != nil {
		texts = append(texts, p.texts()...)
	}
	if o := a.Operation; o != nil {
		texts = append(texts, string(o.ID), string(o.State), o.Step, string(o.Code), o.Detail)
	}
	if f := a.Facts; f != nil {
		if err := f.Check(); err != nil {
			return err
		}
	}
	if p := a.Put; p != nil {
		texts = append(texts, p.Path)
	}
	for _, t := range texts {
		if !plain(t) {
			return fmt.Errorf("%w: a text is too long or cannot be printed", ErrMalformed)
		}
	}
	return nil
}

func (p Pong) texts() []string {
	return []string{p.Name, string(p.Product), p.Cluster, string(p.Type), p.BootID, p.Release}
}

// Check refuses facts that exceed a limit.
func (f Facts) Check() error {
	texts := append(f.texts(), f.HealthDetail, string(f.Running))
	for _, name := range f.Packages {
		if !namePattern.MatchString(name) {
			return fmt.Errorf("%w: the name of a package", ErrMalformed)
		}
	}
	patches := len(f.Active.Patches)
	if f.Inactive != nil {
		patches = max(patches, len(f.Inactive.Patches))
	}
	if len(f.Packages) > MaxPackages || patches > MaxPatches || len(f.HostKeys) > MaxHostKeys {
		return fmt.Errorf("%w: too many packages, patches or keys", ErrMalformed)
	}
	for _, k := range f.HostKeys {
		if len(k) > maxKeyLine || !plainRunes(k) {
			return fmt.Errorf("%w: a host key", ErrMalformed)
		}
	}
	for _, t := range texts {
		if !plain(t) {
			return fmt.Errorf("%w: a text is too long or cannot be printed", ErrMalformed)
		}
	}
	return nil
}

const maxKeyLine = 4 << 10

func plain(s string) bool { return len(s) <= MaxText && plainRunes(s) }

func plainRunes(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return false
		}
	}
	return true
}

// Plain makes any text fit for a Detail: what cannot be printed is replaced, what is too long is cut.
func Plain(s string) string { return printable(s) }

func printable(s string) string {
	var b []rune
	size := 0
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			r = ' '
		}
		if size += len(string(r)); size > MaxText {
			break
		}
		b = append(b, r)
	}
	return string(b)
}
