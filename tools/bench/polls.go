package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"connecthub/models"
	"connecthub/models/wire"
)

// comparePolls lets the sixteen nodes poll the hub and a baseline that answers the same.
func comparePolls(ctx context.Context, dir, hub string, pid int, nodes []poller) ([]figure, error) {
	client, err := trusting(filepath.Join(dir, "tls", "ca.pem"))
	if err != nil {
		return nil, err
	}
	tokens := make([]string, len(nodes))
	for i, n := range nodes {
		if tokens[i], err = token(ctx, client, hub, n); err != nil {
			return nil, err
		}
	}
	var counter atomic.Uint64
	counter.Store(uint64(time.Now().Unix()))
	answer, err := poll(ctx, client, "https://"+hub+wire.PathPoll, tokens[0], body(&counter))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "answer.json")
	if err := os.WriteFile(file, answer, 0o600); err != nil {
		return nil, err
	}
	address := freePort()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	baseline := exec.CommandContext(ctx, self, "bare", address,
		filepath.Join(dir, "tls", "node-api.pem"), filepath.Join(dir, "tls", "node-api.key"), file)
	baseline.Stderr = os.Stderr
	if err := baseline.Start(); err != nil {
		return nil, err
	}
	defer end(baseline)
	if err := accepting(ctx, client, "https://"+address+wire.PathPoll); err != nil {
		return nil, err
	}
	return compare(func(url string, pid int) (rate, cost float64, err error) {
		return load(ctx, client, url+wire.PathPoll, pid, tokens, &counter)
	}, hub, pid, address, baseline.Process.Pid)
}

// compare loads hub and baseline in turn. Each round is compared in itself, so that what else the
// machine does meanwhile falls on both; one odd round does not count.
func compare(load func(url string, pid int) (rate, cost float64, err error), hub string, hubPID int,
	bare string, barePID int,
) ([]figure, error) {
	var hubs, bares, ratios, hubCosts, bareCosts, costRatios []float64
	for range rounds {
		hubRate, hubCost, err := load("https://"+hub, hubPID)
		if err != nil {
			return nil, err
		}
		bareRate, bareCost, err := load("https://"+bare, barePID)
		if err != nil {
			return nil, err
		}
		hubs, bares = append(hubs, hubRate), append(bares, bareRate)
		hubCosts, bareCosts = append(hubCosts, hubCost), append(bareCosts, bareCost)
		ratios = append(ratios, hubRate/bareRate)
		costRatios = append(costRatios, hubCost/bareCost)
	}
	ratio := median(ratios)
	return []figure{
		{name: "idle polls against a bare echo handler, per second", bound: "≥ 0.50", ok: ratio >= leastRatio,
			value: fmt.Sprintf("%.2f (%.0f to %.0f)", ratio, median(hubs), median(bares))},
		{name: "CPU of the server per poll against the same", bound: "–", ok: true,
			value: fmt.Sprintf("%.2f (%.0f µs to %.0f µs)", median(costRatios), median(hubCosts),
				median(bareCosts))},
	}, nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func trusting(ca string) (*http.Client, error) {
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 2 * pollers}}, nil
}

func token(ctx context.Context, c *http.Client, hub string, n poller) (string, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", err
	}
	now := time.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{Issuer: string(n.id),
		Subject: string(n.id), Audience: jwt.ClaimStrings{wire.Audience}, ID: hex.EncodeToString(id),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute))})
	t.Header["typ"] = wire.TypeAssertion
	assertion, err := t.SignedString(n.private)
	if err != nil {
		return "", err
	}
	in, err := json.Marshal(wire.TokenRequest{Assertion: assertion})
	if err != nil {
		return "", err
	}
	text, err := poll(ctx, c, "https://"+hub+wire.PathToken, "", in)
	if err != nil {
		return "", err
	}
	var out wire.TokenResponse
	err = json.Unmarshal(text, &out)
	return out.AccessToken, err
}

func body(counter *atomic.Uint64) []byte {
	text, err := json.Marshal(wire.PollRequest{Protocol: wire.Protocol, ClientVersion: "bench",
		Version: "1.0.0", Step: models.StepIdle, Health: models.Healthy, FactsDigest: "bench",
		BootID: "bench", Counter: counter.Add(1), Clock: time.Now()})
	if err != nil {
		panic(err)
	}
	return text
}

func poll(ctx context.Context, c *http.Client, url, token string, in []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(in))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "DPoP "+token)
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, wire.MaxBody))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d: %s", url, res.StatusCode, text)
	}
	return text, err
}

// load polls from sixteen nodes at once and answers polls per second and the server's CPU per poll
// in microseconds.
func load(ctx context.Context, c *http.Client, url string, pid int, tokens []string,
	counter *atomic.Uint64) (rate, cost float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadFor)
	defer cancel()
	var done atomic.Int64
	var failed atomic.Value
	var wg sync.WaitGroup
	before, began := cpu(pid), time.Now()
	for _, t := range tokens {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := poll(ctx, c, url, t, body(counter)); err != nil {
					if ctx.Err() == nil {
						failed.Store(err)
						cancel()
					}
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	took, used := time.Since(began), cpu(pid)-before
	if err, ok := failed.Load().(error); ok {
		return 0, 0, err
	}
	n := float64(done.Load())
	return n / took.Seconds(), float64(used.Microseconds()) / n, nil
}

func accepting(ctx context.Context, c *http.Client, url string) error {
	var err error
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		if _, err = poll(ctx, c, url, "", []byte("{}")); err == nil {
			return nil
		}
	}
	return fmt.Errorf("the baseline is not ready: %w", err)
}

// bare is the baseline: an echo handler that reads the request and answers the same bytes.
func bare(ctx context.Context, address, cert, key, answer string) error {
	text, err := os.ReadFile(answer)
	if err != nil {
		return err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.POST(wire.PathPoll, func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
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
