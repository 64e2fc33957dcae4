package seal_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"connecthub/hub/seal"
)

var place = seal.Place{Purpose: seal.OIDCClientSecret, Organization: "o1", Row: "r1"}

func newKey(t *testing.T) seal.Key {
	t.Helper()
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sealer(t *testing.T, keys ...seal.Key) *seal.Sealer {
	t.Helper()
	s, err := seal.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealed(t *testing.T, s *seal.Sealer, plain string) string {
	t.Helper()
	text, err := s.Seal(place, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWhatIsSealedOpensInItsPlace(t *testing.T) {
	t.Parallel()
	s := sealer(t, newKey(t))
	for _, plain := range []string{"", "secret", strings.Repeat("x", 64<<10)} {
		text := sealed(t, s, plain)
		back, err := s.Open(place, text)
		if err != nil || string(back) != plain {
			t.Errorf("%d bytes: %v", len(plain), err)
		}
		if len(plain) > 0 && strings.Contains(text, plain) {
			t.Error("the plain text is in the sealed one")
		}
	}
	if one, other := sealed(t, s, "a"), sealed(t, s, "a"); one == other {
		t.Error("the same value gave the same text twice")
	}
	if _, err := s.Seal(place, make([]byte, 64<<10+1)); err == nil {
		t.Error("sealed without a limit")
	}
}

func TestAValueMovedToAnotherPlaceDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := sealer(t, newKey(t))
	text := sealed(t, s, "secret")
	for name, at := range map[string]seal.Place{
		"purpose":      {Purpose: seal.HubMark, Organization: "o1", Row: "r1"},
		"organization": {Purpose: place.Purpose, Organization: "o2", Row: "r1"},
		"row":          {Purpose: place.Purpose, Organization: "o1", Row: "r2"},
		"boundary":     {Purpose: place.Purpose, Organization: "o1r", Row: "1"},
		"nowhere":      {},
	} {
		if _, err := s.Open(at, text); !errors.Is(err, seal.ErrBroken) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestEveryChangedCharacterIsFoundOut(t *testing.T) {
	t.Parallel()
	s := sealer(t, newKey(t))
	text := sealed(t, s, "secret")
	for i := range len(text) {
		for _, c := range []byte{'A', 'B', '.', '0'} {
			if text[i] == c {
				continue
			}
			bad := text[:i] + string(c) + text[i+1:]
			if _, err := s.Open(place, bad); err == nil {
				t.Fatalf("character %d changed to %c and it opened", i, c)
			}
		}
		if _, err := s.Open(place, text[:i]); err == nil {
			t.Fatalf("cut at %d and it opened", i)
		}
	}
	other := strings.Split(sealed(t, s, "other"), ".")
	mine := strings.Split(text, ".")
	mine[2] = other[2]
	if _, err := s.Open(place, strings.Join(mine, ".")); !errors.Is(err, seal.ErrBroken) {
		t.Errorf("the key of another value: %v", err)
	}
}

func TestAnotherKeyIsNamedInTheRefusal(t *testing.T) {
	t.Parallel()
	mine, other := newKey(t), newKey(t)
	text := sealed(t, sealer(t, mine), "secret")
	_, err := sealer(t, other).Open(place, text)
	if !errors.Is(err, seal.ErrNoKey) || !strings.Contains(err.Error(), string(mine.ID())) {
		t.Error(err)
	}
	if id, err := seal.KeyOf(text); err != nil || id != mine.ID() {
		t.Error(id, err)
	}
	if _, err := seal.KeyOf("plain"); err == nil {
		t.Error("a plain text names a key")
	}
}

func TestAnOldKeyOpensUntilItsValuesAreSealedAnew(t *testing.T) {
	t.Parallel()
	old, next := newKey(t), newKey(t)
	text := sealed(t, sealer(t, old), "secret")
	both := sealer(t, next, old)
	if back, err := both.Open(place, text); err != nil || string(back) != "secret" {
		t.Fatal(err)
	}
	anew, err := both.Rewrap(text)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := both.Rewrap(anew); err != nil || again != anew {
		t.Error("rotated twice", err)
	}
	if back, err := sealer(t, next).Open(place, anew); err != nil || string(back) != "secret" {
		t.Error(err)
	}
	if _, err := sealer(t, old).Open(place, anew); !errors.Is(err, seal.ErrNoKey) {
		t.Error("the old key still opens it", err)
	}
	moved := place
	moved.Row = "r2"
	if _, err := sealer(t, next).Open(moved, anew); !errors.Is(err, seal.ErrBroken) {
		t.Error("sealed anew it opens elsewhere", err)
	}
	if _, err := sealer(t, next).Rewrap(text); !errors.Is(err, seal.ErrNoKey) {
		t.Error(err)
	}
}

func TestAKeyRingIsReadStrictly(t *testing.T) {
	t.Parallel()
	a, b := newKey(t), newKey(t)
	keys, err := seal.ParseKeys([]byte("# of today\n" + a.Text() + "\r\n\n# before\n" + b.Text()))
	if err != nil || len(keys) != 2 || keys[0].ID() != a.ID() || keys[1].ID() != b.ID() {
		t.Fatal(keys, err)
	}
	for name, text := range map[string]string{
		"nothing": "", "remark": "# none\n", "short": "c2hvcnQ=", "no base64": strings.Repeat("!", 44),
		"zeros": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "twice": a.Text() + "\n" + a.Text(),
		"long": strings.Repeat("#\n", 3000),
	} {
		if _, err := seal.ParseKeys([]byte(text)); err == nil {
			t.Errorf("%s was taken for a key", name)
		}
	}
}

func TestAKeyNeverShowsItself(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	s := sealer(t, key)
	js, err := json.Marshal(map[string]any{"key": key, "sealer": s})
	if err != nil {
		t.Fatal(err)
	}
	said := string(js) + key.LogValue().String()
	for _, v := range []any{key, &key, s, []seal.Key{key}, struct{ K seal.Key }{key},
		struct{ k seal.Key }{key}} {
		said += fmt.Sprintf("%v %+v %#v %s", v, v, v, v)
	}
	raw, err := seal.ParseKeys([]byte(key.Text()))
	if err != nil || raw[0].ID() != key.ID() {
		t.Fatal("a key is not its own text", err)
	}
	bare, err := base64.StdEncoding.DecodeString(key.Text())
	if err != nil {
		t.Fatal(err)
	}
	decimal := strings.Trim(fmt.Sprintf("%d", bare[:8]), "[]")
	if strings.Contains(said, key.Text()) || strings.Contains(said, decimal) ||
		!strings.Contains(said, string(key.ID())) {
		t.Error(said)
	}
}
