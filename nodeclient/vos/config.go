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
	"strings"
	"unicode"

	"connecthub/models/inventory"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/vos/words"
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
var ErrNotSetUp error = words.Refuse("not_set_up",
	"this folder is not set up for a VOS machine; run \"nodeclient vos setup\" first",
	"このフォルダは VOS マシン用に設定されていません。先に「nodeclient vos setup」を実行してください")

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
	var wrong words.All
	refuse := func(ok bool, r *words.Refusal) {
		if !ok {
			wrong = append(wrong, r)
		}
	}
	refuse(inventory.ValidHost(c.Name), words.Refuse("bad_setting", "the machine's name is its FQDN, or an address",
		"マシンの名前には FQDN またはアドレスを指定してください"))
	refuse(c.Product.VOS(), words.Refuse("bad_setting", "the product is one of %v",
		"製品は次のいずれかです: %v", inventory.VOSProducts()))
	refuse(c.Type == inventory.Publisher || c.Type == inventory.Subscriber, words.Refuse("bad_setting",
		"the node type is publisher or subscriber", "ノードタイプは publisher または subscriber です"))
	refuse(c.Product != inventory.VVB || c.Type == inventory.Publisher, words.Refuse("bad_setting",
		"every VVB is the publisher of a cluster of its own", "VVB は 1 台ごとに独立したクラスタのパブリッシャです"))
	refuse(clusterPattern.MatchString(c.Cluster), words.Refuse("bad_setting",
		"the cluster's name has 1 to 64 letters, digits, dots and dashes",
		"クラスタ名は 1~64 文字の英数字、ドット、ハイフンで指定してください"))
	refuse(idPattern.MatchString(c.ClusterID), words.Refuse("bad_setting", "the cluster has no id",
		"クラスタの ID がありません"))
	refuse(inventory.ValidHost(c.Publisher), words.Refuse("bad_setting", "the publisher has no name",
		"パブリッシャの名前がありません"))
	refuse(userPattern.MatchString(c.User), words.Refuse("bad_setting",
		"name the user whom control nodes sign in as", "コントロールノードがサインインするユーザを指定してください"))
	c.paths(refuse)
	refuse(len(c.HostKeys) > 0, words.Refuse("bad_setting",
		"no public host key of the SSH server was found; give --host-key",
		"SSH サーバの公開ホスト鍵が見つかりません。--host-key を指定してください"))
	refuse(c.KeepFree >= 0, words.Refuse("bad_setting", "what stays free on the disk is not negative",
		"ディスクの予備容量に負の値は指定できません"))
	return wrong.Err()
}

// paths are those that come to stand in authorized_keys, or are run.
func (c Config) paths(refuse func(bool, *words.Refusal)) {
	plain := func(what, path string) {
		refuse(cleanPath(path), words.Refuse("bad_path", "the path of %s is absolute and plain",
			"%s には、特殊な文字を含まない絶対パスを指定してください", what))
	}
	plain("authorized_keys", c.AuthorizedKeys)
	plain("--program", c.Program)
	plain("--boot-id-file", c.bootFile())
	for _, f := range c.HostKeys {
		plain("--host-key", f)
	}
	refuse(len(c.RestartCommand) > 0 && len(c.RestartCommand) <= maxArguments && cleanPath(c.RestartCommand[0]),
		words.Refuse("bad_path", "the restart command begins with the path of a program",
			"再起動コマンドはプログラムのパスで始めてください"))
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
		return c, words.Refuse("set_up_already", "%s is set up already",
			"%s はすでに設定されています", dir)
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
		return c, words.Refuse("bad_path", "the path of %s is absolute and plain",
			"%s には、特殊な文字を含まない絶対パスを指定してください", "--dir")
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
		return words.Refuse("join_file", "a subscriber, and nobody else, is given its publisher's join file",
			"パブリッシャの join ファイルは、サブスクライバにだけ指定してください")
	case join != nil:
		c.Cluster, c.ClusterID, c.Publisher = join.Cluster, join.ClusterID, join.Publisher
		if c.Product != join.Product {
			return words.Refuse("join_file", "the join file is of a cluster of %s",
				"join ファイルは %s のクラスタのものです", join.Product)
		}
		if c.Name == join.Publisher {
			return words.Refuse("join_file", "a machine cannot be its own subscriber",
				"マシン自身のサブスクライバにはできません")
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
		return words.Refuse("open_folder", "%s may be read by others; make it 0700",
			"%s はほかのユーザが読み取れます。0700 にしてください", dir)
	}
	for _, sub := range []string{incomingDir, operationsDir, "data", "logs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("cannot make the machine's folder: %w", err)
		}
	}
	return nil
}
