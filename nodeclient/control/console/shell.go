package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"
)

// Prompt is the original's.
const Prompt = "admin:"

// Shell is the control node's prompt. Tree answers a fresh parser of the commands that it takes;
// Execute runs one line's words and answers its exit code.
type Shell struct {
	Session *Session
	Tree    func() (*kong.Kong, error)
	Execute func(ctx context.Context, words []string) int
}

// Run reads commands until exit, quit or the end of the input. It answers the exit code of the last
// command, so that a script which is piped in can tell.
func (s *Shell) Run() (int, error) {
	parser, err := s.Tree()
	if err != nil {
		return 2, err
	}
	signal.Reset(syscall.SIGTERM) // a prompt that is told to end, ends
	if !s.Session.Terminal() {
		return s.script()
	}
	c := completer{root: parser.Model.Node}
	fd := int(s.Session.In.Fd())
	screen := term.NewTerminal(&keyboard{in: s.Session.In, out: s.Session.Err}, Prompt)
	screen.History = &history{}
	screen.AutoCompleteCallback = c.complete(screen)
	code := 0
	for {
		before, err := term.MakeRaw(fd)
		if err != nil {
			return 1, fmt.Errorf("cannot use the terminal: %w", err)
		}
		if width, height, err := term.GetSize(fd); err == nil && width > 0 {
			_ = screen.SetSize(width, height)
		}
		line, err := screen.ReadLine()
		_ = term.Restore(fd, before)
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			_, _ = fmt.Fprintln(s.Session.Err)
			return code, nil
		}
		done := false
		if code, done = s.one(line, code); done {
			return code, nil
		}
	}
}

// script runs the lines of standard input and stops at the first that is not done.
func (s *Shell) script() (int, error) {
	for {
		line, err := s.Session.line()
		if err != nil && line == "" {
			return 0, nil
		}
		code, done := s.one(line, 0)
		if done || code != 0 {
			return code, nil
		}
	}
}

// Line runs one line.
func (s *Shell) Line(line string) (int, error) {
	code, _ := s.one(line, 0)
	return code, nil
}

// one runs one line. An empty one leaves the code as it was.
func (s *Shell) one(line string, before int) (code int, done bool) {
	words, err := Words(line)
	if err != nil {
		_, _ = fmt.Fprintln(s.Session.Err, Sentence(err, s.Session.Lang))
		return 2, false
	}
	if len(words) == 0 {
		return before, false
	}
	switch words[0] {
	case "exit", "quit":
		return before, true
	case "help", "?":
		words = append(words[1:], "--help")
	}
	// A command that is interrupted ends; the prompt stays.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(s.Session.Ctx), os.Interrupt)
	defer stop()
	return s.Execute(ctx, words), false
}

// Words splits a line as the shell does: at blanks, but not within "double quotes".
func Words(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, any := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case !quoted && (r == ' ' || r == '\t'):
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			_, _ = word.WriteRune(r)
			any = true
		}
	}
	if quoted {
		return nil, Refuse("open_quote", "a quotation mark is missing", "引用符が閉じられていません")
	}
	if any {
		words = append(words, word.String())
	}
	return words, nil
}

// keyboard gives one byte at a time, so that what is typed ahead reaches the command that asks for it.
// Ctrl-C drops the line that is being typed.
type keyboard struct {
	in    io.Reader
	out   io.Writer
	ahead []byte
}

// Read is one byte of what is typed.
func (k *keyboard) Read(p []byte) (int, error) {
	if len(k.ahead) == 0 {
		if n, err := k.in.Read(p[:1]); n == 0 || err != nil {
			return n, err
		}
		if p[0] != keyCtrlC {
			return 1, nil
		}
		k.ahead = []byte{keyCtrlE, keyCtrlU, '\r'}
	}
	p[0], k.ahead = k.ahead[0], k.ahead[1:]
	return 1, nil
}

// Write shows.
func (k *keyboard) Write(p []byte) (int, error) { return k.out.Write(p) }

const maxHistory = 200

// history is what was typed in this shell; it ends with it.
type history struct{ lines []string }

// Add keeps a line, unless it is empty or the one before again.
func (h *history) Add(line string) {
	if line == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	if h.lines = append(h.lines, line); len(h.lines) > maxHistory {
		h.lines = h.lines[1:]
	}
}

// Len is how many there are.
func (h *history) Len() int { return len(h.lines) }

// At is the line that was typed i lines before the last.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

// completer finishes a word that is begun, from the tree of commands.
type completer struct{ root *kong.Node }

func (c completer) complete(screen io.Writer) func(string, int, rune) (string, int, bool) {
	return func(line string, pos int, key rune) (string, int, bool) {
		if key != keyTab && key != '?' || pos != len(line) || strings.Contains(line, `"`) {
			return "", 0, false
		}
		head, found := c.candidates(line)
		if key == '?' || len(found) != 1 {
			if common := prefix(found); key == keyTab && len(common) > len(line)-len(head) {
				return head + common, len(head + common), true
			}
			for _, f := range found {
				_, _ = fmt.Fprintf(screen, "  %s\n", f)
			}
			return line, pos, true
		}
		whole := head + found[0] + " "
		return whole, len(whole), true
	}
}

// candidates answers what stands before the word that is being typed, and the words it can become.
func (c completer) candidates(line string) (head string, found []string) {
	cut := strings.LastIndexByte(line, ' ') + 1
	head, begun := line[:cut], line[cut:]
	node := c.root
	words := strings.Fields(head)
	if len(words) > 0 && (words[0] == "help" || words[0] == "?") {
		words = words[1:]
	}
	for _, w := range words {
		if next := child(node, w); next != nil {
			node = next
		} else if !strings.HasPrefix(w, "-") && !node.Leaf() {
			return head, nil
		}
	}
	for _, n := range node.Children {
		if !n.Hidden && strings.HasPrefix(n.Name, begun) {
			found = append(found, n.Name)
		}
	}
	if node == c.root {
		for _, own := range []string{"help", "exit", "quit"} {
			if strings.HasPrefix(own, begun) {
				found = append(found, own)
			}
		}
	}
	if strings.HasPrefix(begun, "-") || node.Leaf() {
		for _, group := range node.AllFlags(true) {
			for _, f := range group {
				if name := "--" + f.Name; strings.HasPrefix(name, begun) {
					found = append(found, name)
				}
			}
		}
	}
	slices.Sort(found)
	return head, slices.Compact(found)
}

func child(node *kong.Node, name string) *kong.Node {
	for _, n := range node.Children {
		if n.Name == name {
			return n
		}
	}
	return nil
}

func prefix(words []string) string {
	if len(words) == 0 {
		return ""
	}
	common := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, common) {
			common = common[:len(common)-1]
		}
	}
	return common
}
