package fleet

import (
	"sync"

	"connecthub/models"
)

// broker tells consoles that something changed. A console that does not listen fast enough loses
// events, never holds anybody up; it reads everything afresh on the next one.
type broker struct {
	mu   sync.Mutex
	subs map[models.OrganizationID]map[chan Event]struct{}
}

const eventBuffer = 32

// Subscribe gives what changes in an organization, until cancel.
func (f *Fleet) Subscribe(org models.OrganizationID) (<-chan Event, func()) {
	ch := make(chan Event, eventBuffer)
	b := &f.events
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = map[models.OrganizationID]map[chan Event]struct{}{}
	}
	if b.subs[org] == nil {
		b.subs[org] = map[chan Event]struct{}{}
	}
	b.subs[org][ch] = struct{}{}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs[org], ch)
		if len(b.subs[org]) == 0 {
			delete(b.subs, org)
		}
	}
}

func (b *broker) publish(org models.OrganizationID, e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.subs[org] {
		select {
		case ch <- e:
		default:
		}
	}
}
