// Package authkeys judges the text of an authorized_keys file: would it let the control nodes in, and
// which of the known mistakes does it hold. It knows no machine and no file system.
package authkeys

import (
	"bytes"
	"encoding/base64"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"connecthub/nodeclient/control/keys"
)

// The file's names: the user's own, and the one that Windows uses in its place for administrators.
const (
	FileName      = "authorized_keys"
	AdminFileName = "administrators_authorized_keys"
)

// MaxBytes is how long the file may be.
const MaxBytes = 256 << 10

const (
	maxProblems = 50
	mark        = "\uFEFF" // byte order mark
)

// Report is what a file is worth.
type Report struct {
	Problems []Problem
	// Lets says of each key that was asked for, in its order, whether the file lets it in.
	Lets []bool
}

// Check judges a file. Wanted are the control nodes that it should let in. name is the file's, or
// empty where it does not matter.
func Check(name string, text []byte, wanted []keys.Public) Report {
	r := &reader{wanted: wanted, report: Report{Lets: make([]bool, len(wanted))}}
	r.name(name)
	if r.whole(text) {
		for i, line := range strings.Split(string(text), "\n") {
			r.line(i+1, strings.TrimSuffix(line, "\r"))
		}
	}
	for i, w := range wanted {
		if !r.report.Lets[i] {
			r.say(0, 0, RuleMissing, string(w.Category)+" "+string(w.HostName))
		}
	}
	return r.report
}

type reader struct {
	wanted []keys.Public
	report Report
}

func (r *reader) say(line, column int, rule Rule, subject string) {
	if len(r.report.Problems) < maxProblems {
		r.report.Problems = append(r.report.Problems, Problem{line, column, rule, subject})
	}
}

// FileNameProblem says what is wrong with a file's name, a path of Windows or of UNIX.
func FileNameProblem(name string) (Problem, bool) {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	for _, right := range []string{FileName, AdminFileName} {
		if strings.HasPrefix(strings.ToLower(base), right) && !strings.EqualFold(base, right) {
			return Problem{Rule: RuleFileType, Subject: base}, true
		}
	}
	return Problem{}, false
}

func (r *reader) name(name string) {
	if p, wrong := FileNameProblem(name); wrong {
		r.report.Problems = append(r.report.Problems, p)
	}
}

// whole judges what concerns the text as a whole, and says whether its lines are worth reading.
func (r *reader) whole(text []byte) bool {
	switch {
	case len(text) > MaxBytes:
		r.say(0, 0, RuleTooLong, "")
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) ||
		bytes.IndexByte(text, 0) >= 0:
		r.say(1, 1, RuleEncoding, "UTF-16")
	case bytes.HasPrefix(text, []byte(`{\rtf`)) || bytes.HasPrefix(text, []byte("PK\x03\x04")):
		r.say(1, 1, RuleDocument, "")
	case bytes.HasPrefix(text, []byte(mark)):
		r.say(1, 1, RuleEncoding, "UTF-8 BOM")
		return true
	default:
		return true
	}
	return false
}

var (
	// A key begins with its own type's name, which is the same in base64 whatever follows.
	keyBegins = regexp.MustCompile(
		`AAAA(B3NzaC1yc2E|B3NzaC1kc3M|C3NzaC1lZDI1NTE5|E2VjZHNhLXNoYTIt)`)
	keyType = regexp.MustCompile(`(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp[0-9]+)`)
	onlyKey = regexp.MustCompile(`^[A-Za-z0-9+/]{16,}={0,2}( ` + keys.Comment + `)?$`)
)

// line judges one line; a line that has a mistake may still let somebody in.
func (r *reader) line(number int, line string) {
	text := strings.TrimSpace(line)
	if text == "" || strings.HasPrefix(text, "#") || number == 1 && strings.HasPrefix(line, mark) {
		return // the mark was told, and sshd takes no key of that line
	}
	if rule, column := pasted(line, text); rule != "" {
		r.say(number, column, rule, "")
		return
	}
	r.characters(number, line)
	if trimmed := strings.TrimRight(line, " \t"); trimmed != line {
		r.say(number, utf8.RuneCountInString(trimmed)+1, RuleTrailing, "")
	}
	begins := keyBegins.FindAllStringIndex(line, -1)
	if len(begins) > 1 {
		r.say(number, utf8.RuneCountInString(line[:begins[1][0]])+1, RuleTwoKeys, "")
	}
	r.comma(number, line)
	r.key(number, line, text)
}

// pasted knows what is no line of the file at all.
func pasted(line, text string) (Rule, int) {
	column := utf8.RuneCountInString(line[:strings.Index(line, text)]) + 1
	switch {
	case strings.HasPrefix(text, "{") || strings.Contains(text, `"publicKey"`) ||
		strings.Contains(text, `"category"`) || strings.Contains(text, `"hostName"`):
		return RuleJSON, column
	case strings.HasPrefix(text, "}") || strings.HasPrefix(text, "["):
		return RuleJSON, column
	case strings.Contains(text, "PRIVATE KEY-----"):
		return RulePrivate, column
	case strings.HasPrefix(text, "----") || strings.HasPrefix(text, "PuTTY-User-Key"):
		return RuleForm, column
	}
	return "", 0
}

// characters names the first one that no key line holds.
func (r *reader) characters(number int, line string) {
	for i, c := range line {
		if c == '\t' || c >= ' ' && c <= '~' && c != '"' || c == '"' && hasOptions(line) {
			continue
		}
		r.say(number, utf8.RuneCountInString(line[:i])+1, RuleCharacter, nameOf(c))
		return
	}
}

func nameOf(c rune) string {
	if unicode.IsPrint(c) && c != ' ' {
		return string(c)
	}
	return strings.ToUpper("U+" + hex4(c))
}

func hex4(c rune) string {
	const digits = "0123456789abcdef"
	text := ""
	for c > 0 || len(text) < 4 {
		text = string(digits[c&15]) + text
		c >>= 4
	}
	return text
}

// hasOptions says whether something stands before the type of the key.
func hasOptions(line string) bool {
	at := keyType.FindStringIndex(line)
	return at != nil && strings.Trim(line[:at[0]], " \t\"'") != ""
}

// comma looks behind the type of the key: options before it may hold commas.
func (r *reader) comma(number int, line string) {
	from := 0
	if at := keyType.FindStringIndex(line); at != nil {
		from = at[0]
	}
	if i := strings.IndexAny(line[from:], ",;"); i >= 0 {
		r.say(number, utf8.RuneCountInString(line[:from+i])+1, RuleComma, line[from+i:from+i+1])
	}
}

// key notes whom the line lets in, as sshd reads it: what follows the key is a remark.
func (r *reader) key(number int, line, text string) {
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		r.broken(number, text)
		return
	}
	for i, w := range r.wanted {
		want, err := w.PublicKey.Key()
		if err != nil || !bytes.Equal(want.Marshal(), key.Marshal()) {
			continue
		}
		if len(options) > 0 {
			r.say(number, 1, RuleOptions, string(w.HostName))
		}
		r.report.Lets[i] = r.report.Lets[i] || len(options) == 0
	}
}

// broken says why a line holds no key.
func (r *reader) broken(number int, text string) {
	words := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' })
	switch {
	case onlyKey.MatchString(text) && strings.HasPrefix(text, "AAAA"):
		r.say(number, 1, RuleNoType, "")
	case onlyKey.MatchString(text) || words[0] == keys.Comment:
		r.say(number, 1, RuleWrapped, "")
	case keyType.FindString(words[0]) == words[0] && len(words) > 1 && cut(words[1]):
		r.say(number, 1, RuleWrapped, "")
	default:
		r.say(number, 1, RuleDamaged, "")
	}
}

// cut says whether a key begins well and ends too early.
func cut(word string) bool {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(word, "="))
	if err != nil {
		if n := len(word) / 4 * 4; n < len(word) {
			raw, err = base64.RawStdEncoding.DecodeString(word[:n])
		}
	}
	return err == nil && len(raw) > 11 && bytes.HasPrefix(raw, []byte{0, 0, 0})
}
