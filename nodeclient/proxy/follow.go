package proxy

import "sync"

// teller tells results in order. What it was told stays as it is.
type teller struct {
	tell func(Result)

	mu    sync.Mutex
	told  []Result
	ended bool
}

// known tells those of the first results that were not told yet. The transport may go on after the
// probe has ended: then it is nobody's any more.
func (t *teller) known(first []Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.more(first)
	}
}

func (t *teller) more(first []Result) {
	for _, r := range first[min(len(t.told), len(first)):] {
		t.told = append(t.told, r)
		t.tell(r)
	}
}

// end tells the rest and answers all that was told.
func (t *teller) end(all []Result) []Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.more(all)
	t.ended = true
	return t.told
}

// certain is how many of the steps nothing can change any more while the request is under way.
func (f findings) certain() int {
	named := f.name == "" && f.connected || f.resolved && f.dnsErr == nil
	switch {
	case !named:
		return 0
	case f.via != nil && !f.tlsBegun: // its answer may be a refusal
		return 1
	case !f.tlsEnded || f.tlsErr != nil:
		return 2
	}
	return 3
}
