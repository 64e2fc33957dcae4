package commands

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/authkeys"
	"connecthub/nodeclient/control/conntest"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/sshport"
	"connecthub/nodeclient/enroll"
)

// utilsDeployment is "utils deployment …".
type utilsDeployment struct {
	TestConnection      testConnection      `cmd:"" help:"Test password-less SSH to machines of the inventory, for both control nodes."`
	CheckAuthorizedKeys checkAuthorizedKeys `cmd:"" help:"Judge a copy of an authorized_keys file; nothing is changed."`
	Show                deploymentShows     `cmd:"" help:"Show how far orchestration is."`
	HostKey             hostKeyCommand      `cmd:"" help:"List, confirm and forget the host keys of the machines."`
	CompatibilityCheck  compatibilityCheck  `cmd:"" help:"Say whether the compatibility check is enforced."`
	Cache               deploymentCache     `cmd:"" help:"What all machines said when they were last asked."`
	ExportStatus        exportStatus        `cmd:"" help:"Write the patch levels of all machines to an SFTP server, as text."`
	Resume              resumeCommand       `cmd:"" help:"Go on with a procedure that was interrupted or has failed."`
	Abandon             abandonCommand      `cmd:"" help:"Give up what remains of a procedure."`
	Conduct             conductCommand      `cmd:"" hidden:"" help:"Go through a procedure; begun by the commands."`
}

type hostKeyFlag struct {
	AcceptHostKey map[string]string `help:"Confirm a machine's host key without asking, if this is its fingerprint. Repeat it for more." placeholder:"NAME=SHA256:…" mapsep:"none"`
}

type testConnection struct {
	nodeFlags
	hostKeyFlag
	JSON bool `help:"As JSON."`
}

// Run works on both control nodes: each tests with its own key, and asks about the other one's.
func (c testConnection) Run(s *console.Session) error {
	hold, err := s.Orchestrate("utils deployment test-connection")
	if err != nil {
		return err
	}
	defer hold.Release()
	all, err := inventoried(s)
	if err != nil {
		return err
	}
	picked, err := c.pick(s, "Test which of them", all)
	if err != nil {
		return err
	}
	t, err := tester(s)
	if err != nil {
		return err
	}
	targets, err := targetsOf(s, picked)
	if err != nil {
		return err
	}
	if err := c.confirm(s, t, targets); err != nil {
		return err
	}
	tested := 0
	results := t.Run(s.Ctx, targets, func(r conntest.Result) {
		tested++
		s.Note("[%d/%d] %s: %s", tested, len(targets), r.Name, statusWord(r.Status, s.Lang))
	})
	if err := s.Ctx.Err(); err != nil {
		return err
	}
	if err := conntest.Save(s.Dir, t.Me.HostName, all, results, s.Now()); err != nil {
		return err
	}
	if c.JSON {
		err = s.JSON(resultsView(results, s.Lang))
	} else {
		tellResults(s, results)
	}
	if err != nil {
		return err
	}
	failed := count(results, conntest.Broken)
	if failed > 0 {
		return console.Refuse("connection_test_failed", "%d of %d machines failed the connection test",
			"接続テストに失敗したマシンがあります(%d / %d 台)", failed, len(results))
	}
	return nil
}

// tester is this control node, with what it knows of the others.
func tester(s *console.Session) (*conntest.Tester, error) {
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return nil, err
	}
	own, err := keys.Own(s.Dir)
	if err != nil {
		return nil, err
	}
	peers, err := keys.Peers(s.Dir)
	if err != nil {
		return nil, err
	}
	others, err := enroll.Members(s.Dir)
	if err != nil {
		return nil, err
	}
	if c.Role == models.Subscriber {
		others = []models.FQDN{c.Publisher}
	}
	known := func(name models.FQDN) bool {
		return slices.ContainsFunc(peers, func(p keys.Public) bool { return p.HostName == name })
	}
	return &conntest.Tester{Pins: remote.OpenPins(s.Dir, s.Now), Own: own, Now: s.Now, Peers: peers,
		Me: keys.Public{Category: keys.CategoryOf(c.Role), HostName: c.FQDN,
			PublicKey: own.Line()},
		Unknown: slices.DeleteFunc(others, known)}, nil
}

// targetsOf says where and as whom machines are reached.
func targetsOf(s *console.Session, picked []inventory.Machine) ([]conntest.Target, error) {
	port, _, err := sshport.Read(s.Dir, s.Now)
	if err != nil {
		return nil, sshPortRange(err)
	}
	clusters, err := onboarding.Clusters(s.Dir, s.Now)
	if err != nil {
		return nil, err
	}
	all := make([]conntest.Target, 0, len(picked))
	for _, m := range picked {
		address, err := sshport.Address(m.Host.Name, port)
		if err != nil {
			return nil, fmt.Errorf("cannot reach %s: %w", m.Host.Name, err)
		}
		user := m.Host.User
		if m.Product.VOS() {
			node, _ := onboarding.Find(clusters, m.Host.Name) // no user: it was never onboarded
			user = node.User
		}
		all = append(all, conntest.Target{Machine: m, Address: address, User: user})
	}
	return all, nil
}

// confirm asks once for all machines whose keys nobody has confirmed. Who does not say yes goes on
// with the others.
func (f hostKeyFlag) confirm(s *console.Session, t *conntest.Tester, targets []conntest.Target) error {
	if err := f.check(t, targets); err != nil {
		return err
	}
	unknown := slices.DeleteFunc(t.Unconfirmed(s.Ctx, targets), func(one conntest.Seen) bool {
		return one.Key == nil
	})
	var ask []conntest.Seen
	for _, one := range unknown {
		given, ok := f.AcceptHostKey[one.Target.Host.Name]
		switch {
		case !ok:
			ask = append(ask, one)
		case given != ssh.FingerprintSHA256(one.Key):
			return console.Refuse("other_host_key", "the host key of %s is %s, not the one that was given; "+
				"it was told nothing", "%s のホスト鍵は %s で、指定されたものと異なります。何も送信していません",
				one.Target.Address, ssh.FingerprintSHA256(one.Key))
		default:
			if err := t.Pins.Confirm(one.Target.Address, one.Key, s.Who); err != nil {
				return err
			}
		}
	}
	if len(ask) == 0 || !s.Terminal() {
		return nil
	}
	s.Note("Nobody has confirmed these host keys yet. Compare them with what the machines themselves show:")
	for _, one := range ask {
		s.Note("  %s  %s  %s", one.Target.Address, one.Key.Type(), ssh.FingerprintSHA256(one.Key))
	}
	err := s.Confirm("Are they the machines' own?", "accept-host-key", false)
	var no *console.Refusal
	if errors.As(err, &no) && no.Code == "not_confirmed" {
		s.Note("Not confirmed; these machines are told nothing.")
		return nil
	}
	if err != nil {
		return err
	}
	for _, one := range ask {
		if err := t.Pins.Confirm(one.Target.Address, one.Key, s.Who); err != nil {
			return err
		}
	}
	return nil
}

// check refuses fingerprints that are none, or not those of keys that are confirmed already.
func (f hostKeyFlag) check(t *conntest.Tester, targets []conntest.Target) error {
	for name, fingerprint := range f.AcceptHostKey {
		if !strings.HasPrefix(fingerprint, "SHA256:") {
			return console.Refuse("bad_fingerprint", "--accept-host-key %s: a fingerprint begins with SHA256:",
				"--accept-host-key %s: フィンガープリントは SHA256: で始まります", name)
		}
	}
	for _, one := range targets {
		given, ok := f.AcceptHostKey[one.Host.Name]
		known, err := t.Pins.Of(one.Address)
		if ok && err == nil && ssh.FingerprintSHA256(known) != given {
			return console.Refuse("other_host_key", "%s is confirmed for %s, not the one that was given; run "+
				"utils deployment host-key forget first", "%[2]s のホスト鍵は %[1]s として確認済みで、指定されたものと"+
				"異なります。先に utils deployment host-key forget を実行してください",
				ssh.FingerprintSHA256(known), one.Address)
		}
	}
	return nil
}

type checkAuthorizedKeys struct {
	File string `arg:"" type:"existingfile" help:"The file to judge, as it was copied from the machine."`
	JSON bool   `help:"As JSON."`
}

// Run fails where the file would not let a control node in, or breaks a rule.
func (c checkAuthorizedKeys) Run(s *console.Session) error {
	t, err := tester(s)
	if err != nil {
		return err
	}
	text, err := readAtMost(c.File, authkeys.MaxBytes+1)
	if err != nil {
		return fmt.Errorf("cannot read the file: %w", err)
	}
	wanted := append([]keys.Public{t.Me}, t.Peers...)
	r := authkeys.Check(filepath.Base(c.File), text, wanted)
	view := struct {
		Good     bool              `json:"good"`
		Keys     []checkedKey      `json:"keys"`
		Problems []authkeysProblem `json:"problems"`
	}{Good: len(r.Problems) == 0, Keys: []checkedKey{}, Problems: []authkeysProblem{}}
	for i, w := range wanted {
		view.Keys = append(view.Keys, checkedKey{w.Category, w.HostName, r.Lets[i]})
	}
	for _, p := range r.Problems {
		view.Problems = append(view.Problems, authkeysProblem{p.Line, p.Column, p.Rule,
			console.Printable(p.Sentence(s.Lang))})
	}
	switch {
	case c.JSON:
		err = s.JSON(view)
	case view.Good:
		s.Say("No problem: the file lets in %s.", names(wanted))
	default:
		for _, p := range view.Problems {
			s.Say("%s", p.Sentence)
		}
	}
	if err == nil && !view.Good {
		err = console.Refuse("authorized_keys_problems", "the file has %s", "ファイルに問題があります(%s)",
			counted(len(view.Problems)))
	}
	return err
}

type checkedKey struct {
	Category keys.Category `json:"category"`
	HostName models.FQDN   `json:"host_name"`
	Lets     bool          `json:"lets_in"`
}

type authkeysProblem struct {
	Line     int           `json:"line"`
	Column   int           `json:"column"`
	Rule     authkeys.Rule `json:"rule"`
	Sentence string        `json:"sentence"`
}

func names(all []keys.Public) string {
	var text []string
	for _, p := range all {
		text = append(text, string(p.Category)+" "+string(p.HostName))
	}
	return strings.Join(text, ", ")
}
