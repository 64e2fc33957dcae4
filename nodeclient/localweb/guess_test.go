package localweb_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// from asks for the control node's key from an address of this machine's own.
func (n *node) from(address, password string) int {
	n.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 20 * time.Second}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	req, err := http.NewRequest(http.MethodGet, "https://"+n.address+keyPath, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	req.SetBasicAuth("administrator", password)
	res, err := client.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestWrongPasswordsFromElsewhereLockNobodyOutWhoIsRight(t *testing.T) {
	t.Parallel()
	n := start(t)
	const owner, colleague = "127.9.0.1", "127.9.0.2"
	if status := n.from(owner, "right one"); status != 200 {
		t.Fatal(status)
	}
	looked := 0
	for net := range 20 { // five are what one of them has; thirty what all have together
		for range 4 {
			if status := n.from(fmt.Sprintf("127.9.1.%d", net), "guess"); status == 401 {
				looked++
			}
		}
	}
	if looked < 30 || looked > 30+20 {
		t.Errorf("%d of 80 guesses were looked at", looked)
	}
	for range 3 {
		if status := n.from("127.9.1.19", "right one"); status != 429 {
			t.Errorf("guessing goes on: %d", status)
		}
	}
	for _, address := range []string{owner, colleague} {
		if status := n.from(address, "right one"); status != 200 {
			t.Errorf("%s is locked out: %d", address, status)
		}
	}
	if status := n.from(owner, "a slip"); status != 401 {
		t.Errorf("%d", status)
	}
	if status := n.from(owner, "right one"); status != 200 {
		t.Errorf("a slip locks the owner out: %d", status)
	}
	// a network that was wrong comes back with the budget, not with its own patience
	if status := n.from("127.9.2.1", "guess"); status != 401 {
		t.Errorf("%d", status)
	}
	if status := n.from("127.9.2.1", "guess"); status != 429 {
		t.Errorf("%d", status)
	}
	n.pass(time.Minute)
	if status := n.from("127.9.2.1", "right one"); status != 200 {
		t.Errorf("%d", status)
	}
}
