package enroll

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/atomicfile"
)

const (
	identityFile = "identity.json"
	pendingFile  = "pending.json"
	statusEvery  = time.Second
	statusLate   = 15 * time.Second // once the time of the return leg has passed
)

// Refusals of the node itself, with sentences for its own page.
var (
	ErrRegistered = &Own{"This node already belongs to a cluster; deregister it in Connect Hub first.",
		"このノードはすでにクラスタに属しています。先に Connect Hub で登録を解除してください。"}
	ErrBusy = &Own{"An upgrade on this node has not ended yet; try again when it has.",
		"このノードではアップグレードがまだ終わっていません。終わってからもう一度お試しください。"}
	ErrNotInCluster = &Own{"This node is in no cluster yet; run \"nodeclient cluster init\" first.",
		"このノードはまだクラスタに属していません。先に「nodeclient cluster init」を実行してください。"}
)

// Own is a refusal by the node itself.
type Own struct{ en, ja string }

// Error is the English sentence in the form of an error.
func (o *Own) Error() string {
	return strings.ToLower(o.en[:1]) + strings.TrimSuffix(o.en[1:], ".")
}

// Sentence answers in "ja" or English.
func (o *Own) Sentence(language string) string {
	if language == "ja" {
		return o.ja
	}
	return o.en
}

// pending is a claim that waits for the return leg.
type pending struct {
	RegistrationID models.RegistrationID `json:"registration_id"`
	ClaimedAt      time.Time             `json:"claimed_at"` // by this node's clock
}

// Options are what an Enrollment is given.
type Options struct {
	Dir           string
	ClientVersion string
	Version       func() models.Version // of the installed product
	Busy          func() bool           // whether the journal has an open entry (R6)
	Now           func() time.Time
}

// Enrollment is a node's registration: none, claimed, or an identity.
type Enrollment struct {
	o       Options
	config  Config
	client  *client
	changed chan struct{}

	mu       sync.Mutex
	identity *wire.Identity
	pending  *pending
	token    string
	tokenEnd time.Time
	said     string // why the last registration ended
}

// Open reads the node's folder.
func Open(o Options) (*Enrollment, error) {
	config, err := LoadConfig(o.Dir)
	if err != nil {
		return nil, err
	}
	c, err := newClient(o.Dir, config)
	if err != nil {
		return nil, err
	}
	e := &Enrollment{o: o, config: config, client: c, changed: make(chan struct{}, 1)}
	if e.identity, err = readOptional[wire.Identity](o.Dir, identityFile); err != nil {
		return nil, err
	}
	if e.pending, err = readOptional[pending](o.Dir, pendingFile); err != nil {
		return nil, err
	}
	return e, nil
}

func readOptional[T any](dir, name string) (*T, error) {
	var v T
	err := atomicfile.ReadJSON(filepath.Join(dir, name), maxConfig, &v)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// Config is the node's settings.
func (e *Enrollment) Config() Config { return e.config }

// Identity is what the node is to the hub, or nil.
func (e *Enrollment) Identity() *wire.Identity {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.identity
}

// Changed gets a value when an identity came or went.
func (e *Enrollment) Changed() <-chan struct{} { return e.changed }

func (e *Enrollment) signal() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// Inspect asks the hub what a ticket is about. The hub is the one of setup, never one that the link
// names.
func (e *Enrollment) Inspect(ctx context.Context, ticket, language string) (
	wire.InspectResponse, error) {
	var answer wire.InspectResponse
	if err := e.free(); err != nil {
		return answer, err
	}
	key, err := ensureKey(e.o.Dir)
	if err != nil {
		return answer, err
	}
	err = e.client.post(ctx, wire.PathInspect, "", language,
		wire.InspectRequest{Ticket: ticket, Key: key.jwk}, &answer)
	return answer, err
}

// free refuses while the node belongs to a cluster or an upgrade has not ended (R5, R6).
func (e *Enrollment) free() error {
	switch {
	case e.Identity() != nil:
		return ErrRegistered
	case e.o.Busy():
		return ErrBusy
	case e.config.Role == "":
		return ErrNotInCluster
	}
	return nil
}

// Allow claims the registration and answers where the browser goes back to. Await finishes it.
func (e *Enrollment) Allow(ctx context.Context, ticket, language string) (string, error) {
	if err := e.free(); err != nil {
		return "", err
	}
	claim, err := e.claim(ticket)
	if err != nil {
		return "", err
	}
	var answer wire.ClaimResponse
	err = e.client.post(ctx, wire.PathClaim, "", language,
		wire.ClaimRequest{Ticket: ticket, Claim: claim}, &answer)
	if err != nil {
		return "", err
	}
	p := &pending{RegistrationID: answer.RegistrationID, ClaimedAt: e.o.Now()}
	if err := atomicfile.WriteJSON(filepath.Join(e.o.Dir, pendingFile), p); err != nil {
		return "", err
	}
	e.mu.Lock()
	e.pending = p
	e.mu.Unlock()
	e.signal()
	return answer.ReturnURL, nil
}

// claim is what this node states of itself, signed with its key.
func (e *Enrollment) claim(ticket string) (string, error) {
	key, err := ensureKey(e.o.Dir)
	if err != nil {
		return "", err
	}
	members, err := Members(e.o.Dir)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(ticket))
	return key.signClaim(wire.Claim{TicketHash: hex.EncodeToString(sum[:]), FQDN: e.config.FQDN,
		Role: string(e.config.Role), ClientVersion: e.o.ClientVersion, Protocol: wire.Protocol,
		Version: e.o.Version(), Members: append([]models.FQDN{e.config.FQDN}, members...)})
}

// Deny ends the registration for good.
func (e *Enrollment) Deny(ctx context.Context, ticket, language string) error {
	return e.client.post(ctx, wire.PathDeny, "", language, wire.DenyRequest{Ticket: ticket}, nil)
}

// Await asks for the completion of a claim until it has come or the hub says that it will not; then
// the node forgets the claim (R2). A hub that cannot be reached says neither: it may have completed
// the registration already. It answers at once when nothing is claimed.
func (e *Enrollment) Await(ctx context.Context) error {
	for {
		e.mu.Lock()
		p := e.pending
		e.mu.Unlock()
		if p == nil {
			return nil
		}
		state, err := e.askStatus(ctx, p)
		late := e.o.Now().Sub(p.ClaimedAt) > models.ReturnTTL+time.Minute
		var refusal *Refusal
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && state == models.RegistrationCompleted:
			return nil
		case err == nil && state != models.RegistrationClaimed,
			late && errors.As(err, &refusal) && refusal.Problem.Code != "":
			return e.forgetPending()
		}
		pause := statusEvery
		if late {
			pause = statusLate
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (e *Enrollment) askStatus(ctx context.Context, p *pending) (models.RegistrationState, error) {
	key, err := ensureKey(e.o.Dir)
	if err != nil {
		return "", err
	}
	assertion, err := key.assertion(string(p.RegistrationID), e.o.Now())
	if err != nil {
		return "", err
	}
	var answer wire.StatusResponse
	err = e.client.post(ctx, wire.PathStatus, "", "",
		wire.StatusRequest{RegistrationID: p.RegistrationID, Assertion: assertion}, &answer)
	if err != nil {
		return "", err
	}
	if answer.Identity != nil {
		return answer.State, e.adopt(*answer.Identity)
	}
	return answer.State, nil
}

// adopt makes the identity durable before anybody uses it.
func (e *Enrollment) adopt(identity wire.Identity) error {
	if _, err := identity.HubKey.Public(); err != nil {
		return fmt.Errorf("cannot accept the identity: %w", err)
	}
	err := atomicfile.WriteJSON(filepath.Join(e.o.Dir, identityFile), identity)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.identity, e.token, e.said = &identity, "", ""
	e.mu.Unlock()
	defer e.signal()
	return e.forgetPending()
}

func (e *Enrollment) forgetPending() error {
	e.mu.Lock()
	e.pending = nil
	e.mu.Unlock()
	return atomicfile.Remove(filepath.Join(e.o.Dir, pendingFile))
}

// Forget ends the identity, its key and a claim that waits: after a signed statement (R6), or by the node's own
// administrator. The services are not touched.
func (e *Enrollment) Forget(why string) error {
	for _, name := range []string{pendingFile, identityFile, keyFile} {
		if err := atomicfile.Remove(filepath.Join(e.o.Dir, name)); err != nil {
			return err
		}
	}
	e.mu.Lock()
	e.identity, e.pending, e.token, e.said = nil, nil, "", why
	e.mu.Unlock()
	e.signal()
	return nil
}

// Claimed says whether a claim waits for the return leg.
func (e *Enrollment) Claimed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pending != nil
}

// Said is why the last registration ended, or empty.
func (e *Enrollment) Said() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said
}

// ReadIdentity is the identity in a node's folder, or nil; the agent need not run.
func ReadIdentity(dir string) (*wire.Identity, error) {
	return readOptional[wire.Identity](dir, identityFile)
}
