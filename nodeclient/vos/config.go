// Package vos is a VOS machine as its control nodes see it: who it is, what is installed on its active
// and inactive side, the operations that change that, and what answers at the other end of an SSH forced
// command. It knows no hub and no inventory.
package vos

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"connecthub/models/inventory"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/supervise"
)

const (
	configFile     = "vos.json"
	stateFile      = "vos-state.json"
	joinFile       = "vos-join.json"
	incomingDir    = "incoming"
	operationsDir  = "operations"
	maxConfig      = 64 << 10
	maxArguments   = 32
	maxPathLength  = 1024
	maxNameLength  = 64
	bootIDLimit    = 128
	hostKeyPattern = "/etc/ssh/ssh_host_*_key.pub"
)

// ErrNotSetUp says that a folder is no VOS machine's.
var ErrNotSetUp = errors.New("this folder is not set up for a VOS machine; run \"nodeclient vos setup\" first")

// ErrMember is matched by what a subscriber refuses because it is the publisher's to do.
var ErrMember = errors.New("run this on the publisher of this machine's cluster")

// Config is what setup was told, validated whole.
type Config struct {
	Name           string             `json:"name"` // FQDN, or an address where there is no DNS
	Product        inventory.Product  `json:"product"`
	Type           inventory.NodeType `json:"type"`
	Cluster        string             `json:"cluster"`   // as people call it
	ClusterID      string             `json:"clusterId"` // made with the publisher
	Publisher      string             `json:"publisher"` // of the cluster; its own name on the publisher
	User           string             `json:"user"`      // whom control nodes sign in as
	AuthorizedKeys string             `json:"authorizedKeys"`
	HostKeys       []string           `json:"hostKeys"` // public key files of the SSH server
	Program        string             `json:"program"`  // of the forced command
	RestartCommand []string           `json:"restartCommand"`
	BootIDFile     string             `json:"bootIdFile,omitempty"` // empty: the kernel's
	KeepFree       int64              `json:"keepFree"`             // bytes of the disk that stay free
	Dial           map[string]string  `json:"dial,omitempty"`       // name → host:port, if not by DNS
}

var (
	clusterPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	userPattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`)
	packagePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.cop\.sgn$`)
	idPattern      = regexp.MustCompile(`^[A-Z2-7]{26}$`)
)

// Validate names everything that is wrong at once.
func (c Config) Validate() error {
	var wrong []error
	refuse := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, errors.New(what))
		}
	}
	refuse(inventory.ValidHost(c.Name), "the machine's name is its FQDN, or an address")
	refuse(c.Product.VOS(), fmt.Sprintf("the product is one of %v", inventory.VOSProducts()))
	refuse(c.Type == inventory.Publisher || c.Type == inventory.Subscriber,
		"the node type is publisher or subscriber")
	refuse(c.Product != inventory.VVB || c.Type == inventory.Publisher,
		"every VVB is the publisher of a cluster of its own")
	refuse(clusterPattern.MatchString(c.Cluster), "the cluster's name has 1 to 64 letters, digits, dots and dashes")
	refuse(idPattern.MatchString(c.ClusterID), "the cluster has no id")
	refuse(inventory.ValidHost(c.Publisher), "the publisher has no name")
	refuse(userPattern.MatchString(c.User), "name the user whom control nodes sign in as")
	refuse(cleanPath(c.AuthorizedKeys), "the path of authorized_keys is absolute and plain")
	refuse(cleanPath(c.Program), "the path of the program is absolute and plain")
	refuse(len(c.HostKeys) > 0, "no public host key of the SSH server was found; give --host-key")
	for _, f := range append(slices.Clone(c.HostKeys), c.bootFile()) {
		refuse(cleanPath(f), "a path is absolute and plain")
	}
	refuse(len(c.RestartCommand) > 0 && len(c.RestartCommand) <= maxArguments &&
		cleanPath(c.RestartCommand[0]), "the restart command begins with the path of a program")
	refuse(c.KeepFree >= 0, "what stays free on the disk is not negative")
	return errors.Join(wrong...)
}

func (c Config) bootFile() string {
	if c.BootIDFile == "" {
		return "/proc/sys/kernel/random/boot_id"
	}
	return c.BootIDFile
}

// cleanPath holds nothing that a shell or a line of authorized_keys would read as more than a path.
func cleanPath(p string) bool {
	return filepath.IsAbs(p) && filepath.Clean(p) == p && len(p) <= maxPathLength &&
		!strings.ContainsFunc(p, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+@,", r)
		})
}

// LoadConfig reads the settings of a machine's folder.
func LoadConfig(dir string) (Config, error) {
	var c Config
	err := atomicfile.ReadJSON(filepath.Join(dir, configFile), maxConfig, &c)
	if errors.Is(err, os.ErrNotExist) {
		return c, ErrNotSetUp
	}
	if err != nil {
		return c, err
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("cannot use the machine's settings: %w", err)
	}
	return c, nil
}

// Join is what a subscriber is told of its cluster: a file that an administrator carries over. It holds
// no secret.
type Join struct {
	Cluster   string            `json:"cluster"`
	ClusterID string            `json:"clusterId"`
	Product   inventory.Product `json:"product"`
	Publisher string            `json:"publisher"`
	PublicKey string            `json:"publicKey"` // of the publisher, for the forced command
}

// Setup makes a machine's folder, whole or not at all: set-up again is refused. A subscriber needs the
// publisher's join file. It answers the settings as they were completed.
func Setup(dir string, c Config, join *Join, values bundle.Values) (Config, error) {
	if _, err := os.Stat(filepath.Join(dir, configFile)); err == nil {
		return c, fmt.Errorf("%s is set up already", dir)
	}
	if err := supervise.CheckDir(dir); err != nil {
		return c, err
	}
	if err := c.complete(join); err != nil {
		return c, err
	}
	if err := c.Validate(); err != nil {
		return c, err
	}
	if !cleanPath(dir) {
		return c, errors.New("the path of the machine's folder is absolute and plain: it stands in authorized_keys")
	}
	if _, err := hostKeys(c.HostKeys); err != nil {
		return c, err
	}
	if err := makeFolders(dir); err != nil {
		return c, err
	}
	values.FQDN, values.DataDir = c.Name, filepath.Join(dir, "data")
	if err := host.SaveValues(dir, values); err != nil {
		return c, err
	}
	if c.Type == inventory.Publisher {
		if err := makeClusterKey(dir, c); err != nil {
			return c, err
		}
	} else if err := c.admitPublisher(dir, join.PublicKey); err != nil {
		return c, err
	}
	return c, atomicfile.WriteJSON(filepath.Join(dir, configFile), c)
}

// complete fills in what has a default.
func (c *Config) complete(join *Join) error {
	c.Name = strings.ToLower(c.Name)
	switch {
	case (c.Type == inventory.Subscriber) != (join != nil):
		return errors.New("a subscriber, and nobody else, is given its publisher's join file")
	case join != nil:
		c.Cluster, c.ClusterID, c.Publisher = join.Cluster, join.ClusterID, join.Publisher
		if c.Product != join.Product {
			return fmt.Errorf("the join file is of a cluster of %s", join.Product)
		}
		if c.Name == join.Publisher {
			return errors.New("a machine cannot be its own subscriber")
		}
	default:
		c.ClusterID, c.Publisher = rand.Text(), c.Name
	}
	me, err := user.Current()
	if err != nil {
		return fmt.Errorf("cannot find this user: %w", err)
	}
	if c.User == "" {
		c.User = me.Username
	}
	if c.AuthorizedKeys == "" {
		c.AuthorizedKeys = filepath.Join(me.HomeDir, ".ssh", "authorized_keys")
	}
	if len(c.HostKeys) == 0 {
		c.HostKeys, _ = filepath.Glob(hostKeyPattern) // the pattern is well formed
	}
	return nil
}

func makeFolders(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the machine's folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cannot look at the machine's folder: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s may be read by others; make it 0700", dir)
	}
	for _, sub := range []string{incomingDir, operationsDir, "data", "logs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("cannot make the machine's folder: %w", err)
		}
	}
	return nil
}
