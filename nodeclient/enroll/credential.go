package enroll

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"connecthub/models/wire"
	"connecthub/nodeclient/atomicfile"
)

const (
	credentialFile = "credential.json" //nolint:gosec // a name
	nextKeyFile    = "node.key.next"
	// defaultRotation is how old a key becomes.
	defaultRotation = 24 * time.Hour
)

// credential is what makes this folder the only one with its key: each token is asked for as the
// next generation, which is on disk before the hub hears of it.
type credential struct {
	Generation uint64    `json:"generation"`
	Mark       string    `json:"mark"`
	KeySince   time.Time `json:"key_since"` // by this node's clock
}

func readCredential(dir string) (credential, error) {
	c, err := readOptional[credential](dir, credentialFile)
	if c == nil {
		return credential{}, err
	}
	return *c, err
}

func (c credential) write(dir string) error {
	return atomicfile.WriteJSON(filepath.Join(dir, credentialFile), c)
}

// next draws the next generation. Where it cannot be written, the last one is said again: the hub
// takes the same one twice, and a full disk must not make a node fall silent.
func (c credential) next(dir string) (credential, error) {
	mark := make([]byte, 16)
	_, _ = rand.Read(mark) // never fails: it ends the program instead
	fresh := c
	fresh.Generation++
	fresh.Mark = base64.RawURLEncoding.EncodeToString(mark)
	err := fresh.write(dir)
	if err != nil && c.Generation > 0 {
		return c, nil //nolint:nilerr // said above
	}
	return fresh, err
}

// freshCredential begins a registration's credential with the key that has registered.
func freshCredential(dir string, now time.Time) error {
	for _, name := range []string{nextKeyFile, chainFile} {
		if err := atomicfile.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return credential{KeySince: now}.write(dir)
}

// settleKey answers the key to sign with. It finishes a rotation whose end is not known, and begins
// one when the key is old enough; a clock that was set back makes it old enough. Unsettled says
// that the hub may know the next key already: then nobody may conclude anything from a refusal of
// this one.
func (e *Enrollment) settleKey(ctx context.Context, c *credential) (key Key, unsettled error, err error) {
	if key, err = loadKey(e.o.Dir, keyFile); err != nil {
		return key, nil, err
	}
	next, err := loadKey(e.o.Dir, nextKeyFile)
	if errors.Is(err, os.ErrNotExist) {
		age := e.o.Now().Sub(c.KeySince)
		if age >= 0 && age < e.o.rotateEvery() {
			return key, nil, nil
		}
		next, err = newKey(e.o.Dir, nextKeyFile)
	}
	if err == nil {
		err = e.link(key, next)
	}
	if err != nil {
		return key, err, nil // the old one serves until the disk does
	}
	if err := e.rotate(ctx, key, next); err != nil {
		if stated := e.stated(err); stated != nil {
			return key, nil, stated
		}
		return key, err, nil
	}
	from, to := filepath.Join(e.o.Dir, nextKeyFile), filepath.Join(e.o.Dir, keyFile)
	if err := os.Rename(from, to); err != nil {
		return key, err, fmt.Errorf("cannot put the node's next key in place: %w", err)
	}
	if err := atomicfile.SyncDir(e.o.Dir); err != nil {
		return key, err, err
	}
	c.KeySince = e.o.Now()
	return next, nil, nil
}

// rotate asks the hub to take the next key in the old one's place. Asked again, it says the same.
func (e *Enrollment) rotate(ctx context.Context, old, next Key) error {
	node := e.Identity()
	if node == nil {
		return errNotRegistered
	}
	sign := func(nonce string) (any, error) {
		id, err := randomID()
		if err != nil {
			return nil, err
		}
		claims := wire.RotationClaims{Node: node.NodeID, Aud: wire.Audience, ID: id, Nonce: nonce,
			Old: old.Thumbprint(), New: next.Thumbprint()}
		byOld, err := old.sign(wire.TypeRotation, claims)
		if err != nil {
			return nil, err
		}
		byNew, err := next.sign(wire.TypeRotation, claims)
		return wire.RotateRequest{ByOld: byOld, ByNew: byNew}, err
	}
	var answer wire.RotateResponse
	err := e.client.fresh(ctx, wire.PathKeys, sign, &answer)
	if staleOf(err) != "" {
		// Another copy of this folder has gone on with a third key. This one says that it is here,
		// and both are locked out.
		in, signErr := sign(staleOf(err))
		if signErr != nil {
			return signErr
		}
		err = e.client.post(ctx, wire.PathKeys, "", in, &answer)
	}
	if err == nil && answer.KeyThumb != next.Thumbprint() {
		return errors.New("cannot rotate the node's key: the hub answers with another")
	}
	if err != nil {
		return err
	}
	return linked(e.o.Dir, next, answer.Now)
}

// renew gets an access token. One request runs at a time: the hub must hear of the generations in
// their order.
func (e *Enrollment) renew(ctx context.Context) (session, error) {
	e.renewing.Lock()
	defer e.renewing.Unlock()
	if s, ok := e.session(); ok {
		return s, nil
	}
	identity := e.Identity()
	if identity == nil {
		return session{}, errNotRegistered
	}
	c, err := readCredential(e.o.Dir)
	if err != nil {
		return session{}, err
	}
	key, unsettled, err := e.settleKey(ctx, &c)
	if err != nil {
		return session{}, err
	}
	if c, err = c.next(e.o.Dir); err != nil {
		return session{}, err
	}
	now := e.o.Now()
	sign := func(nonce string) (any, error) {
		text, err := key.assertion(string(identity.NodeID), nonce, c, now)
		return wire.TokenRequest{Assertion: text}, err
	}
	var answer wire.TokenResponse
	err = e.client.fresh(ctx, wire.PathToken, sign, &answer)
	if e.unknown(err) {
		if back := e.comeBack(ctx, identity.NodeID, key, c); back != nil {
			err = errors.Join(back, err)
		} else {
			err = e.client.fresh(ctx, wire.PathToken, sign, &answer)
		}
	} else if staleOf(err) != "" && unsettled == nil {
		// Only a node that has nothing newer answers: it is a copy, or there is one.
		in, signErr := sign(staleOf(err))
		if signErr != nil {
			return session{}, signErr
		}
		err = e.client.post(ctx, wire.PathToken, "", in, &answer)
	}
	if err != nil {
		if stated := e.stated(err); stated != nil {
			return session{}, stated
		}
		return session{}, errors.Join(err, unsettled)
	}
	life := time.Duration(answer.ExpiresIn) * time.Second
	s := session{token: answer.AccessToken, key: key, end: now.Add(max(life-renewBefore, life/2))}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.signedIn = s
	return s, nil
}

// RotateKeyEvery says how old the node's key becomes, before it is asked for a token the next time.
func (e *Enrollment) RotateKeyEvery(age time.Duration) {
	e.renewing.Lock()
	defer e.renewing.Unlock()
	e.o.RotateEvery = age
}

func (o Options) rotateEvery() time.Duration {
	if o.RotateEvery > 0 {
		return o.RotateEvery
	}
	return defaultRotation
}

// staleOf is the nonce with which the hub asks again who holds a credential that it has seen go on,
// or empty.
func staleOf(err error) string {
	var r *Refusal
	if errors.As(err, &r) && r.Problem.Code == wire.CodeStaleCredential {
		return r.Nonce
	}
	return ""
}
