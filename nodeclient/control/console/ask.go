package console

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Ask answers what was given by flag, what is typed, or on an empty line the current value. Where
// nobody sits at a terminal it refuses, naming the flag.
func (s *Session) Ask(prompt, flag, given, current string) (string, error) {
	typed, err := s.AskOptional(prompt, flag, given, current)
	if err == nil && typed == "" {
		err = Refuse("nothing_given", "nothing was given for %s", "%s に何も入力されていません", prompt)
	}
	return typed, err
}

// AskOptional is Ask where nothing is an answer, too.
func (s *Session) AskOptional(prompt, flag, given, current string) (string, error) {
	if given != "" {
		return given, nil
	}
	if !s.Terminal() {
		return "", Refuse("flag_needed", "give --%s", "--%s を指定してください", flag)
	}
	if current != "" {
		prompt += " [" + Printable(current) + "]"
	}
	_, _ = fmt.Fprint(s.Err, prompt+": ")
	typed, err := s.line()
	if err != nil {
		return "", err
	}
	if typed == "" {
		typed = current
	}
	return typed, nil
}

// Confirm takes nothing but the word for a consent; given is the flag that says it beforehand.
func (s *Session) Confirm(question, flag string, given bool) error {
	if given {
		return nil
	}
	if !s.Terminal() {
		return Refuse("flag_needed", "give --%s", "--%s を指定してください", flag)
	}
	_, _ = fmt.Fprint(s.Err, question+" Type yes to go on: ")
	typed, err := s.line()
	if err != nil {
		return err
	}
	if typed != "yes" {
		return Refuse("not_confirmed", "that was no yes; nothing was changed",
			"yes と入力されなかったため、何も変更していません")
	}
	return nil
}

// line reads up to a line's end and not one byte further: a password may come next.
func (s *Session) line() (string, error) {
	var b strings.Builder
	one := make([]byte, 1)
	read := s.reader(s.In)
	for b.Len() < maxLine {
		n, err := read(one)
		if n == 1 && one[0] == '\n' {
			return strings.TrimSpace(b.String()), nil
		}
		if err != nil {
			return "", unread("answer", err)
		}
		_, _ = b.Write(one[:n])
	}
	return "", Refuse("answer_too_long", "the answer is too long", "入力が長すぎます")
}

// Secret reads one line from a file, from standard input ("-"), or from a prompt that shows
// asterisks: never from the command line, which every user of the machine can see.
func (s *Session) Secret(prompt, flag, file string) (string, error) {
	switch {
	case file == "-":
		return s.line1(s.In)
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("cannot read --%s: %w", flag, err)
		}
		defer f.Close()
		return s.line1(f)
	case !s.Terminal():
		return "", Refuse("flag_needed", "give the secret with --%s FILE, or - for standard input",
			"--%s FILE(標準入力は -)で指定してください", flag)
	}
	return s.hidden(prompt)
}

// line1 is the first line of a file as it stands, blanks included.
func (s *Session) line1(f *os.File) (string, error) {
	var b strings.Builder
	one := make([]byte, 1)
	read := s.reader(f)
	for b.Len() <= maxLine {
		n, err := read(one)
		if n == 1 && one[0] != '\n' {
			_ = b.WriteByte(one[0])
			continue
		}
		if n == 1 || errors.Is(err, io.EOF) {
			return strings.TrimRight(b.String(), "\r"), nil
		}
		if err != nil {
			return "", unread("secret", err)
		}
	}
	return "", Refuse("answer_too_long", "the secret is too long", "入力が長すぎます")
}

// hidden shows an asterisk for each character. The terminal's own echo ends before the prompt appears,
// so that nothing which is typed early is seen either.
func (s *Session) hidden(prompt string) (string, error) {
	before, err := term.MakeRaw(int(s.In.Fd()))
	if err != nil {
		return "", fmt.Errorf("cannot hide what is typed: %w", err)
	}
	defer func() {
		_ = term.Restore(int(s.In.Fd()), before)
		_, _ = fmt.Fprintln(s.Err)
	}()
	_, _ = fmt.Fprint(s.Err, prompt+": ")
	var typed []byte
	one := make([]byte, 1)
	read := s.reader(s.In)
	for len(typed) < maxLine {
		if n, err := read(one); n < 1 {
			return "", unread("password", errors.Join(err, io.ErrUnexpectedEOF))
		}
		switch c := one[0]; {
		case c == '\r' || c == '\n':
			return string(typed), nil
		case c == keyCtrlC || c == keyCtrlD:
			return "", Refuse("nothing_given", "no password was given", "パスワードが入力されていません")
		case c == keyDelete || c == keyBackspace:
			if len(typed) > 0 {
				_, size := utf8.DecodeLastRune(typed)
				typed = typed[:len(typed)-size]
				_, _ = fmt.Fprint(s.Err, "\b \b")
			}
		case c >= ' ':
			typed = append(typed, c)
			if utf8.RuneStart(c) {
				_, _ = fmt.Fprint(s.Err, "*")
			}
		}
	}
	return "", Refuse("answer_too_long", "the password is too long", "パスワードが長すぎます")
}

const (
	keyCtrlC     = 0x03
	keyCtrlD     = 0x04
	keyCtrlE     = 0x05
	keyBackspace = 0x08
	keyTab       = '\t'
	keyCtrlU     = 0x15
	keyDelete    = 0x7f
)
