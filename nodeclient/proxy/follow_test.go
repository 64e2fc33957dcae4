package proxy_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"connecthub/nodeclient/proxy"
)

// A proxy lets the node through and nobody answers behind it: what is known by then is told while
// the probe goes on.
func TestResultsAreToldWhileTheProbeGoesOn(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	s := proxy.Settings{Address: "http://" + stranger(t, func(c net.Conn) {
		answering("HTTP/1.1 200 OK\r\n\r\n")(c)
		silent(c)
	})}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	told := make(chan proxy.Result, len(proxy.Steps()))
	ended := make(chan []proxy.Result, 1)
	go func() { ended <- proxy.Follow(ctx, h.target(false), s, func(r proxy.Result) { told <- r }) }()
	first, second := <-told, <-told
	if first.Step != proxy.StepDNS || second.Step != proxy.StepProxy || second.Code != proxy.CodeProxy {
		t.Errorf("told %+v and %+v", first, second)
	}
	select {
	case <-ended:
		t.Fatal("it had ended by then")
	default:
	}
	cancel()
	results := <-ended
	close(told)
	all := []proxy.Result{first, second}
	for r := range told {
		all = append(all, r)
	}
	if !slices.Equal(all, results) || len(all) != len(proxy.Steps()) {
		t.Errorf("told %+v, answered %+v", all, results)
	}
}

// A refusal of the proxy is an answer too: it must not be told as a success first.
func TestARefusalIsNotToldAsSuccessFirst(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	s := proxy.Settings{Address: "http://" + stranger(t, answering("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"))}
	var told []proxy.Result
	results := proxy.Follow(t.Context(), h.target(false), s, func(r proxy.Result) { told = append(told, r) })
	if !slices.Equal(told, results) || told[1].Code != proxy.CodeProxyForbids {
		t.Errorf("%+v", told)
	}
}
