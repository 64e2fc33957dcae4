package vos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/vosapi"
)

// Peer is who speaks through a forced command: it is part of the command, so that a key cannot say it
// is somebody else's.
type Peer string

// The peers.
const (
	Control Peer = "control" // a control node
	Cluster Peer = "cluster" // the publisher of the machine's own cluster
)

const (
	maxKeysFile = 1 << 20
	maxKeyLine  = 4 << 10
	mark        = "connecthub-"
)

// preferred is the order of host keys, the best first: what a control node pins is the first.
func preferred() []string {
	return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384,
		ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA}
}

// hostKeys reads the public halves of the SSH server's keys.
func hostKeys(files []string) ([]string, error) {
	byType := map[string]string{}
	for _, name := range files {
		line, err := readAtMost(name, maxKeyLine)
		if err != nil {
			return nil, fmt.Errorf("cannot read the SSH server's public key: %w", err)
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil {
			return nil, fmt.Errorf("cannot read the SSH server's public key %s: %w", name, err)
		}
		byType[key.Type()] = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	}
	var all []string
	for _, kind := range preferred() {
		if line, ok := byType[kind]; ok {
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the SSH server has no key of a kind that is used")
	}
	return all, nil
}

// Fingerprint is of the key that the machine's SSH server shows.
func (c Config) Fingerprint() (string, error) {
	all, err := hostKeys(c.HostKeys)
	if err != nil {
		return "", err
	}
	key, err := parseKey(all[0])
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(key), nil
}

func readAtMost(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return text, err
}

// forced is one line of authorized_keys: a key that can do nothing but speak to this program.
func (c Config) forced(dir string, peer Peer, name string, key ssh.PublicKey) string {
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return fmt.Sprintf(`restrict,command="%s vos serve --dir %s --peer %s --name %s" %s %s`, c.Program, dir,
		peer, name, public, c.mark(peer, name))
}

// mark ends the lines that are this machine's own business; every other line stays as it is.
func (c Config) mark(peer Peer, name string) string {
	return mark + string(peer) + ":" + c.ClusterID + ":" + name
}

// PutKeys replaces the control nodes' lines in authorized_keys, all of them; no keys take them away.
func (m *Machine) PutKeys(keys []vosapi.Key) error {
	var lines []string
	for _, k := range keys {
		line, err := m.controlLine(k)
		if err != nil {
			return &vosapi.Refusal{Code: vosapi.KeysNotWritten, Detail: vosapi.Plain(err.Error())}
		}
		if slices.Contains(lines, line) {
			continue
		}
		lines = append(lines, line)
	}
	if err := m.rewrite(m.dir, Control, lines); err != nil {
		return &vosapi.Refusal{Code: vosapi.KeysNotWritten, Detail: vosapi.Plain(err.Error())}
	}
	return nil
}

func (m *Machine) controlLine(k vosapi.Key) (string, error) {
	if k.Category != "PUBLISHER" && k.Category != "SUBSCRIBER" || !cleanName(k.HostName) {
		return "", errors.New("a control node's key names PUBLISHER or SUBSCRIBER and a host")
	}
	key, err := parseKey(k.PublicKey)
	if err != nil {
		return "", err
	}
	return m.forced(m.dir, Control, k.HostName, key), nil
}

func cleanName(name string) bool {
	return name != "" && len(name) <= 253 && clusterPattern.MatchString(name[:min(len(name), maxNameLength)]) &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
		})
}

func parseKey(line string) (ssh.PublicKey, error) {
	if len(line) > maxKeyLine || strings.ContainsAny(line, "\r\n") {
		return nil, errors.New("a public key is one line")
	}
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil || len(options) > 0 || len(rest) > 0 {
		return nil, errors.New("this is no public key")
	}
	if !slices.Contains(preferred(), key.Type()) {
		return nil, fmt.Errorf("a public key of kind %s is not taken", key.Type())
	}
	return key, nil
}

// admitPublisher lets the publisher of the cluster in, in place of the one before.
func (c Config) admitPublisher(dir, public string) error {
	key, err := parseKey(public)
	if err != nil {
		return fmt.Errorf("cannot use the join file: %w", err)
	}
	return c.rewrite(dir, Cluster, []string{c.forced(dir, Cluster, c.Publisher, key)})
}

// rewrite replaces the lines that bear this cluster's mark of one peer, whole; what others wrote stays
// byte for byte, and the file's owner stays its owner.
func (c Config) rewrite(dir string, peer Peer, lines []string) error {
	unlock, err := lock(filepath.Join(dir, "authorized_keys.lock"), unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	text, err := readAtMost(c.AuthorizedKeys, maxKeysFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot read authorized_keys: %w", err)
	}
	if len(text) == 0 && len(lines) == 0 {
		return nil
	}
	own := []byte(" " + c.mark(peer, ""))
	var kept bytes.Buffer
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, own) {
			_, _ = kept.Write(line)
		}
	}
	if n := kept.Len(); n > 0 && kept.Bytes()[n-1] != '\n' {
		_ = kept.WriteByte('\n')
	}
	for _, l := range lines {
		_, _ = kept.WriteString(l + "\n")
	}
	folder := filepath.Dir(c.AuthorizedKeys)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of authorized_keys: %w", err)
	}
	if bytes.Equal(kept.Bytes(), text) {
		return nil
	}
	return atomicfile.Write(c.AuthorizedKeys, kept.Bytes(), 0o600)
}
