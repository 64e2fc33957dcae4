package wire_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"connecthub/models"
	"connecthub/models/wire"
)

const protocolPage = "../../docs/protocol.md"

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// messages are all that nodes and the hub send each other.
func messages() map[string]any {
	all := map[string]any{}
	for _, m := range []any{wire.HeadlessRequest{}, wire.HeadlessResponse{},
		wire.HeadlessPollRequest{}, wire.HeadlessPollResponse{}, wire.HeadlessAnswer{},
		wire.InspectRequest{}, wire.InspectResponse{}, wire.ClaimRequest{},
		wire.Claim{}, wire.ClaimResponse{}, wire.DenyRequest{}, wire.StatusRequest{},
		wire.StatusResponse{}, wire.TicketsRequest{}, wire.TicketsResponse{}, wire.JoinRequest{},
		wire.JoinResponse{}, wire.TokenRequest{}, wire.TokenResponse{}, wire.PollRequest{},
		wire.PollResponse{}, wire.CloudViewRequest{}, wire.CloudViewResponse{}, wire.LocalRequest{}, wire.LocalResponse{}, wire.PermitClaims{}, wire.ConfirmRequest{}, wire.ConfirmResponse{},
		wire.Problem{}, wire.StatementClaims{}, wire.AssertionClaims{}, wire.ProofClaims{},
		wire.RotateRequest{}, wire.RotationClaims{}, wire.RotateResponse{},
		wire.ChainRequest{}, wire.LinkClaims{}, wire.ChainClaims{}} {
		all[reflect.TypeOf(m).Name()] = m
	}
	return all
}

var example = regexp.MustCompile("(?s)```json (\\w+)\n(.*?)```")

func TestEveryExampleOfTheProtocolPageIsSuchAMessage(t *testing.T) {
	t.Parallel()
	kinds, shown := messages(), map[string]bool{}
	for _, m := range example.FindAllStringSubmatch(page(t), -1) {
		kind, ok := kinds[m[1]]
		if !ok {
			t.Errorf("no message is called %s", m[1])
			continue
		}
		shown[m[1]] = true
		value := reflect.New(reflect.TypeOf(kind))
		read := json.NewDecoder(strings.NewReader(m[2]))
		read.DisallowUnknownFields()
		if err := read.Decode(value.Interface()); err != nil {
			t.Errorf("%s: %v in %s", m[1], err, m[2])
			continue
		}
		// nothing required is left out: what is written back has the same fields
		written, err := json.Marshal(value.Interface())
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal([]byte(m[2]), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.NewDecoder(bytes.NewReader(written)).Decode(&got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%s: the page has\n%v\nthe message is\n%v", m[1], want, got)
		}
	}
	for name := range kinds {
		if !shown[name] {
			t.Errorf("the page shows no %s", name)
		}
	}
}

func TestTheProtocolPageListsEveryReasonAndNoOther(t *testing.T) {
	t.Parallel()
	_, table, ok := strings.Cut(page(t), "## Reasons")
	if !ok {
		t.Fatal("the page lists no reasons")
	}
	var want []string
	for _, r := range models.Reasons() {
		want = append(want, "| `"+string(r)+"` | "+models.ReasonSentence(r, "{subject}", "en")+" | "+
			models.ReasonSentence(r, "{subject}", "ja")+" |")
	}
	var got []string
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the table of reasons should be:\n%s", strings.Join(want, "\n"))
	}
}

func TestTheProtocolPageNamesEveryPathAndEverySignature(t *testing.T) {
	t.Parallel()
	text := page(t)
	for _, word := range []string{wire.PathInspect, wire.PathClaim, wire.PathDeny, wire.PathStatus,
		wire.PathTickets, wire.PathJoin, wire.PathToken, wire.PathPoll, wire.PathPermits,
		wire.PathBundles, wire.TypeTicket, wire.TypeJoin, wire.TypeClaim, wire.TypeAssertion,
		wire.TypeAccess, wire.TypePermit, wire.TypeStatement, wire.PathKeys, wire.TypeProof,
		wire.TypeRotation, wire.HeaderNonce, wire.CodeUseNonce, wire.CodeProofReplayed,
		wire.CodeStaleCredential, wire.PathChain, wire.PathCloudView, wire.TypeLink, wire.TypeChain} {
		if !strings.Contains(text, word) {
			t.Errorf("the page does not name %s", word)
		}
	}
}
