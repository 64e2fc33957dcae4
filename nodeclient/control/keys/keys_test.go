package keys_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/nodeclient/control/keys"
)

func own(t *testing.T, dir string) keys.Pair {
	t.Helper()
	p, err := keys.Own(dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAKeyIsMadeOnceForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines := make([]keys.Line, 4)
	var all sync.WaitGroup
	for i := range lines {
		all.Go(func() {
			if p, err := keys.Own(dir); err == nil {
				lines[i] = p.Line()
			}
		})
	}
	all.Wait()
	for _, l := range lines {
		if l != lines[0] || l == "" {
			t.Fatalf("%q", lines)
		}
	}
	form := regexp.MustCompile(`^ssh-rsa [A-Za-z0-9+/]+=* root@localhost$`)
	if !form.MatchString(string(lines[0])) {
		t.Errorf("%s", lines[0])
	}
	file := filepath.Join(dir, "control", "ssh-key.pem")
	for path, mode := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", path, info, err)
		}
	}
	key, err := lines[0].Key()
	if err != nil {
		t.Fatal(err)
	}
	if n := key.(ssh.CryptoPublicKey).CryptoPublicKey().(*rsa.PublicKey).N.BitLen(); n < 3072 {
		t.Errorf("%d bits", n)
	}
	if out, err := exec.Command("ssh-keygen", "-y", "-f", file).Output(); err != nil ||
		strings.TrimSpace(string(out)) != string(lines[0]) {
		t.Errorf("OpenSSH reads another key: %s %v", out, err)
	}
}

func TestAKeySignsWithSHA2Only(t *testing.T) {
	t.Parallel()
	signer := own(t, t.TempDir()).Signer()
	multi, ok := signer.(ssh.MultiAlgorithmSigner)
	if !ok || strings.Join(multi.Algorithms(), " ") != "rsa-sha2-512 rsa-sha2-256" {
		t.Fatalf("%T", signer)
	}
	if _, err := multi.SignWithAlgorithm(rand.Reader, []byte("x"), ssh.KeyAlgoRSA); err == nil {
		t.Error("signed with SHA-1")
	}
	for _, algorithm := range multi.Algorithms() {
		s, err := multi.SignWithAlgorithm(rand.Reader, []byte("x"), algorithm)
		if err != nil || s.Format != algorithm || signer.PublicKey().Verify([]byte("x"), s) != nil {
			t.Errorf("%s: %v %v", algorithm, s, err)
		}
	}
}

func TestAPairPrintsNothingPrivate(t *testing.T) {
	t.Parallel()
	p := own(t, t.TempDir())
	for _, verb := range []string{"%v", "%+v", "%s", "%#v"} {
		if got := fmt.Sprintf(verb, p); got != ssh.FingerprintSHA256(p.Signer().PublicKey()) {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

func TestAKeyThatOthersReadOrThatIsWeakIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own(t, dir)
	file := filepath.Join(dir, "control", "ssh-key.pem")
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Own(dir); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("%v", err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(weak, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "not a key", string(pem.EncodeToMemory(block))} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Own(dir); err == nil {
			t.Errorf("%.20q was taken", text)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("a damaged key was replaced: %v", err)
		}
	}
}

func TestTheOtherControlNodesKeysAreKeptByName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if all, err := keys.Peers(dir); err != nil || len(all) != 0 {
		t.Fatalf("%v %v", all, err)
	}
	first, second := own(t, t.TempDir()).Line(), own(t, t.TempDir()).Line()
	b := keys.Public{Category: keys.Subscriber, HostName: "b.example.com", PublicKey: first}
	a := keys.Public{Category: keys.Subscriber, HostName: "a.example.com", PublicKey: first}
	for _, p := range []keys.Public{b, a, b} {
		if err := keys.KeepPeer(dir, p); err != nil {
			t.Fatal(err)
		}
	}
	b.PublicKey = second // installed anew
	if err := keys.KeepPeer(dir, b); err != nil {
		t.Fatal(err)
	}
	if all, err := keys.Peers(dir); err != nil || len(all) != 2 || all[0] != a || all[1] != b {
		t.Errorf("%v %v", all, err)
	}
	for range 2 {
		if err := keys.ForgetPeer(dir, a.HostName); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := keys.Peers(dir); err != nil || len(all) != 1 || all[0] != b {
		t.Errorf("%v %v", all, err)
	}
	for name, p := range map[string]keys.Public{
		"no category": {HostName: "c.example.com", PublicKey: first},
		"an address":  {Category: keys.Subscriber, HostName: "10.0.0.1", PublicKey: first},
		"a command": {Category: keys.Subscriber, HostName: "c.example.com",
			PublicKey: `command="x" ` + first},
		"two lines": {Category: keys.Subscriber, HostName: "c.example.com",
			PublicKey: first + "\n" + second},
		"a trailing space": {Category: keys.Subscriber, HostName: "c.example.com", PublicKey: first + " "},
		"no key":           {Category: keys.Subscriber, HostName: "c.example.com", PublicKey: "ssh-rsa AAAA root@localhost"},
	} {
		if err := keys.KeepPeer(dir, p); err == nil {
			t.Errorf("%s was kept", name)
		}
	}
	mine, err := keys.OwnPublic(dir, models.Publisher, "pub.example.com")
	if err != nil || mine.HostName != "pub.example.com" || mine.PublicKey != own(t, dir).Line() {
		t.Errorf("%v %v", mine, err)
	}
	if keys.CategoryOf(models.Subscriber) != keys.Subscriber || keys.CategoryOf("") != keys.Publisher ||
		first.Fingerprint() == second.Fingerprint() || keys.Line("x").Fingerprint() != "" {
		t.Error("categories or fingerprints")
	}
}
