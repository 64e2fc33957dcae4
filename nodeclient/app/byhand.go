package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/agent"
	"connecthub/nodeclient/byhand"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/permits"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/journal"
)

const (
	handLook = 100 * time.Millisecond
	// handTell is how long a command that is its own agent waits for the hub to hear of the end.
	handTell = 5 * time.Second
)

// handFlags are those of every command that stops the services.
type handFlags struct {
	WithoutPermit bool `help:"Where the hub cannot be reached, go on without its permit; the hub is told afterwards. Its no is never overridden."`
}

type stopServicesCommand struct {
	dirFlag
	handFlags
}

// Run stops the services gracefully: on a registered node under a permit, so that never two nodes of
// a cluster are down (R33). They stay down until start-services, or until the machine starts again.
func (s stopServicesCommand) Run(e *env) error {
	e.session.Dir = s.Dir
	return e.byHand(e.session, models.HandStop, s.WithoutPermit)
}

type startServicesCommand struct{ dirFlag }

// Run starts the active version's services; that needs nobody's permit.
func (s startServicesCommand) Run(e *env) error {
	e.session.Dir = s.Dir
	state, err := journal.Peek(journalOf(s.Dir))
	if err != nil {
		return err
	}
	if state.Entry == nil || state.Entry.Step != journal.Stopped {
		return startActive(e.ctx, s.Dir)
	}
	return e.byHand(e.session, byhand.Start, false)
}

type rollbackCommand struct {
	dirFlag
	handFlags
	Yes bool `help:"Do not ask."`
}

// Run goes back to the version before, which is on this node; the present one is not tried again.
func (r rollbackCommand) Run(e *env) error {
	s := e.session
	s.Dir = r.Dir
	slots, err := host.ViewSlots(r.Dir)
	if err != nil {
		return err
	}
	err = s.Confirm(fmt.Sprintf("The services of this node will be stopped, and %s takes the place of %s.",
		inactiveVersion(slots), installedVersion(slots)), "yes", r.Yes)
	if err != nil {
		return err
	}
	return e.byHand(s, models.HandRollback, r.WithoutPermit)
}

func inactiveVersion(slots *host.Slots) models.Version {
	slot, err := slots.Previous()
	if err != nil || slot == "" {
		return "-"
	}
	m, err := slots.Manifest(slot)
	if err != nil {
		return "-"
	}
	return m.Version
}

// byHand lets the agent do the work: the running one, or this very process where none runs.
func (e *env) byHand(s *console.Session, work models.HandWork, without bool) error {
	if err := s.Owner(); err != nil {
		return err
	}
	identity, err := enroll.ReadIdentity(s.Dir)
	if err != nil {
		return err
	}
	if done, err := e.needsNoAgent(s, work, identity != nil); done {
		return err
	}
	finish, err := e.actAsAgent(s.Dir, identity != nil, work)
	if errors.Is(err, errIdle) {
		s.Note("No services run.")
		return nil
	}
	if err != nil {
		return err
	}
	answer, err := e.ask(s, byhand.Request{Work: work, WithoutPermit: without, Who: s.Who})
	finish(answer)
	if err != nil {
		return err
	}
	return say(s, answer)
}

// needsNoAgent does what neither a permit nor the agent's journal is needed for, and refuses what
// is under way already.
func (e *env) needsNoAgent(s *console.Session, work models.HandWork, registered bool) (bool, error) {
	state, err := journal.Peek(journalOf(s.Dir))
	if err != nil {
		return true, err
	}
	entry := state.Entry
	switch {
	case entry != nil && entry.Step == journal.Stopped && work == models.HandStop:
		s.Note("The services are stopped already.")
		return true, nil
	case entry != nil && entry.Step == journal.Stopped && work == byhand.Start:
		return false, nil
	case entry != nil && entry.Step != journal.Ended:
		return true, refusalOf(byhand.Answer{Code: byhand.Busy})
	case work == models.HandStop && !registered:
		return true, shutDown(e.ctx, s.Dir)
	}
	return false, nil
}

// shutDown stops the services and their supervisor; one that is away is stopped already.
func shutDown(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, stopDeadline)
	defer cancel()
	_, err := supervise.Client{Dir: dir}.Shutdown(ctx)
	if errors.Is(err, supervise.ErrAway) {
		return nil
	}
	return err
}

// errIdle: there is nothing to stop.
var errIdle = errors.New("no services run")

// actAsAgent makes this process the agent where none runs, until finish is called. Where nothing
// runs, nothing is started only to be stopped: errIdle.
func (e *env) actAsAgent(dir string, registered bool, work models.HandWork) (
	finish func(byhand.Answer), err error) {
	quiet := *e
	quiet.log = slog.New(slog.NewTextHandler(e.err, &slog.HandlerOptions{Level: slog.LevelError}))
	n, err := open(&quiet, dir)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return func(byhand.Answer) {}, nil // it runs
	}
	if err != nil {
		return nil, err
	}
	a, err := n.newAgent(!registered)
	if err == nil && work == models.HandStop {
		if _, away := (supervise.Client{Dir: dir}).Status(e.ctx); errors.Is(away, supervise.ErrAway) {
			err = errIdle
		}
	}
	if err == nil {
		err = ensureSupervisor(e.ctx, dir)
	}
	if err != nil {
		n.close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(e.ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.Run(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("the work ended", "err", err)
		}
	})
	return func(last byhand.Answer) {
		n.hears(last)
		cancel()
		wg.Wait()
		n.close()
		if last.State == byhand.Stopped { // as long as nobody wants them, nothing keeps them
			if err := shutDown(e.ctx, dir); err != nil {
				e.log.Error("supervisor not ended", "err", err)
			}
		}
	}, nil
}

// hears waits a little for the hub to hear of the end; what it has not heard, the next agent tells.
func (n *node) hears(last byhand.Answer) {
	if last.State != byhand.Ended && last.State != byhand.Refused {
		return
	}
	for end := n.e.now().Add(handTell); n.e.now().Before(end); pause(n.e.ctx, handLook) {
		if n.journal.State().Entry == nil {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// ask leaves the request and shows how far it is until there is a final answer. A lost terminal
// loses nothing: the agent goes on.
func (e *env) ask(s *console.Session, r byhand.Request) (byhand.Answer, error) {
	r.At = e.now().UTC()
	r, err := byhand.Ask(s.Dir, r)
	if err != nil {
		return byhand.Answer{}, err
	}
	shown, picked := "", false
	for {
		answer, ok, err := byhand.Answered(s.Dir, r.ID)
		switch {
		case err != nil:
			return answer, err
		case ok && answer.State.Final():
			return answer, nil
		case !ok && !picked && e.now().Sub(r.At) > byhand.PickUp:
			return byhand.Answer{ID: r.ID, State: byhand.Refused, Code: byhand.Lapsed},
				byhand.Withdraw(s.Dir)
		case ok && answer.Step != shown:
			shown, picked = answer.Step, true
			s.Note("  %s", answer.Step)
		}
		pause(e.ctx, handLook)
		if e.ctx.Err() != nil {
			return byhand.Answer{}, e.ctx.Err()
		}
	}
}

// say is the end as a person reads it; whatever did not come to its end is an error.
func say(s *console.Session, a byhand.Answer) error {
	if a.Unpermitted {
		s.Note("The hub could not be asked; it will be told when it can be reached.")
	}
	switch {
	case a.State == byhand.Refused:
		return refusalOf(a)
	case a.State == byhand.Stopped:
		s.Say("The services are stopped. They stay so until \"nodeclient start-services\", or until this machine starts again.")
		return nil
	case a.Outcome == models.Succeeded:
		s.Say("Version %s serves.", a.Version)
		return nil
	}
	return console.Refuse("work_not_done", "the work ended %s: %s; version %s is active",
		"作業は %s で終了しました: %s。稼働中のバージョンは %s です", a.Outcome, a.Detail, a.Version)
}

// refusalOf is why nothing was disturbed, in both languages.
func refusalOf(a byhand.Answer) error {
	if a.Reason != "" {
		held := console.Refuse("hub_holds", "the hub holds: {why}", "ハブにより保留されました: {why}")
		held.English = strings.Replace(held.English, "{why}", models.ReasonSentence(a.Reason, a.Subject, "en"), 1)
		held.Japanese = strings.Replace(held.Japanese, "{why}", models.ReasonSentence(a.Reason, a.Subject, "ja"), 1)
		return held
	}
	switch a.Code {
	case byhand.Busy:
		return console.Refuse("busy",
			"an upgrade or other work by hand is under way on this node, or its end is still to be told to the hub",
			"このノードではアップグレードまたは手動作業が進行中か、その終了をハブへ報告中です")
	case byhand.NotInstalled:
		return console.Refuse("not_installed",
			"nothing is installed on this node",
			"このノードには何もインストールされていません")
	case byhand.NoOther:
		return console.Refuse("no_other_version",
			"there is no inactive version on this node",
			"このノードに非アクティブのバージョンはありません")
	case byhand.NotLower:
		return console.Refuse("not_lower",
			"the inactive version is higher than the active one: that is no rollback",
			"非アクティブのバージョンのほうが新しいため、ロールバックできません")
	case byhand.NotHigher:
		return console.Refuse("not_higher",
			"the inactive version is not higher than the active one",
			"非アクティブのバージョンはアクティブのバージョンより新しくありません")
	case byhand.NotSigned:
		return console.Refuse("not_signed",
			"it is not known from which bundle the inactive version was unpacked; install it again with \"utils system upgrade initiate\"",
			"非アクティブのバージョンの元になったバンドルが不明です。「utils system upgrade initiate」で再インストールしてください")
	case byhand.Unfit:
		return console.Refuse("unfit",
			"the inactive version needs values that this node does not have",
			"非アクティブのバージョンに必要な値がこのノードにありません")
	case byhand.NoHub:
		return console.Refuse("hub_unreachable",
			"the hub cannot be reached, and it has to say whether the other nodes serve; where you know that they do, --without-permit goes on",
			"ハブに接続できないため、他のノードの稼働を確認できません。稼働していることが確かな場合は --without-permit を指定してください")
	case byhand.Restarted:
		return console.Refuse("restarted",
			"this machine was started again before anything was stopped",
			"何も停止しないうちにこのマシンが再起動されました")
	case byhand.Lapsed:
		return console.Refuse("not_picked_up",
			"the agent did not take the request: an upgrade may be under way, or the end of the last one is still to be told to the hub",
			"エージェントが要求を受け取りませんでした。アップグレード中か、前回の終了をハブへ報告中の可能性があります")
	case byhand.NotAllowed:
		return console.Refuse("not_in_this_state",
			"this node is being deregistered",
			"このノードは登録解除中です")
	case byhand.NotStopped:
		return console.Refuse("not_stopped",
			"the services were not stopped by hand",
			"サービスは手動停止されていません")
	}
	return console.Refuse("hub_refuses", "the hub refused the work: %s", "ハブが作業を拒否しました: %s", a.Detail)
}

// newAgent is the agent of this node; alone, where it is not registered.
func (n *node) newAgent(alone bool) (*agent.Agent, error) {
	return agent.New(agent.Options{Dir: n.dir, Hub: (*hub)(n.enrollment), Journal: n.journal,
		Slots: n.slots, Machine: host.Machine{DataDir: n.dir}, ClientVersion: n.e.version,
		BootID: n.bootID, Now: n.e.now, Log: n.e.log, Alone: alone,
		Orchestrating: n.orchestrating, PermitOpen: n.permitOpen,
		Revive: func(ctx context.Context) error { return ensureSupervisor(ctx, n.dir) }})
}

// orchestrating names the procedure or the download that runs on this node. A lock that cannot be looked
// at counts as held: nobody knows what a stop would cut off.
func (n *node) orchestrating() string {
	for _, kind := range gate.Kinds() {
		note, busy, err := gate.Busy(n.dir, kind)
		if err != nil {
			n.e.log.Error("lock not seen", "kind", kind, "err", err)
			return fmt.Sprintf("%s, perhaps: its lock cannot be read", kind)
		}
		if busy {
			return fmt.Sprintf("%s %s %d", kind, note.What, note.Since.UnixNano())
		}
	}
	return ""
}

func (n *node) permitOpen(said bool, holder models.FQDN, asked time.Time) {
	err := permits.Note(n.dir, permits.Heard{Said: said, Holder: holder, Asked: asked})
	if err != nil {
		n.e.log.Error("open permit not noted", "err", err)
	}
}

// settleByHand does what somebody asks of a node that is not registered, or what a crash has left of
// it; the agent proper runs on registered nodes only.
func (n *node) settleByHand(ctx context.Context) error {
	_, waits, err := byhand.Pending(n.dir)
	if entry := n.journal.State().Entry; err != nil ||
		!waits && (entry == nil || !entry.Hand.Unpermitted) {
		return err
	}
	a, err := n.newAgent(true)
	if err != nil {
		return err
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.Run(inner) }()
	for waits || n.journal.State().Entry != nil {
		select {
		case err := <-done:
			return err
		case <-time.After(handLook):
		}
		if _, waits, err = byhand.Pending(n.dir); err != nil {
			break
		}
	}
	cancel()
	return errors.Join(err, <-done)
}
