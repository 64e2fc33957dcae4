package app

import (
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/proxy"
)

type dirFlag struct {
	Dir string `default:"${dir}" type:"path" help:"The node's data folder." placeholder:"DIR"`
}

type setupCommand struct {
	dirFlag
	Hub             string            `required:"" help:"The hub's address for nodes, https://HOST[:PORT]."`
	HubCA           string            `name:"hub-ca" type:"existingfile" help:"File with the CA of the hub's certificate." placeholder:"FILE"`
	HubPin          string            `help:"SHA-256 of a public key in the hub's chain, sha256:HEX."`
	Environment     string            `help:"Take registration links of this environment of the hub only. Default: the hub judges." placeholder:"NAME"`
	FQDN            string            `name:"fqdn" required:"" help:"This node's fully qualified domain name."`
	Listen          string            `default:":8445" help:"Address of this node's own page."`
	AppUser         string            `default:"administrator" help:"Application user of this node's page."`
	AppPasswordFile string            `required:"" type:"existingfile" help:"File with that user's password, one line." placeholder:"FILE"`
	Dial            map[string]string `help:"Where a name is reached, if not by DNS: NAME=HOST:PORT." placeholder:"NAME=ADDRESS"`
	Port            map[string]int    `help:"Port for a name in bundles: NAME=PORT." placeholder:"NAME=PORT"`
	Config          map[string]string `help:"Value for a name in bundles: NAME=VALUE." placeholder:"NAME=VALUE"`
	Proxy           string            `help:"HTTP proxy, http://HOST:PORT; for a user, exceptions or an inspecting one: nodeclient set proxy."`
}

// Run writes the node's settings whole, or nothing.
func (s setupCommand) Run(e *env) error {
	fqdn, err := models.ParseFQDN(s.FQDN)
	if err != nil {
		return sentence(err)
	}
	if err := supervise.CheckDir(s.Dir); err != nil {
		return err
	}
	if s.HubCA == "" && s.HubPin == "" {
		return errors.New("give the hub's CA (--hub-ca) or a pin (--hub-pin): the first certificate " +
			"that comes is never trusted")
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "config.json")); err == nil {
		return fmt.Errorf("%s is set up already", s.Dir)
	}
	password, err := readLine(s.AppPasswordFile)
	if err != nil {
		return err
	}
	hash, err := enroll.HashPassword(password)
	if err != nil {
		return err
	}
	way, err := proxy.Settings{Address: s.Proxy}.Checked()
	if err != nil {
		return err
	}
	c := enroll.Config{Hub: strings.TrimSuffix(s.Hub, "/"), HubPin: s.HubPin, Environment: s.Environment,
		FQDN:       fqdn,
		PageListen: s.Listen, Dial: s.Dial, AppUser: s.AppUser, AppPasswordHash: hash}
	if err := c.Validate(); err != nil {
		return err
	}
	if err := enroll.MakeDir(s.Dir); err != nil {
		return err
	}
	if s.HubCA != "" {
		if err := copyCA(s.HubCA, filepath.Join(s.Dir, "hub-ca.pem")); err != nil {
			return err
		}
	}
	if _, err := enroll.PageCertificate(s.Dir, fqdn, e.now()); err != nil {
		return err
	}
	if err := s.write(fqdn, way); err != nil {
		return err
	}
	if err := c.Save(s.Dir); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "%s is set up; next: nodeclient cluster init, or cluster join\n", fqdn)
	return err
}

// write makes what is beside the settings of the registration.
func (s setupCommand) write(fqdn models.FQDN, way proxy.Settings) error {
	if s.Proxy != "" {
		if err := way.Save(s.Dir); err != nil {
			return err
		}
	}
	data := filepath.Join(s.Dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("cannot make the services' folder: %w", err)
	}
	return host.SaveValues(s.Dir, bundle.Values{FQDN: string(fqdn), DataDir: data, Ports: s.Port,
		Config: s.Config})
}

func copyCA(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("cannot read the hub's CA: %w", err)
	}
	if block, _ := pem.Decode(text); block == nil || block.Type != "CERTIFICATE" {
		return fmt.Errorf("%s holds no certificate", from)
	}
	return atomicfile.Write(to, text, 0o600)
}

func readLine(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimRight(line, "\r"), nil
}

// sentence gives a person the sentence of a refusal, not its code.
func sentence(err error) error {
	var r *models.Refusal
	if errors.As(err, &r) {
		return errors.New(r.Sentence("en"))
	}
	return err
}

type clusterCommand struct {
	Init    clusterInit    `cmd:"" help:"Make this node the publisher of a new cluster."`
	Join    clusterJoin    `cmd:"" help:"Make this node a subscriber."`
	Secret  clusterSecret  `cmd:"" help:"Make a new secret file on the publisher; the one before ends."`
	Members clusterMembers `cmd:"" help:"List the members that the publisher knows."`
	Remove  clusterRemove  `cmd:"" help:"Make the publisher forget a member."`
}

type clusterInit struct {
	dirFlag
	PeerListen string `default:":8446" help:"Address of the mutual TLS between the nodes."`
	SecretFile string `required:"" type:"path" help:"Where to write the secret file for subscribers; valid 24 hours."`
}

// Run makes the cluster's CA and the secret file.
func (c clusterInit) Run(e *env) error {
	if err := enroll.InitCluster(c.Dir, c.PeerListen, c.SecretFile, e.now()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.out, "this node is the publisher; hand %s to the subscribers\n", c.SecretFile)
	return err
}

type clusterJoin struct {
	dirFlag
	Publisher  string            `required:"" help:"The publisher's FQDN."`
	SecretFile string            `required:"" type:"existingfile" help:"The publisher's secret file."`
	Dial       map[string]string `help:"Where the publisher is reached, if not by DNS on port 8446: NAME=HOST:PORT."`
	PeerListen string            `default:":8446" help:"Address of the mutual TLS between the nodes."`
}

// Run gets this node's certificate from the publisher.
func (c clusterJoin) Run(e *env) error {
	err := enroll.JoinCluster(e.ctx, c.Dir, c.PeerListen, c.Publisher, c.Dial[c.Publisher],
		c.SecretFile, e.now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "this node is a subscriber of %s\n", c.Publisher)
	return err
}

type clusterSecret struct {
	dirFlag
	SecretFile string `required:"" type:"path" help:"Where to write it."`
}

// Run replaces the secret.
func (c clusterSecret) Run(e *env) error { return enroll.NewSecret(c.Dir, c.SecretFile, e.now()) }

type clusterMembers struct{ dirFlag }

// Run lists the members.
func (c clusterMembers) Run(e *env) error {
	names, err := enroll.Members(c.Dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if _, err := fmt.Fprintln(e.out, n); err != nil {
			return err
		}
	}
	return nil
}

type clusterRemove struct {
	dirFlag
	Name    string `arg:"" help:"The member's FQDN."`
	Confirm string `required:"" help:"The member's FQDN, typed again."`
}

// Run forgets the member, and says what it cannot undo: its key on the machines. It refuses until its
// name is typed again.
func (c clusterRemove) Run(e *env) error {
	if c.Confirm != c.Name {
		return fmt.Errorf("type the member's name again: --confirm %s", c.Name)
	}
	peers, err := keys.Peers(c.Dir)
	if err != nil {
		return err
	}
	if err := enroll.RemoveMember(c.Dir, models.FQDN(c.Name)); err != nil {
		return err
	}
	if err := keys.ForgetPeer(c.Dir, models.FQDN(c.Name)); err != nil {
		return err
	}
	at := slices.IndexFunc(peers, func(p keys.Public) bool { return string(p.HostName) == c.Name })
	if at < 0 {
		return nil
	}
	_, err = fmt.Fprintf(e.out, removedMember, c.Name, peers[at].PublicKey)
	return err
}

const removedMember = `%s is no member any more. Its key still opens every machine that it orchestrated:
  VOS: run utils system onboard update on the publisher of each cluster
  Windows: delete this line from authorized_keys and administrators_authorized_keys of each machine
%s
`
