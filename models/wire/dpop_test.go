package wire_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/models/wire"
)

// TestAProofIsReadAsAnybodyElseReadsIt signs with Prover, checks with the library, and the other way
// round.
func TestAProofIsReadAsAnybodyElseReadsIt(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []wire.ProofClaims{
		{TokenHash: strings.Repeat("A", 43), Method: "POST", URI: "https://hub.example.com/api/node/v1/poll",
			IssuedAt: 1_795_370_561, ID: "0123456789", Nonce: "nonce"},
		{TokenHash: "a", Method: "GET", URI: "https://h/\"quoted\"\u00e9", IssuedAt: -5, ID: "<&>"},
		{},
	} {
		text, err := wire.NewProver(private).Sign(c)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return public, nil },
			jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithoutClaimsValidation())
		if err != nil || token.Header["typ"] != wire.TypeProof {
			t.Errorf("%+v: %v %v", c, token, err)
			continue
		}
		read(t, text, public, c)
		raw, err := json.Marshal(token.Claims)
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.MapClaims
		if err := json.Unmarshal(raw, &claims); err != nil {
			t.Fatal(err)
		}
		other := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
		other.Header["typ"], other.Header["jwk"] = wire.TypeProof, wire.KeyOf(public)
		text, err = other.SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		read(t, text, public, c)
	}
}

func read(t *testing.T, text string, public ed25519.PublicKey, want wire.ProofClaims) {
	t.Helper()
	var scratch wire.ProofScratch
	p, ok := wire.ReadProof(text, &scratch)
	if !ok || p.Claims != want || !ed25519.Verify(public, p.Signed, p.Signature[:]) {
		t.Errorf("read %v %+v, want %+v", ok, p.Claims, want)
	}
	key, ok := wire.ReadProofHead(p.Head)
	if !ok || key != wire.KeyOf(public) {
		t.Errorf("its key is %v %+v", ok, key)
	}
	for _, bad := range []string{"", ".", "..", "...", text + "=", text[:len(text)-1], "." + text,
		text + ".", strings.Replace(text, ".", "", 1), strings.Replace(text, ".", "..", 1),
		strings.Repeat("a", wire.MaxProof) + text, text[:len(text)-2] + "\r\n"} {
		if _, ok := wire.ReadProof(bad, &scratch); ok {
			t.Errorf("%.60q… was taken for a proof", bad)
		}
	}
}
