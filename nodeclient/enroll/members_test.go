package enroll_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/enroll"
)

const echoPath = "/peer/v1/echo"

// echoing serves the cluster with one handler that says who asks, and what.
func echoing(t *testing.T, e *enroll.Enrollment, peer string) {
	t.Helper()
	h := enroll.PeerHandler{Path: echoPath, Limit: 64,
		Answer: func(_ context.Context, member models.FQDN, body []byte) (any, error) {
			if bytes.Contains(body, []byte("no")) {
				return nil, errors.New("not today")
			}
			return map[string]string{"member": string(member), "body": string(body)}, nil
		}}
	background(t, func(ctx context.Context) error { return e.ServePeers(ctx, h) })
	eventually(t, "the publisher listens", func() bool {
		c, err := net.DialTimeout("tcp", peer, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// TestOnlyMembersAskThePublisher asks with a member's certificate, without one, and as a member that
// the publisher has forgotten.
func TestOnlyMembersAskThePublisher(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	pubDir, secret, peer := newPublisher(t, h)
	echoing(t, open(t, pubDir), peer)
	subDir := setUp(t, h, subscriber)
	if err := join(t, subDir, peer, secret); err != nil {
		t.Fatal(err)
	}
	ask, err := open(t, subDir).AskPublisher(echoPath, 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	var said map[string]string
	if err := ask(t.Context(), "hello", &said); err != nil || said["member"] != string(subscriber) || said["body"] != `"hello"` {
		t.Fatalf("%v %v", said, err)
	}
	if err := ask(t.Context(), "no", &said); err == nil || !strings.Contains(err.Error(), "not today") {
		t.Errorf("a refusal: %v", err)
	}
	if err := ask(t.Context(), strings.Repeat("x", 100), &said); err == nil {
		t.Error("more than the limit was read")
	}
	stranger := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true}}} //nolint:gosec // a stranger
	res, err := stranger.Post("https://"+peer+echoPath, "application/json", strings.NewReader(`"hello"`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusForbidden || strings.Contains(string(text), "hello") {
		t.Errorf("a stranger: %d %s %v", res.StatusCode, text, err)
	}
	if err := enroll.RemoveMember(pubDir, subscriber); err != nil {
		t.Fatal(err)
	}
	if err := ask(t.Context(), "hello", &said); err == nil || !strings.Contains(err.Error(), "no member") {
		t.Errorf("a member that was removed: %v", err)
	}
}
