package identity

import (
	"context"
	_ "embed"
	"strings"
	"unicode"

	"connecthub/models"
)

// common is a list of passwords of 12 characters and more that everybody tries first: one a line,
// in lower case.
//
//go:embed common-passwords.txt
var common string

// newHash hashes a new password. It refuses one that is too short or too long, one that everybody
// tries first, and one that is little more than a word that stands near it: the person's address,
// the organization's name.
func (i *Identity) newHash(ctx context.Context, password, field string, near ...string) (string,
	error) {
	if acceptable(password) && guessable(password, near...) {
		return "", models.Invalid("breached_password", field)
	}
	hash, err := i.hasher.hash(ctx, password)
	if err != nil {
		return "", inField(err, field)
	}
	return hash, nil
}

// guessable looks past capitals, and past what is put around a word to please a rule.
func guessable(password string, near ...string) bool {
	folded := strings.ToLower(password)
	bare := strings.TrimFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) })
	for _, text := range []string{folded, unleet(folded)} {
		if listed(text) || repeated(text) || runs(text) {
			return true
		}
	}
	for _, text := range []string{bare, unleet(bare), letters(folded)} {
		if len(text) >= minNear && len(text)*2 > len(folded) && (listed(text) || listed(text+text)) {
			return true
		}
	}
	for _, word := range near {
		local, _, _ := strings.Cut(word, "@")
		if mostly(folded, word) || mostly(folded, local) {
			return true
		}
	}
	return mostly(folded, "connecthub") || mostly(folded, "connect hub")
}

// letters leaves out everything else.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, text)
}

func listed(text string) bool {
	return len(text) >= minPassword && strings.Contains(common, "\n"+text+"\n")
}

// unleet undoes the usual substitutions.
func unleet(text string) string {
	return strings.NewReplacer("0", "o", "1", "l", "3", "e", "4", "a", "5", "s", "7", "t",
		"@", "a", "$", "s", "!", "i").Replace(text)
}

// repeated finds what is one piece of up to six characters again and again.
func repeated(text string) bool {
	for size := 1; size <= 6 && size*2 <= len(text); size++ {
		piece := strings.Repeat(text[:size], len(text)/size+1)
		if strings.HasPrefix(piece, text) {
			return true
		}
	}
	return false
}

// runs finds what is nothing but neighbours: 123456789012, abcdefghijkl, and backwards.
func runs(text string) bool {
	all := []rune(text)
	up, down := 0, 0
	for n := 1; n < len(all); n++ {
		switch all[n] - all[n-1] {
		case 1, -9:
			up++
		case -1, 9:
			down++
		}
	}
	return len(all) > 1 && max(up, down) >= (len(all)-1)*4/5
}

// minNear is how long a word must be to be looked for.
const minNear = 4

// mostly says whether without the word too little is left to be a password.
func mostly(folded, word string) bool {
	word = strings.ToLower(word)
	if len([]rune(word)) < minNear || !strings.Contains(folded, word) {
		return false
	}
	rest := strings.ReplaceAll(folded, word, "")
	return len([]rune(rest)) < minPassword-minNear
}

func inField(err error, field string) error {
	if refusal, ok := err.(*models.Refusal); ok { //nolint:errorlint // hash's own, unwrapped
		moved := *refusal
		moved.Field = field
		return &moved
	}
	return err
}
