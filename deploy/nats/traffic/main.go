// Command traffic keeps real NATS clients busy through both nodes of a cluster while it is being
// upgraded, and counts what they see. It knows nothing of the hub: only addresses. It runs until
// its standard input ends, then prints one JSON line.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// Result is what was seen from outside.
type Result struct {
	Requests   int64    `json:"requests"`
	Retried    int64    `json:"retried"`
	Unanswered int64    `json:"unanswered"`
	Wrong      int64    `json:"wrong"`
	Reconnects int64    `json:"reconnects"`
	Samples    int64    `json:"samples"`
	BothDown   int64    `json:"both_down"`
	OneDown    int64    `json:"one_down"`
	Before     []string `json:"before"`
	After      []string `json:"after"`
}

const (
	requestDeadline = 2 * time.Second
	tries           = 4
	pause           = 20 * time.Millisecond
)

func main() {
	servers := flag.String("servers", "", "client addresses host:port,host:port")
	monitors := flag.String("monitors", "", "monitor addresses host:port,host:port")
	flag.Parse()
	result, err := run(strings.Split(*servers, ","), strings.Split(*monitors, ","))
	if err != nil {
		fmt.Fprintln(os.Stderr, "traffic:", err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(result)
}

func run(servers, monitors []string) (*Result, error) {
	if len(servers) != 2 || len(monitors) != 2 {
		return nil, errors.New("needs two servers and two monitors")
	}
	r := &Result{}
	for _, m := range monitors {
		version, err := serverVersion(m)
		if err != nil {
			return nil, err
		}
		r.Before = append(r.Before, version)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	conns, err := connectAll(servers, r)
	if err != nil {
		return nil, err
	}
	for _, c := range conns[:2] {
		_, err := c.QueueSubscribe("sum", "workers", func(m *nats.Msg) {
			_ = m.Respond(append([]byte("done "), m.Data...))
		})
		if err != nil {
			return nil, err
		}
		_ = c.FlushTimeout(requestDeadline)
	}
	for i, c := range conns[2:] {
		wg.Go(func() { ask(c, i, r, stop) })
	}
	wg.Go(func() { sample(servers, r, stop) })
	fmt.Fprintln(os.Stderr, "traffic: running")
	_, _ = io.Copy(io.Discard, os.Stdin)
	close(stop)
	wg.Wait()
	for _, m := range monitors {
		version, err := serverVersion(m)
		if err != nil {
			return nil, err
		}
		r.After = append(r.After, version)
	}
	return r, nil
}

// connectAll makes two responders and four requesters; half of them prefer either node. They
// reconnect as the client library does.
func connectAll(servers []string, r *Result) ([]*nats.Conn, error) {
	var conns []*nats.Conn
	for i := range 6 {
		first, second := servers[i%2], servers[1-i%2]
		c, err := nats.Connect("nats://"+first+",nats://"+second, nats.DontRandomize(),
			nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
			nats.ReconnectJitter(20*time.Millisecond, 20*time.Millisecond),
			nats.PingInterval(2*time.Second), nats.Timeout(time.Second),
			nats.ReconnectHandler(func(*nats.Conn) { atomic.AddInt64(&r.Reconnects, 1) }))
		if err != nil {
			return nil, fmt.Errorf("cannot connect to %s: %w", first, err)
		}
		conns = append(conns, c)
	}
	return conns, nil
}

func ask(c *nats.Conn, who int, r *Result, stop <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(pause):
		}
		text := fmt.Sprintf("%d/%d", who, n)
		atomic.AddInt64(&r.Requests, 1)
		if !answered(c, text, r) {
			atomic.AddInt64(&r.Unanswered, 1)
		}
	}
}

// answered tries a request within its deadline and retries; a lost server costs retries, never an
// answer.
func answered(c *nats.Conn, text string, r *Result) bool {
	for try := range tries {
		if try > 0 {
			atomic.AddInt64(&r.Retried, 1)
			time.Sleep(150 * time.Millisecond)
		}
		m, err := c.Request("sum", []byte(text), requestDeadline)
		if err != nil {
			continue
		}
		if string(m.Data) != "done "+text {
			atomic.AddInt64(&r.Wrong, 1)
		}
		return true
	}
	return false
}

// sample asks both servers every 20 ms whether they accept a client.
func sample(servers []string, r *Result, stop <-chan struct{}) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		down := 0
		for _, s := range servers {
			if !accepts(s) {
				down++
			}
		}
		r.Samples++
		switch down {
		case 1:
			r.OneDown++
		case 2:
			r.BothDown++
		}
	}
}

// accepts waits for the server's INFO line: an open port alone does not serve.
func accepts(address string) bool {
	c, err := net.DialTimeout("tcp", address, 500*time.Millisecond)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(500 * time.Millisecond))
	var first [5]byte
	_, err = io.ReadFull(c, first[:])
	return err == nil && string(first[:]) == "INFO "
}

func serverVersion(monitor string) (string, error) {
	client := http.Client{Timeout: 2 * time.Second}
	res, err := client.Get("http://" + monitor + "/varz")
	if err != nil {
		return "", fmt.Errorf("cannot read the version of %s: %w", monitor, err)
	}
	defer res.Body.Close()
	var v struct {
		Version string `json:"version"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&v); err != nil {
		return "", fmt.Errorf("cannot read the version of %s: %w", monitor, err)
	}
	return v.Version, nil
}
