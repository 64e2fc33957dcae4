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

	"github.com/golang-jwt/jwt/v5"

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
	ErrEnvironment = &Own{"This link is of another environment than the one that this node was set up for.",
		"このリンクは、このノードに設定された環境とは別の環境のものです。"}
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
	Event          Event                 `json:"event"`      // who allowed what
	Ticket         string                `json:"ticket,omitempty"`
}

// Options are what an Enrollment is given.
type Options struct {
	Dir           string
	ClientVersion string
	Version       func() models.Version // of the installed product
	Busy          func() bool           // whether the journal has an open entry (R6)
	Now           func() time.Time
	RotateEvery   time.Duration // how old the node's key becomes; default 24 h
}

// Enrollment is a node's registration: none, claimed, or an identity.
type Enrollment struct {
	o       Options
	config  Config
	client  *client
	changed chan struct{}

	renewing sync.Mutex // held while a token is asked for
	mu       sync.Mutex
	identity *wire.Identity
	pending  *pending
	signedIn session
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
	e := &Enrollment{o: o, config: config, client: c, changed: make(chan struct{}, 1),
		said: lastEnd(o.Dir)}
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
// names; where set-up named an environment, the link must be of it.
func (e *Enrollment) Inspect(ctx context.Context, ticket, language string, by By) (
	wire.InspectResponse, error) {
	var answer wire.InspectResponse
	if err := e.free(); err != nil {
		return answer, err
	}
	if !e.ofEnvironment(ticket) {
		return answer, ErrEnvironment
	}
	key, err := ensureKey(e.o.Dir)
	if err != nil {
		return answer, err
	}
	err = e.client.post(ctx, wire.PathInspect, language,
		wire.InspectRequest{Ticket: ticket, Key: key.jwk}, &answer)
	if err != nil {
		return answer, err
	}
	return answer, e.note(Event{What: EventShown, By: by}.about(answer))
}

// ofEnvironment reads what the ticket says of itself; whether that is true, only the hub can tell.
func (e *Enrollment) ofEnvironment(ticket string) bool {
	if e.config.Environment == "" {
		return true
	}
	var says struct {
		jwt.RegisteredClaims
		Environment string `json:"env"`
	}
	_, _, err := jwt.NewParser().ParseUnverified(ticket, &says)
	return err == nil && says.Environment == e.config.Environment
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

// Allow claims the registration, which about was shown of, and answers where the browser goes back
// to. Await finishes it.
func (e *Enrollment) Allow(ctx context.Context, ticket, language string, by By,
	about wire.InspectResponse) (string, error) {
	if err := e.free(); err != nil {
		return "", err
	}
	if !e.ofEnvironment(ticket) {
		return "", ErrEnvironment
	}
	claim, err := e.claim(ticket)
	if err != nil {
		return "", err
	}
	event := Event{What: EventAllowed, By: by}.about(about)
	if err := e.note(event); err != nil {
		return "", err
	}
	var answer wire.ClaimResponse
	err = e.client.post(ctx, wire.PathClaim, language,
		wire.ClaimRequest{Ticket: ticket, Claim: claim}, &answer)
	if err != nil {
		event.What, event.Why = EventRefused, codeOf(err)
		return "", errors.Join(err, e.note(event))
	}
	err = e.wait(pending{RegistrationID: answer.RegistrationID, ClaimedAt: e.o.Now(), Event: event,
		Ticket: ticket})
	if err != nil {
		return "", err
	}
	return answer.ReturnURL, nil
}

// wait makes a claim durable whose completion is awaited.
func (e *Enrollment) wait(p pending) error {
	if err := atomicfile.WriteJSON(filepath.Join(e.o.Dir, pendingFile), p); err != nil {
		return err
	}
	e.mu.Lock()
	e.pending = &p
	e.mu.Unlock()
	e.signal()
	return nil
}

// codeOf is the hub's word for a refusal, or that it could not be reached.
func codeOf(err error) string {
	var r *Refusal
	if errors.As(err, &r) && r.Problem.Code != "" {
		return r.Problem.Code
	}
	return "unreachable"
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
func (e *Enrollment) Deny(ctx context.Context, ticket, language string, by By,
	about wire.InspectResponse) error {
	if err := e.note(Event{What: EventDenied, By: by}.about(about)); err != nil {
		return err
	}
	return e.client.post(ctx, wire.PathDeny, language, wire.DenyRequest{Ticket: ticket}, nil)
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
		state, why, err := e.askStatus(ctx, p)
		late := e.o.Now().Sub(p.ClaimedAt) > models.ReturnTTL+time.Minute
		var refusal *Refusal
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && state == models.RegistrationCompleted:
			return nil
		case err == nil && state != models.RegistrationClaimed:
			return e.giveUp(p, endOf(state, why))
		case late && errors.As(err, &refusal) && refusal.Problem.Code != "":
			return e.giveUp(p, string(models.EndedReturnMissing))
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

// giveUp forgets a claim that nothing came of, and says why from then on.
func (e *Enrollment) giveUp(p *pending, why string) error {
	event := p.Event
	event.What, event.By, event.Why = EventEnded, By{}, why
	if err := e.note(event); err != nil {
		return err
	}
	e.mu.Lock()
	e.said = why
	e.mu.Unlock()
	return e.forgetPending()
}

func (e *Enrollment) askStatus(ctx context.Context, p *pending) (models.RegistrationState,
	models.EndedWhy, error) {
	key, err := ensureKey(e.o.Dir)
	if err != nil {
		return "", "", err
	}
	var answer wire.StatusResponse
	err = e.client.asserted(ctx, wire.PathStatus, key, string(p.RegistrationID), e.o.Now(),
		func(assertion string) any {
			return wire.StatusRequest{RegistrationID: p.RegistrationID, Assertion: assertion}
		}, &answer)
	if err != nil {
		return "", "", err
	}
	if answer.Identity != nil {
		return answer.State, "", e.adopt(*answer.Identity, wire.TypeTicket, p.Ticket)
	}
	return answer.State, answer.Why, nil
}

// adopt makes the identity durable before anybody uses it. The hub's key, by which every order is
// judged from then on, must be the one that signed the ticket: that came through a browser or the
// cluster, so that a proxy that inspects this node's TLS cannot put a key of its own in its place.
func (e *Enrollment) adopt(identity wire.Identity, typ, ticket string) error {
	if _, err := identity.HubKey.Public(); err != nil {
		return fmt.Errorf("cannot accept the identity: %w", err)
	}
	if ticket != "" { // none comes with a registration at the shell
		if err := verifyHub(ticket, typ, identity.HubKey, &struct{}{}); err != nil {
			return fmt.Errorf("cannot accept the identity: its hub did not sign the ticket: %w", err)
		}
	}
	if err := freshCredential(e.o.Dir, e.o.Now()); err != nil {
		return err
	}
	err := atomicfile.WriteJSON(filepath.Join(e.o.Dir, identityFile), identity)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.identity, e.signedIn, e.said = &identity, session{}, ""
	e.mu.Unlock()
	defer e.signal()
	err = e.note(Event{What: EventRegistered, Organization: identity.Organization,
		Cluster: identity.DisplayName})
	return errors.Join(err, e.forgetPending())
}

// Reread looks whether another process, the command that registers at the shell, has brought what
// this one waits for.
func (e *Enrollment) Reread() error {
	identity, err := readOptional[wire.Identity](e.o.Dir, identityFile)
	if err != nil {
		return err
	}
	waits, err := readOptional[pending](e.o.Dir, pendingFile)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.identity == nil && (identity != nil || e.pending == nil && waits != nil) {
		e.identity, e.pending = identity, waits
		e.signal()
	}
	return nil
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
	for _, name := range []string{pendingFile, identityFile, nextKeyFile, keyFile,
		credentialFile, chainFile} {
		if err := atomicfile.Remove(filepath.Join(e.o.Dir, name)); err != nil {
			return err
		}
	}
	if err := e.note(Event{What: EventForgotten, Why: why}); err != nil {
		return err
	}
	e.mu.Lock()
	e.identity, e.pending, e.signedIn, e.said = nil, nil, session{}, why
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
