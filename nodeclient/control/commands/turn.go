package commands

import (
	"context"
	"errors"
	"os"
	"time"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/turn"
	"connecthub/nodeclient/enroll"
)

// turnFlags are those of every command that lets machines be disturbed.
type turnFlags struct {
	OtherNodeIsDown bool `help:"Go on though the other control node is not heard: it is known to be down. It is written down. What is heard of it is never overridden."`
}

// takeTurn keeps the other control node from disturbing machines meanwhile, or refuses because it does.
func (f turnFlags) takeTurn(s *console.Session, hold *gate.Hold) error {
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return err
	}
	err = turn.Take(s.Ctx, turn.Request{Dir: s.Dir, Hold: hold, Config: c, Now: s.Now,
		Down: func(silent *turn.SilentError) error { return f.down(s, silent) }})
	var other *turn.OtherError
	if !errors.As(err, &other) {
		return err
	}
	d := other.Doing
	refusal := console.Refuse("peer_orchestrates", "another control node, %s, works on machines of the deployment, or is "+
		"about to (%s, by %s, since %s); run this when that has ended", "もう一方の制御ノード %s がデプロイメントのマシンに対して"+
		"操作を実行中、または開始しようとしています(%s、実行者 %s、開始 %s)。終了後に実行してください", other.Node, orNone(d.What),
		orNone(d.Who), d.Since.Format(time.RFC3339))
	if d.Interrupted {
		refusal = console.Refuse("peer_interrupted", "a procedure of another control node, %s, was interrupted (%s, by %s, since "+
			"%s); first run there: utils deployment resume, or utils deployment abandon", "もう一方の制御ノード %s で手順が中断されて"+
			"います(%s、実行者 %s、開始 %s)。先にそのノードで utils deployment resume または utils deployment abandon を"+
			"実行してください", other.Node, orNone(d.What), orNone(d.Who), d.Since.Format(time.RFC3339))
	}
	refusal.Err = err
	return refusal
}

// down is who goes on without the other node: whoever says that it is down, by flag or by a typed word.
// No other consent stands for it, and it is in the audit log first.
func (f turnFlags) down(s *console.Session, silent *turn.SilentError) error {
	if !f.OtherNodeIsDown && !s.Terminal() {
		refusal := console.Refuse("peer_not_heard", "the other control node, %s, is not heard, and could be working on "+
			"machines. Where it is known to be down, give --other-node-is-down (%v)", "もう一方の制御ノード %s と通信できません。"+
			"マシンに対して操作を実行中の可能性があります。停止していることが確実な場合は --other-node-is-down を指定してください(%v)",
			silent.Node, silent.Err)
		refusal.Err = silent
		return refusal
	}
	s.Note("The other control node, %s, is not heard: %v", silent.Node, silent.Err)
	if err := s.Confirm("If it works on machines, both machines of a pair could stop at the same time. It is known "+
		"to be down.", "other-node-is-down", f.OtherNodeIsDown); err != nil {
		return err
	}
	return logs.Record(s.Dir, s.Now(), logs.Act{Who: s.Who, Command: "without " + string(silent.Node),
		Process: os.Getpid(), Outcome: logs.Alone})
}

// watch is what a procedure asks again before it disturbs a machine.
func watch(s *console.Session) (func(ctx context.Context) error, error) {
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return nil, err
	}
	look, err := turn.Watch(s.Dir, c)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		err := look(ctx)
		var other *turn.OtherError
		if errors.As(err, &other) {
			return &target.Obstacle{Err: err,
				Reason: target.Because("peer_orchestrates", string(other.Node), other.Doing.What)}
		}
		return err
	}, nil
}
