package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	control "connecthub/nodeclient/control/commands"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/localweb"
	"connecthub/nodeclient/proxy"
)

type setCommand struct {
	console.Common
	control.Set
	Proxy           setProxyCommand       `cmd:"" help:"Set, test or clear the HTTP proxy of this node."`
	Certificate     setCertificateCommand `cmd:"" help:"Replace the certificate of this node's page."`
	ApplicationUser setUserCommand        `cmd:"" help:"Change the application user of this node's page, or its password."`
}

type setProxyCommand struct {
	Address      string  `arg:"" optional:"" help:"http://HOST:PORT, without a user or a password."`
	User         *string `help:"User of the proxy; empty: none."`
	PasswordFile string  `help:"File with that user's password, one line; - for standard input. Default: a prompt." placeholder:"FILE"`
	NoProxy      *string `help:"What is reached directly: names, addresses and networks, with commas between them."`
	TrustCA      string  `name:"trust-ca" type:"existingfile" help:"File with the CA of a proxy that inspects TLS. Its owner can read what this node sends; what the hub orders stays signed by the hub." placeholder:"FILE"`
	DistrustCA   bool    `name:"distrust-ca" help:"Trust no inspecting proxy any more."`
	Test         bool    `help:"Test first, and store only what works. Alone: test what is set."`
	Clear        bool    `help:"Use no proxy; forget its user, its password and its CA."`
}

// Run stores a setting whole, or nothing. A running agent's next request follows it.
func (s setProxyCommand) Run(e *env) error {
	if _, err := enroll.LoadConfig(e.session.Dir); err != nil {
		return err
	}
	before, err := proxy.Load(e.session.Dir)
	if err != nil && s.Address == "" && !s.Clear {
		return err
	}
	after, err := s.change(e, before)
	if err != nil {
		return err
	}
	changes := s.changes()
	if s.Test {
		err := s.test(e, after)
		if err != nil && changes {
			return fmt.Errorf("%w; nothing was stored", err)
		}
		if err != nil || !changes {
			return err
		}
	}
	if err := ownFolder(e.session.Dir); err != nil {
		return err
	}
	if err := after.Save(e.session.Dir); err != nil {
		return err
	}
	if err := show(e, e.session.Dir, false); err != nil {
		return err
	}
	if before.User != "" && after.User == "" && s.User == nil && !s.Clear {
		_, err = fmt.Fprintln(e.out, "the user and the password of the former proxy are forgotten")
		if err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(e.out, "stored; a running agent uses it from its next request on")
	return err
}

func (s setProxyCommand) changes() bool {
	return s.Clear || s.Address != "" || s.User != nil || s.PasswordFile != "" ||
		s.NoProxy != nil || s.TrustCA != "" || s.DistrustCA
}

// change applies what was given to what was set. A password goes to no other proxy than the one it
// was given for.
func (s setProxyCommand) change(e *env, now proxy.Settings) (proxy.Settings, error) {
	others := s
	others.Clear = false
	switch {
	case s.Clear && others.changes():
		return now, errors.New("--clear goes alone")
	case s.Clear:
		return proxy.Settings{}, nil
	case s.TrustCA != "" && s.DistrustCA:
		return now, errors.New("give --trust-ca or --distrust-ca, not both")
	case !s.changes() && !s.Test:
		return now, errors.New("give the proxy's address, a change, --test or --clear")
	}
	if s.Address != "" {
		given, err := proxy.Settings{Address: s.Address}.Checked()
		if err != nil {
			return now, err
		}
		if given.Address != now.Address {
			now.User, now.Password = "", ""
		}
		now.Address = given.Address
	}
	if s.User != nil {
		now.User, now.Password = *s.User, ""
	}
	if now.User != "" && (s.User != nil || s.PasswordFile != "") {
		password, err := s.password(e)
		if err != nil {
			return now, err
		}
		now.Password = proxy.Password(password)
	} else if s.PasswordFile != "" {
		return now, errors.New("a password needs a user: --user NAME")
	}
	if s.NoProxy != nil {
		now.NoProxy = *s.NoProxy
	}
	if s.DistrustCA {
		now.TrustedCA = ""
	}
	if s.TrustCA != "" {
		text, err := readAtMost(s.TrustCA, 64<<10)
		if err != nil {
			return now, fmt.Errorf("cannot read the proxy's CA: %w", err)
		}
		now.TrustedCA = text
	}
	return now.Checked()
}

func (s setProxyCommand) password(e *env) (string, error) {
	return e.session.Secret("Password of the proxy", "password-file", s.PasswordFile)
}

func readAtMost(path string, limit int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit))
	return string(text), err
}

// ownFolder refuses to leave a file that the agent cannot read.
func ownFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cannot look at the node's folder: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("run this as the owner of %s (user id %d), as the agent does", dir, owner.Uid)
	}
	return nil
}

func (s setProxyCommand) test(e *env, settings proxy.Settings) error {
	target, err := enroll.ProbeTarget(e.session.Dir, e.now)
	if err != nil {
		return err
	}
	var unwritten error
	results := proxy.Follow(e.ctx, target, settings, func(r proxy.Result) {
		_, err := fmt.Fprintf(e.out, "%-8s %-20s %s\n", r.State, r.Name("en"), r.Sentence("en"))
		unwritten = errors.Join(unwritten, err)
	})
	if unwritten != nil {
		return unwritten
	}
	if !proxy.Passed(results) {
		return errors.New("the hub cannot be used this way")
	}
	return nil
}

type showCommand struct {
	console.Common
	control.Show
	Proxy showProxyCommand `cmd:"" help:"Show the HTTP proxy of this node."`
}

type showProxyCommand struct {
	JSON bool `help:"As JSON."`
}

// Run shows the setting; the password is asterisks.
func (s showProxyCommand) Run(e *env) error { return show(e, e.session.Dir, s.JSON) }

// shown is a setting as it is shown.
type shown struct {
	Address         string            `json:"address"`
	User            string            `json:"user"`
	Password        proxy.Password    `json:"password"`
	NoProxy         string            `json:"no_proxy"`
	TrustedCA       []proxy.Authority `json:"trusted_ca"`
	Hub             string            `json:"hub"`
	HubThroughProxy bool              `json:"hub_through_proxy"`
}

func show(e *env, dir string, asJSON bool) error {
	target, err := enroll.ProbeTarget(dir, e.now)
	if err != nil {
		return err
	}
	settings, err := proxy.Load(dir)
	if err != nil {
		return err
	}
	through, err := settings.Through(target.Hub)
	if err != nil {
		return err
	}
	v := shown{Address: settings.Address, User: settings.User, Password: settings.Password,
		NoProxy: settings.NoProxy, TrustedCA: settings.Authorities(), Hub: target.Hub,
		HubThroughProxy: through}
	if asJSON {
		if v.TrustedCA == nil {
			v.TrustedCA = []proxy.Authority{}
		}
		enc := json.NewEncoder(e.out)
		enc.SetIndent("", "  ")
		return enc.Encode(v) //nolint:gosec // the password is asterisks
	}
	return v.print(e.out)
}

func (v shown) print(out io.Writer) error {
	way, text := "directly", &strings.Builder{}
	if v.HubThroughProxy {
		way = "through the proxy"
	}
	line := func(name, value string) {
		if value == "" {
			value = "none"
		}
		_, _ = fmt.Fprintf(text, "%-12s %s\n", name, value)
	}
	line("proxy", v.Address)
	if v.Address != "" {
		line("user", v.User)
		line("password", v.Password.String())
		line("no proxy for", v.NoProxy)
	}
	for _, ca := range v.TrustedCA {
		line("trusted CA", fmt.Sprintf("%s\n%-12s SHA-256 %s, until %s", ca.Subject, "", ca.SHA256,
			ca.NotAfter.Format("2006-01-02")))
	}
	if len(v.TrustedCA) > 0 {
		line("", "whoever holds its key can read what this node sends and is answered; what the hub "+
			"orders stays signed by the hub")
	}
	line("hub", v.Hub+", "+way)
	_, err := io.WriteString(out, text.String())
	return err
}

// wayOut is the proxy's setting for the node's page.
func (n *node) wayOut() localweb.ProxyOptions {
	return localweb.ProxyOptions{
		Load: func() (proxy.Settings, error) { return proxy.Load(n.dir) },
		Save: func(s proxy.Settings) error { return s.Save(n.dir) },
		Probe: func(ctx context.Context, s proxy.Settings, tell func(proxy.Result)) []proxy.Result {
			return n.enrollment.Probe(ctx, s, tell)
		}}
}
