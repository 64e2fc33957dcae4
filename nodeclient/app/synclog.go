package app

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"connecthub/models"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/replica"
)

// syncLog writes down what goes from publisher to subscriber: names and revisions, never what is in it.
// What is asked for every two seconds is said once.
type syncLog struct {
	n *node

	mu   sync.Mutex
	said map[string]string
}

func (n *node) syncLog() *syncLog { return &syncLog{n: n, said: map[string]string{}} }

// once says what is new about the other node; an empty text only forgets what was said.
func (l *syncLog) once(about, text string) {
	l.mu.Lock()
	before := l.said[about]
	l.said[about] = text
	l.mu.Unlock()
	if text == "" || text == before {
		return
	}
	if err := logs.Open(l.n.dir, logs.Sync).Line(l.n.e.now(), "%s: %s", about, text); err != nil {
		l.n.e.log.Warn("cannot write what was replicated", "error", err)
	}
}

// given is the publisher's answer, written down.
func (l *syncLog) given(answer func(models.FQDN, replica.Request) (replica.Response, error)) func(models.FQDN,
	replica.Request) (replica.Response, error) {
	return func(member models.FQDN, in replica.Request) (replica.Response, error) {
		out, err := answer(member, in)
		if err != nil {
			l.once("refused to "+string(member), err.Error())
			return out, err
		}
		l.once("refused to "+string(member), "")
		if len(out.Items) > 0 {
			l.once("to "+string(member), listed(out.Items))
		}
		return out, nil
	}
}

// follow is the subscriber's side once, written down.
func (l *syncLog) follow(ctx context.Context, r *replica.Node, ask replica.Ask) error {
	var came []replica.Item
	err := r.Follow(ctx, func(ctx context.Context, in, out any) error {
		err := ask(ctx, in, out)
		if got, ok := out.(*replica.Response); err == nil && ok {
			came = got.Items
		}
		return err
	})
	from := string(l.n.settings().Publisher)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		l.once("not taken from "+from, err.Error())
	default:
		l.once("not taken from "+from, "")
		if len(came) > 0 {
			l.once("from "+from, listed(came))
		}
	}
	return err
}

func listed(items []replica.Item) string {
	all := make([]string, 0, len(items))
	for _, i := range items {
		all = append(all, fmt.Sprintf("%s revision %d (%d bytes)", i.Name, i.Revision, len(i.Body)))
	}
	return strings.Join(all, ", ")
}
