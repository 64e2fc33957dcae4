package commands

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"connecthub/models"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/mail"
	"connecthub/nodeclient/control/replica"
	"connecthub/nodeclient/control/selfupgrade"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/journal"
)

// localSource is the one source of Cloud Connect itself: its releases are never in /binaries (R14).
const localSource = "local-repository"

// installing is what the gate's note says of an installation.
const installing = "utils system upgrade initiate"

type systemUpgrade struct {
	Initiate upgradeInitiate `cmd:"" help:"Install a version of Cloud Connect itself on this node, beside the running one."`
	Status   upgradeStatus   `cmd:"" help:"Show the last installation and both versions."`
	Cancel   upgradeCancel   `cmd:"" help:"Cancel the installation that is in progress."`
}

type systemSwitch struct {
	Version switchVersion `cmd:"" help:"Make the inactive version of this node the active one."`
}

type upgradeInitiate struct {
	Source        string `help:"Where the version comes from: local-repository." placeholder:"local-repository"`
	File          string `help:"Which bundle of the local repository." placeholder:"NAME"`
	SHA256        string `name:"sha256" help:"The bundle's SHA-256, as the vendor has published it. On a registered node the hub knows it." placeholder:"HEX"`
	Switch        string `enum:"yes,no," default:"" help:"Switch versions when the installation has succeeded: yes or no."`
	WithoutPermit bool   `help:"Where the hub cannot be reached, switch without its permit; the hub is told afterwards. Its no is never overridden."`
	Yes           bool   `help:"Do not ask."`
	JSON          bool   `help:"As JSON."`
}

// Run installs, and then switches if that is wanted. A lost terminal loses nothing.
func (u upgradeInitiate) Run(s *console.Session) error {
	done, auto, err := u.install(s)
	if err == nil && auto { // no longer under the lock: no node that orchestrates gets a permit
		switching := *s
		if u.JSON {
			switching.Out = s.Err
		}
		err = s.ByHand(&switching, models.HandUpgrade, u.WithoutPermit)
	}
	if done.Version != "" {
		tellUpgrade(s, done, err)
	}
	switch {
	case err != nil:
		return upgradeRefusal(err)
	case u.JSON:
		return s.JSON(done)
	case !auto:
		s.Say("%s is installed. It becomes the active version with \"utils system switch version\".",
			done.Version)
	}
	return nil
}

// install asks, and installs into the inactive slot.
func (u upgradeInitiate) install(s *console.Session) (selfupgrade.State, bool, error) {
	hold, err := s.Orchestrate(installing)
	if err != nil {
		return selfupgrade.State{}, false, err
	}
	defer hold.Release()
	w, auto, err := u.ask(s)
	if err != nil {
		return selfupgrade.State{}, false, err
	}
	signal.Ignore(syscall.SIGHUP)
	s.Note("Installing %s ...", w.File)
	done, err := w.Run(s.Ctx)
	return done, auto, err
}

// tellUpgrade writes to whoever subscribed to this node's mail. Mail that fails fails nothing.
func tellUpgrade(s *console.Session, done selfupgrade.State, failed error) {
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return
	}
	node := mail.Node{Machine: string(c.FQDN), Product: "Cloud Connect", From: string(done.From),
		To: string(done.Version), Status: mail.Succeeded}
	if failed != nil {
		node.Status = mail.Failed
		node.Note = func(language string) string { return console.Sentence(failed, language) }
	}
	box, err := mailBox(s)
	if err == nil {
		err = box.Procedure(mail.Procedure{Kind: mail.SystemUpgrade, Started: done.BegunAt,
			Ended: s.Now(), By: s.Who, Nodes: []mail.Node{node}})
	}
	if err == nil {
		err = box.Deliver(s.Ctx)
	}
	if err != nil {
		logs.To(s.Dir, logs.Mail).Warn("cannot tell of the upgrade", "error", err)
	}
}

// ask is what has to be known before anything is installed.
func (u upgradeInitiate) ask(s *console.Session) (selfupgrade.Work, bool, error) {
	w := selfupgrade.Work{Dir: s.Dir, Who: s.Who, Now: s.Now,
		Size: func() (int64, error) { return s.DiskSize(s.Dir) }}
	versions, err := versionsOf(s)
	if err != nil {
		return w, false, err
	}
	values, err := host.LoadValues(s.Dir)
	if err != nil {
		return w, false, err
	}
	if versions.Active == "" {
		return w, false, console.Refuse("not_installed", "nothing is installed on this node; begin with "+
			"\"nodeclient install-bundle\"", "このノードには何もインストールされていません。まず「nodeclient install-bundle」を実行してください")
	}
	w.Active, w.Denied, w.Keep, w.Accept = versions.Active, versions.denied, versions.keep, values.Check
	_, err = s.Choose("Source", "source", given(u.Source),
		[]console.Option{{Value: localSource, Text: "Local Repository"}}, console.One)
	if err != nil {
		return w, false, err
	}
	b, err := u.choose(s)
	if err != nil {
		return w, false, err
	}
	w.File = b.File
	if err := publisherFirst(s, b.Version); err != nil {
		return w, false, err
	}
	if err := selfupgrade.CheckDisk(w.Active, b.Version, w.Size); err != nil {
		return w, false, upgradeRefusal(err)
	}
	if w.Digest, err = selfupgrade.Digest(s.Ctx, s.Dir, b.File); err != nil {
		return w, false, err
	}
	auto, err := u.confirm(s, w, b)
	return w, auto, err
}

func given(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

func (u upgradeInitiate) choose(s *console.Session) (selfupgrade.Bundle, error) {
	all, err := selfupgrade.List(s.Ctx, s.Dir)
	if err != nil {
		return selfupgrade.Bundle{}, upgradeRefusal(err)
	}
	options := make([]console.Option, len(all))
	for i, b := range all {
		options[i] = console.Option{Value: b.File, Text: fmt.Sprintf("%s %s (%s, %d bytes)", b.Name,
			b.Version, b.File, b.Size)}
	}
	chosen, err := s.Choose("Version", "file", given(u.File), options, console.One)
	if err != nil {
		return selfupgrade.Bundle{}, err
	}
	return all[chosen[0]], nil
}

// confirm has the digest said by whom knows it: a registered node's hub does, before a switch.
func (u upgradeInitiate) confirm(s *console.Session, w selfupgrade.Work, b selfupgrade.Bundle) (bool,
	error) {
	identity, err := enroll.ReadIdentity(s.Dir)
	if err != nil {
		return false, err
	}
	s.Note("Active version: %s\nVersion to install: %s\nSHA-256: %s", w.Active, b.Version, w.Digest)
	switch {
	case u.SHA256 != "" && !strings.EqualFold(u.SHA256, w.Digest):
		return false, console.Refuse("digest_differs", "the bundle's SHA-256 is %s, not the one that was given",
			"バンドルの SHA-256 は %s であり、指定された値と異なります", w.Digest)
	case u.SHA256 == "" && identity == nil:
		err := s.Confirm("Is this the SHA-256 that the vendor has published?", "sha256 "+w.Digest, false)
		if err != nil {
			return false, err
		}
	}
	auto := u.Switch
	if auto == "" && !u.Yes {
		if auto, err = s.Ask("Switch versions when the installation has succeeded (yes/no)", "switch", "",
			"no"); err != nil {
			return false, err
		}
	}
	if auto != "yes" && auto != "no" && auto != "" {
		return false, console.Refuse("yes_or_no", "answer yes or no", "yes または no で答えてください")
	}
	question := "The version will be installed; nothing is stopped."
	if auto == "yes" {
		question = "The version will be installed, and then the services of this node stop and start again."
	}
	return auto == "yes", s.Confirm(question, "yes", u.Yes)
}

// publisherFirst keeps a subscriber behind its publisher, as the hub does for registered nodes.
func publisherFirst(s *console.Session, to models.Version) error {
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil || c.Role != models.Subscriber {
		return err
	}
	known, err := replica.Of(s.Dir)
	if err != nil {
		return err
	}
	if v := known.Peer.Version; v.Less(to) {
		if v == "" {
			v = "-"
		}
		return console.Refuse("publisher_first", "the publisher goes first: %s has version %s",
			"先にパブリッシャをアップグレードしてください: %s のバージョンは %s です", c.Publisher, v)
	}
	return nil
}

// versionsView is what is on this node.
type versionsView struct {
	Active       models.Version    `json:"active"`
	Inactive     models.Version    `json:"inactive,omitempty"`
	Installation selfupgrade.State `json:"installation"`
	Running      string            `json:"under_way,omitempty"` // step of an upgrade or of work by hand
	DiskBytes    int64             `json:"disk_bytes"`

	denied []string
	keep   []string
}

func versionsOf(s *console.Session) (versionsView, error) {
	dir := s.Dir
	var v versionsView
	slots, err := host.ViewSlots(dir)
	if err != nil {
		return v, err
	}
	for _, one := range []struct {
		slot func() (string, error)
		into *models.Version
	}{{slots.Active, &v.Active}, {slots.Previous, &v.Inactive}} {
		slot, err := one.slot()
		if err != nil || slot == "" {
			continue
		}
		if m, err := slots.Manifest(slot); err == nil {
			*one.into = m.Version
		}
	}
	state, err := journal.Peek(filepath.Join(dir, "journal"))
	if err != nil {
		return v, err
	}
	v.denied = state.Denied
	if e := state.Entry; e != nil {
		v.Running, v.keep = string(e.Step), []string{e.From, e.To}
	}
	if v.Installation, err = selfupgrade.Read(dir); err != nil {
		return v, err
	}
	v.DiskBytes, err = s.DiskSize(dir)
	return v, err
}

type upgradeStatus struct {
	JSON bool `help:"As JSON."`
}

// Run shows both versions, and how the last installation went.
func (u upgradeStatus) Run(s *console.Session) error {
	v, err := versionsOf(s)
	if err != nil {
		return err
	}
	running, err := installs(s.Dir)
	if err != nil {
		return err
	}
	if v.Installation.Stage == selfupgrade.Installing && !running {
		v.Installation.Stage = selfupgrade.Interrupted
	}
	if u.JSON {
		return s.JSON(v)
	}
	s.Say("Active version   : %s\nInactive version : %s\nDisk             : %d GB", orDash(string(v.Active)),
		orDash(string(v.Inactive)), v.DiskBytes/1_000_000_000)
	if i := v.Installation; i.Stage == selfupgrade.None {
		s.Say("Installation     : none")
	} else {
		s.Say("Installation     : %s %s (%s, by %s, %s) %s", i.Stage, i.Version, i.File, i.Who,
			s.Moment(i.At), i.Detail)
	}
	if v.Running != "" {
		s.Say("Under way        : %s", v.Running)
	}
	return nil
}

// installs says whether an installation holds this node's lock now.
func installs(dir string) (bool, error) {
	note, busy, err := gate.Busy(dir, gate.Orchestration)
	return busy && note.What == installing, err
}

type upgradeCancel struct {
	Yes bool `help:"Do not ask."`
}

// Run cancels what is being installed; a switch is never cut off.
func (u upgradeCancel) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	running, err := installs(s.Dir)
	if err != nil {
		return err
	}
	if state, err := selfupgrade.Read(s.Dir); err != nil || !running ||
		state.Stage != selfupgrade.Installing {
		return errors.Join(err, upgradeRefusal(selfupgrade.ErrIdle))
	}
	if err := s.Confirm("The installation will be cancelled.", "yes", u.Yes); err != nil {
		return err
	}
	if err := selfupgrade.Cancel(s.Dir, running); err != nil {
		return upgradeRefusal(err)
	}
	s.Say("The installation is being cancelled.")
	return nil
}

type switchVersion struct {
	WithoutPermit bool `help:"Where the hub cannot be reached, go on without its permit; the hub is told afterwards. Its no is never overridden."`
	Yes           bool `help:"Do not ask."`
}

// Run makes the inactive version the active one, under a permit on a registered node (R33).
func (w switchVersion) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	v, err := versionsOf(s)
	if err != nil {
		return err
	}
	if v.Inactive == "" || v.Active == "" {
		return console.Refuse("no_other_version", "there is no inactive version on this node",
			"このノードに非アクティブのバージョンはありません")
	}
	size := func() (int64, error) { return s.DiskSize(s.Dir) }
	if err := selfupgrade.CheckDisk(v.Active, v.Inactive, size); err != nil {
		return upgradeRefusal(err)
	}
	if v.Active.Less(v.Inactive) {
		if err := publisherFirst(s, v.Inactive); err != nil {
			return err
		}
	}
	s.Note("Active version: %s\nInactive version: %s", v.Active, v.Inactive)
	if err := s.Confirm("The services of this node will be stopped and started again.", "yes",
		w.Yes); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGHUP)
	return s.ByHand(s, models.HandSwitch, w.WithoutPermit)
}

// upgradeRefusal gives the refusals of selfupgrade their sentences.
func upgradeRefusal(err error) error {
	var disk *selfupgrade.DiskError
	refusal := (*console.Refusal)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &disk):
		refusal = console.Refuse("disk_too_small",
			"%s needs a disk of 246 GB, and this node has %d GB. (1) Stop this node's virtual machine; (2) grow its disk "+
				"from 146 to 246 GB in vSphere; (3) start it again: the partition grows by itself, and the size is read again",
			"%s には 246 GB のディスクが必要ですが、このノードは %d GB です。(1) このノードの仮想マシンを停止し、"+
				"(2) vSphere でディスクを 146 GB から 246 GB に拡張し、(3) 再び起動してください。パーティションは自動的に拡張され、"+
				"サイズは起動後に再度読み取られます", disk.To, disk.GB())
	case errors.Is(err, selfupgrade.ErrNothing):
		refusal = console.Refuse("local_repository_empty",
			"the local repository holds no bundle: put one into the folder \"repository\" of this node's data folder",
			"ローカルリポジトリにバンドルがありません。ノードのデータフォルダの repository フォルダに置いてください")
	case errors.Is(err, selfupgrade.ErrNotHigher):
		refusal = console.Refuse("not_higher", "the version is not higher than the active one",
			"インストールするバージョンは稼働中のバージョンより新しくありません")
	case errors.Is(err, selfupgrade.ErrDenied):
		refusal = console.Refuse("denied_version", "this node rolled back from that version",
			"このノードはそのバージョンからロールバックしています")
	case errors.Is(err, selfupgrade.ErrCancelled):
		refusal = console.Refuse("cancelled", "the installation was cancelled", "インストールは中止されました")
	case errors.Is(err, selfupgrade.ErrIdle):
		refusal = console.Refuse("nothing_in_progress", "no installation is in progress",
			"進行中のインストールはありません")
	case errors.Is(err, os.ErrNotExist):
		refusal = console.Refuse("no_such_bundle", "the bundle is gone: %v", "バンドルがありません: %v", err)
	default:
		return err
	}
	refusal.Err = err
	return refusal
}
