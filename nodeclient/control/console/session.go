// Package console is how a person, or a script, talks to a control node's commands: prompts with the
// current value in brackets, secrets as asterisks, lists to choose from, the admin: shell. It knows no
// command.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/term"

	"connecthub/models"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/permits"
	"connecthub/nodeclient/enroll"
)

const maxLine = 4 << 10

// Session is what every command is given.
type Session struct {
	Ctx     context.Context
	Dir     string // the node's folder
	Who     string // the user of the machine who runs the command
	Lang    string // "en" or "ja"
	Version string // of this program
	In      *os.File
	Out     io.Writer // what a command answers
	Err     io.Writer // prompts and progress
	Now     func() time.Time
	Self    func() (string, error) // the path of this program
	Log     *slog.Logger
	// ByHand does what stops this node's own services: under a permit of the hub where the node is
	// registered, without one only as the caller was told (R33).
	ByHand func(s *Session, work models.HandWork, withoutPermit bool) error
	// DiskSize is how large the disk is that holds a folder.
	DiskSize func(dir string) (int64, error)
	// Patience is how long a prompt waits while this session holds a lock that others wait for; 0:
	// Patience.
	Patience time.Duration

	hold *gate.Hold
}

// Patience is how long a forgotten prompt may keep the node from its nightly download and from upgrades.
const Patience = 10 * time.Minute

// Common are the flags of every command. They stand on the branches of the tree, so that a command of
// any depth has them.
type Common struct {
	Dir      string `default:"${dir}" type:"path" help:"The node's data folder." placeholder:"DIR"`
	Language string `enum:"en,ja," default:"" help:"Language of refusals: en or ja. Default: the environment's."`
}

// AfterApply is kong's: the flags of the branch that was taken become the session's.
func (c Common) AfterApply(s *Session) error {
	s.Dir = c.Dir
	if c.Language != "" {
		s.Lang = c.Language
	}
	return nil
}

// Refusal is a command that is not done, with a code that stays and a sentence in both languages.
type Refusal struct {
	Code              string
	English, Japanese string
	Err               error // what is behind it; may be nil
}

// Error is the English sentence.
func (r *Refusal) Error() string { return r.English }

// Unwrap is what is behind it.
func (r *Refusal) Unwrap() error { return r.Err }

// Sentence is the refusal as a person reads it.
func (r *Refusal) Sentence(language string) string {
	if language == "ja" {
		return r.Japanese
	}
	return r.English
}

// Refuse makes a Refusal. The same arguments fill both sentences.
func Refuse(code, english, japanese string, args ...any) *Refusal {
	return &Refusal{Code: code, English: fmt.Sprintf(english, args...),
		Japanese: fmt.Sprintf(japanese, args...)}
}

// Sentence is an error as a person reads it in a language, where it has a sentence; else its text.
func Sentence(err error, language string) string {
	var spoken interface{ Sentence(string) string }
	if errors.As(err, &spoken) {
		return spoken.Sentence(language)
	}
	return err.Error()
}

// Publisher refuses on a subscriber, and for whom cannot write the node's folder.
func (s *Session) Publisher() error {
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return err
	}
	if c.Role == models.Subscriber {
		return Refuse("publisher_only", "run this on the publisher, %s: this node is a subscriber",
			"このコマンドはパブリッシャ %s で実行してください。このノードはサブスクライバです", c.Publisher)
	}
	return s.Owner()
}

// Owner refuses who would leave files that the agent cannot read.
func (s *Session) Owner() error {
	info, err := os.Stat(s.Dir)
	if err != nil {
		return fmt.Errorf("cannot look at the node's folder: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return Refuse("not_the_owner", "run this as the owner of %s (user id %d), as the agent does",
			"%s の所有者(ユーザ ID %d)として実行してください。エージェントと同じユーザです", s.Dir, owner.Uid)
	}
	return nil
}

// Orchestrate begins an orchestration command. It refuses while another one runs and while software is
// being downloaded on this node, and while a permit of the cluster is open.
func (s *Session) Orchestrate(what string) (*gate.Hold, error) {
	if err := s.Owner(); err != nil {
		return nil, err
	}
	return s.Begin(gate.Orchestration, what)
}

// Begin takes the lock of the kind. It refuses as Orchestrate does, and while a permit of this node's
// cluster is open.
func (s *Session) Begin(kind gate.Kind, what string) (*gate.Hold, error) {
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return nil, err
	}
	identity, err := enroll.ReadIdentity(s.Dir)
	if err != nil {
		return nil, err
	}
	hold, err := permits.Begin(s.Ctx, permits.Request{Dir: s.Dir, Kind: kind, What: what, Who: s.Who,
		Registered: identity != nil, Node: c.FQDN, Now: s.Now, Unknown: func() {
			s.Note("The hub could not be asked whether another node of the cluster is being upgraded.")
		}})
	var open *permits.OpenError
	if errors.As(err, &open) {
		refusal := Refuse("permit_open", "%s is being upgraded, or worked on by hand; this begins when that has ended",
			"%s でアップグレードまたは手動作業が行われています。終了後に実行してください", open.Holder)
		refusal.Err = err
		return nil, refusal
	}
	if err == nil {
		s.hold = hold
	}
	return hold, busy(err)
}

// busy gives the gate's refusal its sentences.
func busy(err error) error {
	var other *gate.BusyError
	if !errors.As(err, &other) {
		return err
	}
	japanese := "前の操作がまだ進行中です。しばらくしてからもう一度実行してください"
	if other.Kind == gate.Download {
		japanese = "このノードでソフトウェアをダウンロード中です。終了後に、またはもう一方のノードで実行してください"
	}
	if other.Kind == gate.Orchestration && other.Note.What != "" {
		japanese += fmt.Sprintf("(%s、実行者 %s、開始 %s)", other.Note.What, other.Note.Who,
			other.Note.Since.Format(time.RFC3339))
	}
	return &Refusal{Code: "operation_in_progress", English: other.Error(), Japanese: japanese, Err: err}
}

// Terminal says whether somebody sits at standard input.
func (s *Session) Terminal() bool { return term.IsTerminal(int(s.In.Fd())) }

// Say writes one line of the answer.
func (s *Session) Say(format string, args ...any) {
	_, _ = fmt.Fprintln(s.Out, Printable(fmt.Sprintf(format, args...)))
}

// Note writes one line of progress, apart from the answer.
func (s *Session) Note(format string, args ...any) {
	_, _ = fmt.Fprintln(s.Err, Printable(fmt.Sprintf(format, args...)))
}

// JSON writes the answer for a script.
func (s *Session) JSON(v any) error {
	enc := json.NewEncoder(s.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Printable keeps what others wrote from steering a terminal.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, text)
}
