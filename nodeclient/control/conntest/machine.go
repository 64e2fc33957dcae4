package conntest

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"connecthub/nodeclient/control/authkeys"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/control/windriver"
)

const (
	maxConfig    = 256 << 10
	pingDeadline = 45 * time.Second
)

func named(p keys.Public) string { return string(p.Category) + " " + string(p.HostName) }

// methods judges how sshd lets a user in.
func methods(all []string) (Hint, bool) {
	switch {
	case slices.Contains(all, "none"):
		return Hint{Code: OpenToAll}, true
	case !slices.Contains(all, "publickey"):
		return Hint{Code: KeysNotTaken, Subject: strings.Join(all, ", ")}, true
	}
	return Hint{}, false
}

func (t *Tester) peersRefused(accepted []bool, r *Result) {
	for i, ok := range accepted {
		if !ok {
			r.hint(Broken, Hint{Code: PeerKeyRefused, Subject: named(t.Peers[i])})
		}
	}
}

// refused draws from outside what can be drawn: which of the keys are taken tells apart what is wrong
// with the file, and what with one line of it.
func (t *Tester) refused(to Target, peers []bool, r *Result) {
	r.hint(Broken, Hint{Code: OwnKeyRefused, Subject: named(t.Me)})
	t.peersRefused(peers, r)
	if to.Product.VOS() {
		r.hint(Broken, Hint{Code: OnboardUpdate})
		return
	}
	if slices.Contains(peers, true) {
		r.hint(Broken, Hint{Code: PerhapsOwnLine})
		return
	}
	user := bare(to.User)
	r.hint(Broken, Hint{Code: BothRefused}, Hint{Code: PerhapsPlace, Subject: user},
		Hint{Code: PerhapsAdmin}, Hint{Code: PerhapsFileType}, Hint{Code: PerhapsLines},
		Hint{Code: PerhapsUser, Subject: to.User}, Hint{Code: PerhapsRights},
		Hint{Code: PerhapsRestart})
}

// bare is a user's name without a domain.
func bare(user string) string {
	if _, name, ok := strings.Cut(user, `\`); ok {
		return name
	}
	name, _, _ := strings.Cut(user, "@")
	return name
}

// file is an authorized_keys file that was looked at.
type file struct {
	name   string
	report authkeys.Report // of this node's key and the peers', in this order
	found  bool
}

// windows looks at what an administrator can put right: rights, and the files of the keys.
func (t *Tester) windows(ctx context.Context, c *remote.Client, to Target, peers []bool, r *Result) {
	folder, system := programData, systemConfig
	if t.ProgramData != "" {
		folder = t.ProgramData
	}
	if t.SystemConfig != "" {
		system = t.SystemConfig
	}
	if _, err := c.Names(ctx, system); errors.Is(err, remote.ErrDenied) {
		r.hint(Broken, Hint{Code: NoRights, Subject: to.User})
	}
	own, err := t.look(ctx, c, ".ssh/"+authkeys.FileName)
	if err != nil {
		r.hint(Remarks, Hint{Code: FilesUnseen, Subject: err.Error()})
		return
	}
	admin, err := t.look(ctx, c, folder+"/"+authkeys.AdminFileName)
	if err != nil && !errors.Is(err, remote.ErrDenied) { // only administrators may read it
		r.hint(Remarks, Hint{Code: FilesUnseen, Subject: err.Error()})
		return
	}
	admin.name = `C:\ProgramData\ssh\` + authkeys.AdminFileName
	own.name = `%Users%\` + bare(to.User) + `\.ssh\` + authkeys.FileName
	counts, other := own, admin
	if config, err := c.Look(ctx, folder+"/sshd_config", maxConfig); err == nil && admin.found &&
		adminBlock.Match(config) {
		counts, other = admin, own
	}
	if !counts.lets(0) && other.lets(0) { // this node's key was taken from there
		counts, other = other, counts
	}
	t.judge(counts, other, peers, r)
	if slices.Contains(peers, false) {
		t.fileNames(ctx, c, r)
	}
}

// adminBlock is what makes sshd read another file for administrators. A remark is none.
var adminBlock = regexp.MustCompile(`(?im)^[ \t]*Match[ \t]+Group[ \t]+administrators[ \t\r]*$`)

func (f file) lets(i int) bool { return f.found && f.report.Lets[i] }

func (t *Tester) look(ctx context.Context, c *remote.Client, name string) (file, error) {
	text, err := c.Look(ctx, name, authkeys.MaxBytes+1)
	switch {
	case errors.Is(err, remote.ErrNoFile):
		return file{report: authkeys.Report{Lets: make([]bool, 1+len(t.Peers))}}, nil
	case err != nil:
		return file{report: authkeys.Report{Lets: make([]bool, 1+len(t.Peers))}}, err
	}
	return file{report: authkeys.Check("", text, append([]keys.Public{t.Me}, t.Peers...)), found: true}, nil
}

// judge tells what is wrong with the file that counts, and where a refused key stands instead.
func (t *Tester) judge(counts, other file, peers []bool, r *Result) {
	if !counts.found && !other.found {
		r.hint(Remarks, Hint{Code: NoAuthorizedKeys})
		return
	}
	for i, accepted := range peers {
		who := named(t.Peers[i])
		switch {
		case accepted:
		case counts.lets(i + 1):
			r.hint(Broken, Hint{Code: NotRestarted, Subject: who, File: counts.name})
		case other.lets(i+1) && strings.Contains(counts.name, authkeys.AdminFileName):
			r.hint(Broken, Hint{Code: AdminFile, Subject: who, File: other.name})
		case other.lets(i + 1):
			r.hint(Broken, Hint{Code: OtherFile, Subject: who, File: other.name})
		}
	}
	for _, p := range counts.report.Problems {
		if p.Rule == authkeys.RuleMissing && !t.refusedOne(p.Subject, peers) {
			continue // it is taken from somewhere else
		}
		r.hint(Remarks, Hint{Code: Code(p.Rule), Subject: p.Subject, File: counts.name, Line: p.Line,
			Column: p.Column})
	}
}

func (t *Tester) refusedOne(who string, peers []bool) bool {
	for i, accepted := range peers {
		if !accepted && named(t.Peers[i]) == who {
			return true
		}
	}
	return false
}

// fileNames looks for a file beside the right one that sshd does not read.
func (t *Tester) fileNames(ctx context.Context, c *remote.Client, r *Result) {
	names, err := c.Names(ctx, ".ssh")
	if err != nil {
		return
	}
	for _, name := range names {
		if p, wrong := authkeys.FileNameProblem(name); wrong {
			r.hint(Remarks, Hint{Code: Code(p.Rule), Subject: p.Subject})
		}
	}
}

// powershell asks what every procedure asks first: the machine must be able to answer.
func powershell(ctx context.Context, link *remote.Link, to Target, r *Result) {
	var said *target.Obstacle
	_, err := windriver.New(link).Facts(ctx)
	switch {
	case errors.As(err, &said):
		r.hint(Broken, Hint{Code: PowerShell, Subject: said.Sentence("en")})
	case err != nil:
		r.hint(Broken, failure(err, to))
	}
}

// vos asks the agent of the machine whether it is there.
func (t *Tester) vos(ctx context.Context, c *remote.Client, to Target, r *Result) {
	var request bytes.Buffer
	err := vosapi.Write(&request, vosapi.Request{Protocol: vosapi.Protocol, Verb: vosapi.Ping})
	if err != nil {
		r.hint(Broken, Hint{Code: Failed, Subject: err.Error()})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pingDeadline)
	defer cancel()
	got, err := c.Run(ctx, vosapi.Command, &request)
	if err != nil {
		r.hint(Broken, failure(err, to))
		return
	}
	answer, err := vosapi.ReadAnswer(bytes.NewReader(got.Stdout))
	if err == nil {
		err = answer.Err()
	}
	switch {
	case err != nil:
		r.hint(Broken, Hint{Code: NoAnswer, Subject: vosapi.Plain(err.Error())})
	case answer.Ping == nil:
		r.hint(Broken, Hint{Code: NoAnswer, Subject: string(vosapi.Malformed)})
	case !strings.EqualFold(answer.Ping.Name, to.Host.Name) || answer.Ping.Product != to.Product:
		r.hint(Broken, Hint{Code: OtherMachine,
			Subject: vosapi.Plain(answer.Ping.Name + " (" + string(answer.Ping.Product) + ")")})
	}
}
