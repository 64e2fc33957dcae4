package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/models"
	"connecthub/models/wire"
)

// loader is sixteen nodes that poll without a pause.
type loader struct {
	client  *http.Client
	nodes   []poller
	tokens  []string
	counter atomic.Uint64
	mu      sync.Mutex
	nonce   string
}

// login gets each node its access token.
func (l *loader) login(ctx context.Context, hub string) error {
	for _, n := range l.nodes {
		token, err := l.token(ctx, hub, n)
		if err != nil {
			return err
		}
		l.tokens = append(l.tokens, token)
	}
	return nil
}

// token asks twice where the hub wants its nonce first.
func (l *loader) token(ctx context.Context, hub string, n poller) (string, error) {
	key := wire.KeyOf(n.private.Public().(ed25519.PublicKey))
	for try := 0; ; try++ {
		now := time.Now()
		t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"iss": n.id, "sub": n.id,
			"aud": wire.Audience, "jti": rand.Text(), "iat": now.Unix(), "nonce": l.nonce,
			"exp": now.Add(time.Minute).Unix(), "gen": 1, "mark": "a node of the benchmark"})
		t.Header["typ"], t.Header["jwk"] = wire.TypeAssertion, key
		assertion, err := t.SignedString(n.private)
		if err != nil {
			return "", err
		}
		in, err := json.Marshal(wire.TokenRequest{Assertion: assertion})
		if err != nil {
			return "", err
		}
		text, status, err := l.send(ctx, "https://"+hub+wire.PathToken, "", "", in)
		if err != nil {
			return "", err
		}
		if status == http.StatusOK {
			var out wire.TokenResponse
			err = json.Unmarshal(text, &out)
			return out.AccessToken, err
		}
		if try > 0 {
			return "", fmt.Errorf("no token: %d %s", status, text)
		}
	}
}

// proof signs one poll.
func (l *loader) proof(node int, address string) (string, error) {
	sum := sha256.Sum256([]byte(l.tokens[node]))
	return wire.NewProver(l.nodes[node].private).Sign(wire.ProofClaims{
		TokenHash: base64.RawURLEncoding.EncodeToString(sum[:]), Method: http.MethodPost,
		URI: "https://" + address + wire.PathPoll, IssuedAt: time.Now().Unix(), ID: rand.Text(),
		Nonce: l.nonce})
}

// one polls once, for the bytes of the answer.
func (l *loader) one(ctx context.Context, hub string) ([]byte, error) {
	var text []byte
	for range 2 { // the second time nothing is news
		proof, err := l.proof(0, hub)
		if err != nil {
			return nil, err
		}
		var status int
		text, status, err = l.send(ctx, "https://"+hub+wire.PathPoll, l.tokens[0], proof, l.body())
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("the poll was answered with %d: %s", status, text)
		}
	}
	return text, nil
}

func (l *loader) body() []byte {
	text, err := json.Marshal(wire.PollRequest{Protocol: wire.Protocol, ClientVersion: "bench",
		Version: "1.0.0", Step: models.StepIdle, Health: models.Healthy, FactsDigest: "bench",
		BootID: "bench", Counter: l.counter.Add(1), Clock: time.Now()})
	if err != nil {
		panic(err)
	}
	return text
}

func (l *loader) send(ctx context.Context, url, token, proof string, in []byte) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(in))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", wire.SchemeDPoP+" "+token)
		req.Header.Set(wire.HeaderProof, proof)
	}
	res, err := l.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, wire.MaxBody))
	if nonce := res.Header.Get(wire.HeaderNonce); nonce != "" {
		l.mu.Lock()
		l.nonce = nonce
		l.mu.Unlock()
	}
	return text, res.StatusCode, err
}

// load polls from sixteen nodes at once and answers polls per second and the server's CPU per poll
// in microseconds. The proofs are signed before: the time is the server's, not the nodes'.
func (l *loader) load(ctx context.Context, t target) (rate, cost float64, err error) {
	proofs := make([][]string, len(l.nodes))
	var wg sync.WaitGroup
	var failed atomic.Value
	for node := range l.nodes {
		wg.Go(func() {
			for range pollsEach {
				p, err := l.proof(node, t.address)
				if err != nil {
					failed.Store(err)
					return
				}
				proofs[node] = append(proofs[node], p)
			}
		})
	}
	wg.Wait()
	url := "https://" + t.address + wire.PathPoll
	before, began := cpu(t.pid), time.Now()
	for node := range l.nodes {
		wg.Go(func() {
			for _, p := range proofs[node] {
				text, status, err := l.send(ctx, url, l.tokens[node], p, l.body())
				if err == nil && status != http.StatusOK {
					err = fmt.Errorf("answered %d: %s", status, text)
				}
				if err != nil {
					failed.Store(err)
					return
				}
			}
		})
	}
	wg.Wait()
	took, used := time.Since(began), cpu(t.pid)-before
	if err, ok := failed.Load().(error); ok {
		return 0, 0, err
	}
	n := float64(pollsEach * len(l.nodes))
	return n / took.Seconds(), float64(used.Microseconds()) / n, nil
}
