package app

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/replica"
	"connecthub/nodeclient/control/turn"
	"connecthub/nodeclient/enroll"
)

const (
	// followEvery is how far a subscriber may be behind its publisher.
	followEvery = 2 * time.Second
	// followSoon is how soon it asks again while a procedure of its publisher waits for it.
	followSoon = 100 * time.Millisecond
)

// replica is this node's side of the replication.
func (n *node) replica() *replica.Node {
	return replica.New(replica.Options{Dir: n.dir, Parts: replica.Parts(n.dir, n.e.now),
		Key: func() (keys.Public, error) {
			c := n.settings()
			return keys.OwnPublic(n.dir, c.Role, c.FQDN)
		}, Status: n.controlStatus, Now: n.e.now,
		Members: func() ([]models.FQDN, error) { return enroll.Members(n.dir) }})
}

// replicas is how the publisher answers its subscribers.
func (n *node) replicas() []enroll.PeerHandler {
	r := n.replica()
	return []enroll.PeerHandler{answering(replica.Path, n.syncLog().given(r.Answer)), answering(replica.TurnPath, r.Turn)}
}

func answering[In, Out any](path string, answer func(models.FQDN, In) (Out, error)) enroll.PeerHandler {
	return enroll.PeerHandler{Path: path, Limit: replica.MaxRequest,
		Answer: func(_ context.Context, member models.FQDN, body []byte) (any, error) {
			var in In
			if err := json.Unmarshal(body, &in); err != nil {
				return nil, fmt.Errorf("cannot read the request: %w", err)
			}
			return answer(member, in)
		}}
}

// replicate keeps this subscriber like its publisher until ctx ends. What fails is tried again; it
// stands in the state that progress-HA shows.
func (n *node) replicate(ctx context.Context) error {
	ask, err := n.enrollment.AskPublisher(replica.Path, replica.MaxResponse)
	if err != nil {
		return err
	}
	r, log, said := n.replica(), n.syncLog(), ""
	for {
		err := log.follow(ctx, r, ask)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the caller ended it
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != said && text != "" {
			n.e.log.Warn("not replicated", "error", err)
		}
		said = text
		if err == nil && r.Soon() {
			pause(ctx, followSoon)
		} else {
			pause(ctx, followEvery)
		}
	}
}

// controlStatus is what the other control node is told of this one.
func (n *node) controlStatus() (replica.Status, error) {
	s := replica.Status{Node: n.settings().FQDN, Version: installedVersion(n.slots),
		At: n.e.now().UTC()}
	var err error
	if s.Doing, err = turn.Own(n.dir); err != nil {
		return s, err
	}
	if last, err := procedure.Last(n.dir); err == nil { // a journal that is damaged holds nothing up
		s.Operation = operationOf(last)
	}
	note, busy, err := gate.Busy(n.dir, gate.Orchestration)
	if err != nil || !busy {
		if o := s.Operation; o != nil && o.Status == string(procedure.Running) {
			o.Status = "interrupted"
		}
		return s, err
	}
	if s.Operation == nil || s.Operation.Status != string(procedure.Running) {
		s.Operation = &replica.Operation{What: note.What, Who: note.Who, Began: note.Since,
			Status: string(procedure.Running)}
	}
	return s, nil
}

func operationOf(p procedure.State) *replica.Operation {
	o := &replica.Operation{What: p.Plan.Kind.Title("en"), Who: p.Plan.By, Status: string(p.Status),
		Began: p.Began, Ended: p.Ended}
	for i, t := range p.Tasks {
		o.Tasks = append(o.Tasks, replica.Task{Machine: p.Plan.Tasks[i].Name,
			Status: string(t.Status), Detail: t.Detail})
	}
	return o
}
