package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"connecthub/models/wire"
)

// baselineFiles are what a baseline is started with.
type baselineFiles struct{ cert, key, answer, keys string }

// newBaselineFiles makes the one certificate that hub and baselines answer with.
func newBaselineFiles(dir string) (baselineFiles, error) {
	f := baselineFiles{cert: filepath.Join(dir, "bench.pem"), key: filepath.Join(dir, "bench.key"),
		answer: filepath.Join(dir, "answer.json"), keys: filepath.Join(dir, "keys.json")}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return f, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return f, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return f, err
	}
	return f, errors.Join(
		os.WriteFile(f.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(f.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
}

func (f baselineFiles) write(answer []byte, l *loader) error {
	keys := map[string]string{}
	for i, n := range l.nodes {
		public := n.private.Public().(ed25519.PublicKey)
		keys[l.tokens[i]] = base64.RawURLEncoding.EncodeToString(public)
	}
	text, err := json.Marshal(keys)
	return errors.Join(err, os.WriteFile(f.answer, answer, 0o600), os.WriteFile(f.keys, text, 0o600))
}

// startBaseline starts this program as a server that answers the same bytes.
func startBaseline(ctx context.Context, c *http.Client, kind string, f baselineFiles) (
	string, *exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	address := freePort()
	cmd := exec.CommandContext(ctx, self, kind, address, f.cert, f.key, f.answer, f.keys)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	if err := accepting(ctx, c, "https://"+address+"/"); err != nil {
		end(cmd)
		return "", nil, err
	}
	return address, cmd, nil
}

func accepting(ctx context.Context, c *http.Client, url string) error {
	var err error
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		var req *http.Request
		if req, err = http.NewRequestWithContext(ctx, http.MethodGet, url, nil); err != nil {
			return err
		}
		var res *http.Response
		if res, err = c.Do(req); err == nil {
			return res.Body.Close()
		}
	}
	return fmt.Errorf("the baseline is not ready: %w", err)
}

// serveBaseline is an echo handler that reads the request and answers the same bytes. The kind
// "signed" checks the signature of the request's proof with the key that it knows for the token, and
// nothing else; the kind "bare" checks nothing.
func serveBaseline(ctx context.Context, kind, address, cert, key, answer, keysFile string) error {
	text, err := os.ReadFile(answer)
	if err != nil {
		return err
	}
	keys, err := readKeys(keysFile)
	if err != nil {
		return err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.POST(wire.PathPoll, func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
		}
		if kind == "signed" && !signed(c.Request(), keys) {
			return echo.ErrUnauthorized
		}
		c.Response().Header().Set("Content-Length", strconv.Itoa(len(text)))
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, text)
	})
	go func() {
		<-ctx.Done()
		_ = e.Close()
	}()
	if err := e.StartTLS(address, cert, key); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func readKeys(file string) (map[string]ed25519.PublicKey, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var texts map[string]string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, err
	}
	keys := map[string]ed25519.PublicKey{}
	for token, text := range texts {
		if keys[wire.SchemeDPoP+" "+token], err = base64.RawURLEncoding.DecodeString(text); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// signed is the one signature check.
func signed(r *http.Request, keys map[string]ed25519.PublicKey) bool {
	proof, key := r.Header.Get(wire.HeaderProof), keys[r.Header.Get(echo.HeaderAuthorization)]
	cut := strings.LastIndexByte(proof, '.')
	if cut < 0 || key == nil {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(proof[cut+1:])
	return err == nil && ed25519.Verify(key, []byte(proof[:cut]), signature)
}
