package enroll

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"connecthub/models/wire"
)

var errNotRegistered = errors.New("this node is not registered")

// session is what requests are sent with: a token, and the key that it is bound to.
type session struct {
	token string
	key   Key
	end   time.Time
}

// session is the present one, if it is good for a while.
func (e *Enrollment) session() (session, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.signedIn
	return s, s.token != "" && e.o.Now().Before(s.end)
}

// signOut gives a refused token up, unless it has been replaced.
func (e *Enrollment) signOut(s session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.signedIn.token == s.token {
		e.signedIn = session{}
	}
}

// proved sends a request as the registered node. It is signed anew once where the hub's nonce has
// changed, and once with a new token where the token is refused.
func (e *Enrollment) proved(ctx context.Context, send func(prove prover) error) error {
	again, renewed := false, false
	for {
		s, ok := e.session()
		if !ok {
			var err error
			if s, err = e.renew(ctx); err != nil {
				return err
			}
		}
		err := send(func(r *http.Request) error { return e.client.prove(r, s, e.o.Now()) })
		if stated := e.stated(err); stated != nil {
			return stated
		}
		var r *Refusal
		if !errors.As(err, &r) || r.Problem.Status != http.StatusUnauthorized {
			return err
		}
		unproved := r.Problem.Code == wire.CodeUseNonce || r.Problem.Code == wire.CodeProofReplayed
		switch {
		case unproved && !again:
			again = true
		case !unproved && !renewed:
			renewed = true
			e.signOut(s)
		default:
			return err
		}
	}
}

// call sends a message as the registered node.
func (e *Enrollment) call(ctx context.Context, path string, in, out any) error {
	return e.proved(ctx, func(p prover) error { return e.client.send(ctx, path, "", p, in, out) })
}

// prover signs a request.
type prover func(*http.Request) error

// prove puts token and proof into a request's headers (RFC 9449).
func (c *client) prove(r *http.Request, s session, now time.Time) error {
	id, err := randomID()
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(s.token))
	proof, err := s.key.prover.Sign(wire.ProofClaims{
		TokenHash: base64.RawURLEncoding.EncodeToString(sum[:]), Method: r.Method,
		URI: "https://" + r.URL.Host + r.URL.EscapedPath(), IssuedAt: now.Unix(), ID: id,
		Nonce: c.lastNonce()})
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", wire.SchemeDPoP+" "+s.token)
	r.Header.Set(wire.HeaderProof, proof)
	return nil
}

func randomID() (string, error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("cannot sign: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// fresh sends a statement that the hub's nonce makes fresh; once more where the nonce has changed.
func (c *client) fresh(ctx context.Context, path string, sign func(nonce string) (any, error),
	out any) error {
	for try := 0; ; try++ {
		in, err := sign(c.lastNonce())
		if err != nil {
			return err
		}
		err = c.post(ctx, path, "", in, out)
		var r *Refusal
		if try > 0 || !errors.As(err, &r) || r.Problem.Code != wire.CodeUseNonce {
			return err
		}
	}
}

// asserted sends a message with an assertion by a key about a subject other than a registered node.
func (c *client) asserted(ctx context.Context, path string, key Key, subject string, now time.Time,
	message func(assertion string) any, out any) error {
	return c.fresh(ctx, path, func(nonce string) (any, error) {
		text, err := key.assertion(subject, nonce, credential{}, now)
		return message(text), err
	}, out)
}

func (c *client) lastNonce() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nonce
}

// heed remembers the nonce of an answer, but for one that asks this node alone.
func (c *client) heed(res *http.Response, err error) {
	nonce := res.Header.Get(wire.HeaderNonce)
	var r *Refusal
	if errors.As(err, &r) {
		r.Nonce = nonce
		if r.Problem.Code == wire.CodeStaleCredential {
			return
		}
	}
	if nonce == "" || len(nonce) > 256 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nonce = nonce
}

// open asks for what may be large; the deadline is the caller's. A refusal of the credential is an
// error, every other answer is the caller's to judge.
func (c *client) open(ctx context.Context, path string, p prover, header http.Header) (
	*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the depot: %w", err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if err := p(req); err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the depot: %w", err)
	}
	if res.StatusCode != http.StatusUnauthorized {
		c.heed(res, nil)
		return res, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, wire.MaxBody))
	if err != nil {
		return nil, fmt.Errorf("cannot read the depot's answer: %w", err)
	}
	refusal := refusalOf(res, bytes.TrimSpace(body))
	c.heed(res, refusal)
	return nil, refusal
}
