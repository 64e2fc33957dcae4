package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/vos"
)

// Vos is "vos …": what a VOS machine that is orchestrated is told by its own administrator.
type Vos struct {
	Setup      vosSetup      `cmd:"" help:"Make this machine one that control nodes can orchestrate."`
	Install    vosInstall    `cmd:"" help:"Install the first version from a bundle."`
	Show       vosShow       `cmd:"" help:"Show versions, patches, packages and services of this machine."`
	Operations vosOperations `cmd:"" help:"List what control nodes did on this machine."`
	Package    vosPackage    `cmd:"" help:"Packages that were installed by hand."`
	Cert       vosCert       `cmd:"" help:"The trust store: the certificates by which control nodes are known."`
	Cluster    vosCluster    `cmd:"" help:"The machines of this machine's cluster."`
}

// openVos opens the machine of the session's folder, for its owner only.
func openVos(s *console.Session) (*vos.Machine, error) {
	m, err := vos.Open(s.Dir, s.Version, s.Now, s.Log)
	if err != nil {
		return nil, err
	}
	return m, s.Owner()
}

type vosSetup struct {
	Product        string            `required:"" help:"CUIC, CUIC_LiveData_IdS, Finesse, IdS, LiveData or VVB."`
	FQDN           string            `name:"fqdn" required:"" help:"This machine's fully qualified domain name; an address where there is no DNS."`
	NodeType       string            `enum:"publisher,subscriber" default:"publisher" help:"publisher or subscriber of its cluster."`
	Cluster        string            `help:"Name of the cluster; on a publisher." placeholder:"NAME"`
	Join           string            `type:"existingfile" help:"The publisher's join file; on a subscriber." placeholder:"FILE"`
	User           string            `help:"User whom control nodes sign in as. Default: this one."`
	AuthorizedKeys string            `type:"path" help:"That user's authorized_keys. Default: in the home folder." placeholder:"FILE"`
	HostKey        []string          `type:"existingfile" help:"Public host key of the SSH server. Default: those in /etc/ssh." placeholder:"FILE"`
	Program        string            `type:"path" help:"This program, as the forced command calls it." placeholder:"FILE"`
	RestartCommand string            `default:"/sbin/shutdown -r now" help:"What restarts this machine."`
	BootIDFile     string            `name:"boot-id-file" type:"path" hidden:"" help:"What changes with every boot."`
	KeepFree       string            `default:"1GiB" help:"How much of the disk files from control nodes leave free."`
	Dial           map[string]string `help:"Where a control node is reached, if not by DNS on port 8445: NAME=HOST:PORT." placeholder:"NAME=ADDRESS"`
	Port           map[string]int    `help:"Port for a name in bundles: NAME=PORT." placeholder:"NAME=PORT"`
	Config         map[string]string `help:"Value for a name in bundles: NAME=VALUE." placeholder:"NAME=VALUE"`
}

// Run makes the machine's folder whole, or not at all. It needs no hub.
func (v vosSetup) Run(s *console.Session) error {
	c := vos.Config{Name: v.FQDN, Product: inventory.Product(v.Product), Type: inventory.Publisher,
		Cluster: v.Cluster, User: v.User, AuthorizedKeys: v.AuthorizedKeys, HostKeys: v.HostKey,
		Program: v.Program, RestartCommand: strings.Fields(v.RestartCommand), BootIDFile: v.BootIDFile, Dial: v.Dial}
	var err error
	if c.KeepFree, err = bytesOf(v.KeepFree); err != nil {
		return err
	}
	if c.Program == "" {
		if c.Program, err = s.Self(); err != nil {
			return fmt.Errorf("cannot find this program: %w", err)
		}
	}
	var join *vos.Join
	if v.NodeType == "subscriber" {
		c.Type = inventory.Subscriber
		if v.Join == "" {
			return console.Refuse("flag_needed", "a subscriber is given its publisher's join file: --join FILE",
				"サブスクライバにはパブリッシャの join ファイルを指定してください: --join FILE")
		}
		j, err := vos.ReadJoin(v.Join)
		if err != nil {
			return err
		}
		join = &j
	}
	c, err = vos.Setup(s.Dir, c, join, bundle.Values{Ports: v.Port, Config: v.Config})
	if err != nil {
		return err
	}
	return v.next(s, c)
}

// next says what has to be done on the other machine.
func (v vosSetup) next(s *console.Session, c vos.Config) error {
	s.Say("%s is set up as %s of %s, cluster %s", c.Name, strings.ToLower(string(c.Type)), c.Product, c.Cluster)
	if c.Type == inventory.Publisher {
		s.Say("next: import the control nodes' certificates with nodeclient vos cert import, then run " +
			"nodeclient utils system onboard initiate")
		return nil
	}
	fingerprint, err := c.Fingerprint()
	if err != nil {
		return err
	}
	s.Say("next, on %s:\n    nodeclient vos cluster add %s --user %s --host-key %s", c.Publisher, c.Name,
		c.User, fingerprint)
	return nil
}

// bytesOf reads an amount such as 512MiB.
func bytesOf(text string) (int64, error) {
	for unit, size := range map[string]int64{"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			var n int64
			if _, err := fmt.Sscanf(number+"\n", "%d\n", &n); err == nil && n >= 0 && n < 1<<32 {
				return n * size, nil
			}
		}
	}
	return 0, console.Refuse("bad_amount", "give an amount as 512MiB or 2GiB",
		"容量は 512MiB や 2GiB のように指定してください")
}

type vosInstall struct {
	Bundle string `arg:"" type:"existingfile" help:"The bundle."`
}

// Run installs a first version and starts it. Later ones come from a control node.
func (v vosInstall) Run(s *console.Session) error {
	m, err := openVos(s)
	if err != nil {
		return err
	}
	path, err := filepath.Abs(v.Bundle)
	if err != nil {
		return fmt.Errorf("cannot find the bundle: %w", err)
	}
	side, err := m.InstallFirst(s.Ctx, path)
	if err != nil {
		return err
	}
	s.Say("%s %s is installed and serves", m.Product, side.Level())
	return nil
}

type vosShow struct {
	JSON bool `help:"As JSON."`
}

// Run shows what a control node sees.
func (v vosShow) Run(s *console.Session) error {
	m, err := openVos(s)
	if err != nil {
		return err
	}
	f, err := m.Facts(s.Ctx)
	if err != nil {
		return err
	}
	if v.JSON {
		return s.JSON(f)
	}
	s.Say("%-16s%s (%s of %s, cluster %s)", "machine", f.Name, strings.ToLower(string(f.Type)), f.Product, f.Cluster)
	s.Say("%-16s%s", "active", shownSide(&f.Active))
	s.Say("%-16s%s", "inactive", shownSide(f.Inactive))
	s.Say("%-16s%s", "packages", textOrNone(strings.Join(f.Packages, ", ")))
	services := "serve"
	if !f.Healthy {
		services = f.HealthDetail
	}
	s.Say("%-16s%s", "services", services)
	if f.Maintenance {
		s.Say("%-16sthe machine is in maintenance mode", "")
	}
	if f.RestartNeeded {
		s.Say("%-16sthe machine must be restarted before the next upgrade or rollback", "")
	}
	if f.Running != "" {
		s.Say("%-16s%s", "running", f.Running)
	}
	return nil
}

func shownSide(side *vosapi.Side) string {
	if side == nil || side.Version.IsZero() {
		return "none"
	}
	if len(side.Patches) == 0 {
		return side.Version.String()
	}
	var patches []string
	for _, p := range side.Patches {
		patches = append(patches, fmt.Sprintf("ES%d", p.ES))
	}
	return fmt.Sprintf("%s with %s", side.Version, strings.Join(patches, ", "))
}

func textOrNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

type vosOperations struct {
	JSON bool `help:"As JSON."`
}

// Run lists the latest operations first.
func (v vosOperations) Run(s *console.Session) error {
	m, err := openVos(s)
	if err != nil {
		return err
	}
	all, err := m.Operations(s.Ctx)
	if err != nil {
		return err
	}
	if v.JSON {
		return s.JSON(all)
	}
	if len(all) == 0 {
		s.Say("No control node has done anything on this machine yet.")
	}
	for _, o := range all {
		line := fmt.Sprintf("%s  %-14s %-9s %s → %s", o.Started.Format("2006-01-02 15:04:05Z"), o.Work.Kind,
			o.State, textOrNone(o.From.String()), textOrNone(o.To.String()))
		if err := o.Err(); err != nil {
			line += "  " + console.Sentence(err, s.Lang)
		}
		s.Say("%s", line)
	}
	return nil
}

type vosPackage struct {
	Record vosPackageRecord `cmd:"" help:"Note a package that is installed, such as ucos.keymanagement.cop.sgn."`
	Forget vosPackageForget `cmd:"" help:"Take a note away."`
}

type vosPackageRecord struct {
	File string `arg:"" help:"The package's file name."`
}

// Run notes it.
func (v vosPackageRecord) Run(s *console.Session) error {
	m, err := openVos(s)
	if err != nil {
		return err
	}
	if err := m.RecordPackage(v.File); err != nil {
		return err
	}
	s.Say("%s is recorded", v.File)
	return nil
}

type vosPackageForget struct {
	File string `arg:"" help:"The package's file name."`
}

// Run takes the note away.
func (v vosPackageForget) Run(s *console.Session) error {
	m, err := openVos(s)
	if err != nil {
		return err
	}
	return m.ForgetPackage(v.File)
}

type vosCluster struct {
	JoinFile vosJoinFile      `cmd:"" help:"Copy the file that a subscriber's set-up is given; on the publisher."`
	Add      vosClusterAdd    `cmd:"" help:"Make a subscriber known; on the publisher."`
	Remove   vosClusterRemove `cmd:"" help:"Forget a subscriber; on the publisher."`
	List     vosClusterList   `cmd:"" help:"List the subscribers; on the publisher."`
}

type vosJoinFile struct {
	To string `arg:"" type:"path" help:"Where to write it."`
}

// Run copies the file; it holds no secret.
func (v vosJoinFile) Run(s *console.Session) error {
	m, err := openVos(s)
	if err != nil {
		return err
	}
	from, err := m.JoinFile()
	if err != nil {
		return err
	}
	text, err := readAtMost(from, 64<<10)
	if err != nil {
		return fmt.Errorf("cannot read the join file: %w", err)
	}
	if err := os.WriteFile(v.To, text, 0o600); err != nil {
		return fmt.Errorf("cannot write the join file: %w", err)
	}
	s.Say("carry %s to the subscriber and give it to its set-up: --node-type subscriber --join FILE", v.To)
	return nil
}

type vosClusterAdd struct {
	Name    string `arg:"" help:"The subscriber's name."`
	HostKey string `required:"" help:"Fingerprint of its SSH server's key, as its set-up has shown." placeholder:"SHA256:…"`
	User    string `required:"" help:"Its user for control nodes."`
	Address string `help:"HOST:PORT of its SSH server, if not its name and port 22." placeholder:"ADDRESS"`
}

// Run connects once, and keeps what was proven.
func (v vosClusterAdd) Run(s *console.Session) error {
	m, err := openVos(s)
	if err != nil {
		return err
	}
	if v.Address == "" {
		v.Address = v.Name
	}
	address, err := remote.Address(v.Address)
	if err != nil {
		return err
	}
	err = m.AddMember(s.Ctx, vos.Member{Name: v.Name, Address: address, User: v.User}, v.HostKey)
	if err != nil {
		return err
	}
	s.Say("%s is a subscriber of this cluster", v.Name)
	s.Say("if the cluster is onboarded already, run nodeclient utils system onboard update")
	return nil
}

type vosClusterRemove struct {
	Name string `arg:"" help:"The subscriber's name."`
	Away bool   `help:"Forget it although it cannot be reached; it keeps the control nodes' keys."`
}

// Run takes the control nodes' keys away there, and forgets it.
func (v vosClusterRemove) Run(s *console.Session) error {
	m, err := openVos(s)
	if err != nil {
		return err
	}
	if err := m.RemoveMember(s.Ctx, v.Name, v.Away); err != nil {
		return err
	}
	s.Say("%s is no subscriber of this cluster any more", v.Name)
	s.Say("if the cluster is onboarded, run nodeclient utils system onboard update")
	return nil
}

type vosClusterList struct{}

// Run lists them.
func (vosClusterList) Run(s *console.Session) error {
	m, err := openVos(s)
	if err != nil {
		return err
	}
	all, err := m.Members()
	if err != nil {
		return err
	}
	for _, one := range all {
		s.Say("%s (%s at %s)", one.Name, one.User, one.Address)
	}
	return nil
}
