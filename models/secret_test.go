package models_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"connecthub/models"
)

func TestASecretShowsItselfNowhere(t *testing.T) {
	t.Parallel()
	const text = "open sesame"
	s := models.Secret(text)
	type holder struct {
		S models.Secret
		P *models.Secret
	}
	var out bytes.Buffer
	for _, v := range []any{s, &s, holder{s, &s}, []models.Secret{s},
		map[string]models.Secret{"k": s}, errors.Join(fmt.Errorf("cannot use %s", s))} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	said := strings.ToLower(out.String())
	for _, form := range []string{text, hex.EncodeToString([]byte(text)), "111 112 101"} {
		if strings.Contains(said, form) {
			t.Errorf("%q is in\n%s", form, said)
		}
	}
	if s.Reveal() != text {
		t.Error("it is lost")
	}
}
