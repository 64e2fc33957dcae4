package main

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// watcher calls the sample service through both nodes every 20 ms, as a client with fail-over does,
// and notes when both are down at once.
type watcher struct {
	nodes    []string // http://host:port
	client   *http.Client
	samples  atomic.Int64
	overlap  atomic.Int64
	requests atomic.Int64
	failed   atomic.Int64
	oneDown  atomic.Int64
	stopped  chan struct{}
	wg       sync.WaitGroup
}

const watchEvery = 20 * time.Millisecond

func watch(nodes []string) *watcher {
	w := &watcher{nodes: nodes, stopped: make(chan struct{}), client: &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Second},
	}}
	w.wg.Go(func() { w.every(w.sample) })
	w.wg.Go(func() { w.every(w.call) })
	return w
}

// every does one at a time, so that a slow answer costs samples and never piles up.
func (w *watcher) every(do func(n int64)) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for n := int64(0); ; n++ {
		select {
		case <-w.stopped:
			return
		case <-tick.C:
			do(n)
		}
	}
}

// sample asks both nodes at once; a node that does not answer its own service is down.
func (w *watcher) sample(int64) {
	up := make([]bool, len(w.nodes))
	var wg sync.WaitGroup
	for i, node := range w.nodes {
		wg.Go(func() { up[i] = w.get(node) })
	}
	wg.Wait()
	w.samples.Add(1)
	down := 0
	for _, ok := range up {
		if !ok {
			down++
		}
	}
	switch {
	case down == len(w.nodes):
		w.overlap.Add(1)
	case down > 0:
		w.oneDown.Add(1)
	}
}

// call is a client's request: the preferred node, then the other one.
func (w *watcher) call(n int64) {
	w.requests.Add(1)
	for i := range w.nodes {
		if w.get(w.nodes[(int(n)+i)%len(w.nodes)]) {
			return
		}
	}
	w.failed.Add(1)
}

func (w *watcher) get(node string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, node+"/", nil)
	if err != nil {
		return false
	}
	res, err := w.client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16))
	return err == nil && res.StatusCode == http.StatusOK
}

func (w *watcher) stop() {
	close(w.stopped)
	w.wg.Wait()
}
