package app_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/handlers/binaries/binariestest"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/mail/mailtest"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/vos/vostest"
)

// guarded are secrets, each in every form in which it could come out, and what was looked through.
type guarded struct {
	t      *testing.T
	forms  map[string][]string // name → forms
	tried  int
	bytes  int
	leaked []string
}

func (g *guarded) guard(name, secret string) string {
	enc := base64.StdEncoding
	g.forms[name] = []string{secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), enc.EncodeToString([]byte(secret)),
		enc.EncodeToString([]byte("administrator:" + secret))}
	return secret
}

// through looks for every secret in a text.
func (g *guarded) through(where string, text []byte) {
	g.bytes += len(text)
	for name, forms := range g.forms {
		g.tried++
		for _, form := range forms {
			if bytes.Contains(text, []byte(form)) {
				g.leaked = append(g.leaked, name+" in "+where)
				break
			}
		}
	}
}

func word(t *testing.T) string {
	t.Helper()
	return "canary " + rand.Text()[:16] + " +/é"
}

// folder looks through files that may hold no secret, and at whom the others are for.
func (g *guarded) folder(dir string, mayHold map[string]string) (files int) {
	g.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if mayHold != nil && info.Mode().Perm()&0o077 != 0 && (name == "." || info.Mode().IsRegular()) {
			g.leaked = append(g.leaked, "others may read "+name)
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if own, ok := mayHold[name]; ok {
			kept := g.forms[own]
			delete(g.forms, own)
			defer func() { g.forms[own] = kept }()
		}
		g.through("the file "+name, text)
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return files
}

// watch looks at the command line and the environment of every process until it is told to end. What
// the test itself runs with the password of its SFTP server is left out.
func (g *guarded) watch() (end func() (processes int, leaked []string)) {
	stop, ended := make(chan struct{}), make(chan struct{})
	seen, leaked := map[string]bool{}, map[string]bool{}
	forms := map[string]string{}
	for name, all := range g.forms {
		for _, f := range all {
			forms[f] = name
		}
	}
	look := func() {
		all, _ := filepath.Glob("/proc/[0-9]*")
		for _, p := range all {
			line, _ := os.ReadFile(filepath.Join(p, "cmdline"))
			if len(line) == 0 || bytes.HasPrefix(line, []byte("openssl\x00passwd")) {
				continue
			}
			env, _ := os.ReadFile(filepath.Join(p, "environ"))
			seen[p] = true
			for form, name := range forms {
				if bytes.Contains(line, []byte(form)) || bytes.Contains(env, []byte(form)) {
					leaked[name+" in "+string(line[:min(len(line), 80)])] = true
				}
			}
		}
	}
	go func() {
		defer close(ended)
		for {
			look()
			select {
			case <-stop:
				look()
				return
			case <-time.After(25 * time.Millisecond):
			}
		}
	}()
	return sync.OnceValues(func() (int, []string) {
		close(stop)
		<-ended
		var all []string
		for l := range leaked {
			all = append(all, l)
		}
		return len(seen), all
	})
}

// Proof 4.6, the part of the secrets: nothing that is typed or given by a file comes out anywhere.
func TestNoSecretComesOutOfACommandALogAFileOrTheProcessList(t *testing.T) {
	t.Parallel()
	g := &guarded{t: t, forms: map[string][]string{}}
	p := newPlace(t)
	first, second := g.guard("the first application password", word(t)), g.guard("the application password", word(t))
	if err := os.WriteFile(p.password, []byte(first+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hub, post, server := binariestest.Start(t, time.Now), mailtest.Start(t, "starttls", true), sftptest.StartOpenSSH(t)
	proxyWord := g.guard("the proxy's password", word(t))
	g.guard("the SFTP password", sftptest.Password)
	g.guard("the SMTP password", mailtest.Password)
	hub.Add("vvb/12.6/vvb-es4.cop.sgn", "VVB", "12.6(1)ES4", false, strings.Repeat("x", 1<<20))
	key := g.guard("the download key", hub.Key(hub.Holder("ops@acme.example")))
	end := g.watch()
	var said bytes.Buffer
	commands := 0
	run := func(line string, more ...string) {
		t.Helper()
		_, out, e := p.does(t, line, more...)
		said.WriteString(out + e)
		commands++
	}
	address := net.JoinHostPort(loopback(71), "18445")
	if code, _, e := call(t, p.setup("--listen", address)...); code != 0 {
		t.Fatal(e)
	}
	hasKey(t, p.dir, ownKey)
	g.privateKey(p.dir)
	p.scripts(t, run, hub, post, server, key, second, proxyWord)
	for _, seen := range p.terminals(t, hub, server, key, second, proxyWord) {
		said.WriteString(seen)
		commands++
	}
	said.WriteString(p.page(t, address, first, second))
	processes, leaked := end()
	g.leaked = append(g.leaked, leaked...)
	g.through("what was said", said.Bytes())
	files := g.folder(p.dir, map[string]string{"proxy.json": "the proxy's password", "control/repository.json": "the download key",
		"control/mail.json": "the SMTP password", "control/ssh-key.pem": "the private SSH key"})
	files += g.folder(server.Home, nil)
	if len(g.leaked) > 0 || said.Len() == 0 || processes < 5 || files < 15 {
		t.Fatalf("%q; %d bytes, %d processes, %d files", g.leaked, said.Len(), processes, files)
	}
	caught := g.catches(p.dir)
	if caught != 4 || t.Failed() {
		t.Fatalf("the test itself catches %d of 4", caught)
	}
	fmt.Println(fmt.Sprintf("proof 4.6-secrets tried=%d failed=%d secrets=%d commands=%d", g.tried, len(leaked), len(g.forms), commands),
		fmt.Sprintf("processes=%d files=%d kib=%d mutants_caught=%d/4", processes, files, g.bytes>>10, caught))
}

// privateKey guards each line of the node's private key.
func (g *guarded) privateKey(dir string) {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "control", "ssh-key.pem"))
	if err != nil {
		g.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	// the first lines of the body hold the public half, which is no secret
	g.forms["the private SSH key"] = lines[len(lines)/2 : len(lines)-1]
}

// scripts gives every secret by a file.
func (p place) scripts(t *testing.T, run func(string, ...string), hub *binariestest.Hub, post *mailtest.Server,
	server *sftptest.OpenSSH, key, application, proxyWord string) {
	t.Helper()
	sftp := []string{"--server", server.Address, "--user", sftptest.User, "--password-file", secretFile(t, sftptest.Password+"\n"),
		"--directory", server.Home, "--accept-host-key", server.Key.Fingerprint()}
	run("set application-user --password-file", secretFile(t, application+"\n"))
	run("set proxy http://127.0.0.1:9 --user proxy --no-proxy 127.0.0.1,localhost --password-file", secretFile(t, proxyWord+"\n"))
	run("show proxy")
	run("show proxy --json")
	run("utils system inventory export", sftp...)
	run("utils system inventory import --yes --json", sftp...)
	wrong := append([]string{}, sftp...)
	wrong[3] = "nobody"
	run("utils system inventory import --yes", wrong...)
	run("utils image-repository set --repository "+binariestest.Repository+" --export unrestricted --url", hub.URL(), "--key-file",
		secretFile(t, key+"\n"))
	run("utils image-repository set --repository none --export unrestricted --url", hub.URL(), "--key-file", secretFile(t, key+"\n"))
	run("utils image-repository show")
	run("utils image-repository show --json")
	run("set smtp-host " + post.Address + " --tls starttls --ca-file " + post.CA)
	run("set smtp-from-email cc@example.com")
	run("set smtp-use-auth Enable")
	run("set smtp-user", mailtest.User)
	run("set smtp-pswd --json --password-file", secretFile(t, mailtest.Password+"\n"))
	run("show smtp-pswd --json")
	run("utils smtp test-connection --send-to taro@example.com")
	run("status")
	run("utils deployment host-key list")
	run("utils system inventory versions --json")
	for _, line := range []string{"run sql select * from applicationuser --json", "file list activelog --json",
		"file view activelog orchestration-audit.log", "file get activelog orchestration-audit.log --yes " + strings.Join(sftp, " ")} {
		run("shell -c", line)
	}
}

// terminals types every secret.
func (p place) terminals(t *testing.T, hub *binariestest.Hub, server *sftptest.OpenSSH, key, application, proxyWord string) (seen []string) {
	t.Helper()
	ends := func(x *terminal) {
		t.Helper()
		_, all := x.ends()
		seen = append(seen, all)
	}
	x := atTerminal(t, "set", "application-user", "--dir", p.dir)
	x.says("New password: ", application)
	x.says("Once more: ", application)
	ends(x)
	x = atTerminal(t, "set", "proxy", "--user", "proxy", "--dir", p.dir)
	x.says("Password of the proxy: ", proxyWord)
	ends(x)
	x = atTerminal(t, "utils", "system", "inventory", "export", "--dir", p.dir)
	x.says("SFTP Server", "")
	x.says("SFTP User", sftptest.User)
	x.says("Password: ", sftptest.Password)
	x.says("SFTP Directory", "")
	ends(x)
	x = atTerminal(t, "utils", "image-repository", "set", "--dir", p.dir)
	x.says("Artifactory URL", hub.URL())
	x.says("Repository name", "")
	x.says("API Key", key)
	x.says("Which software", "2")
	ends(x)
	x = atTerminal(t, "utils", "initiate", "software-download", "--dir", p.dir) // its worker has the key, too
	ends(x)
	if last := seen[len(seen)-1]; !strings.Contains(last, "1 files were downloaded") {
		t.Errorf("nothing was downloaded: %s", last)
	}
	x = atTerminal(t, "shell", "--dir", p.dir)
	x.admin("set smtp-pswd")
	x.says("SMTP password: ", mailtest.Password)
	x.admin("show smtp-pswd")
	x.waits("set")
	x.admin("file get activelog orchestration-audit.log")
	x.says("SFTP Server", "")
	x.says("SFTP User", "")
	x.says("Password: ", sftptest.Password)
	x.says("SFTP Directory", "")
	x.says("Type yes to go on: ", "yes")
	x.admin("exit")
	ends(x)
	// a VOS machine asks for the application user of a control node that is not there
	m := vostest.New(t, vostest.Options{Host: loopback(72), Program: program(t)})
	x = atTerminal(t, "utils", "system", "onboard", "initiate", "--dir", m.Dir)
	x.says("Cloud Connect FQDN: ", "cc-pub.invalid")
	x.says("Application Username: ", "administrator")
	x.says("Password: ", application)
	ends(x)
	return seen
}

// page asks for the control node's key with right and wrong passwords, and answers the agent's log and what
// was shown.
func (p place) page(t *testing.T, address, first, second string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "run", "--dir", p.dir)
	cmd.Env = append(os.Environ(), actAsNode+"=1")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	awaitListener(t, address)
	said := ""
	for _, password := range []string{first, second} {
		status, text := getKey(t, address, "administrator", password)
		said += fmt.Sprint(status, text)
	}
	if !strings.Contains(said, "401") || !strings.Contains(said, "ssh-rsa") {
		t.Errorf("%s", said)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return said + log.String()
}

// catches shows that the test would find what it looks for: in a process, a log, a file for everybody and a file
// of exported things.
func (g *guarded) catches(dir string) (caught int) {
	g.t.Helper()
	decoy := &guarded{t: g.t, forms: map[string][]string{}}
	secret := decoy.guard("decoy", word(g.t))
	end := decoy.watch()
	cmd := exec.Command("sh", "-c", "read x", secret)
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		g.t.Fatal(err)
	}
	if _, leaked := end(); len(leaked) == 1 { // it looks once more before it ends
		caught++
	}
	_ = in.Close()
	_ = cmd.Wait()
	decoy.folder(dir, map[string]string{})
	clean := len(decoy.leaked)
	for name, mode := range map[string]os.FileMode{filepath.Join(logs.Folder(dir), "cli.log.5"): 0o600, filepath.Join(dir, "open"): 0o644} {
		if err := os.WriteFile(name, []byte(secret), mode); err != nil {
			g.t.Fatal(err)
		}
	}
	decoy.folder(dir, map[string]string{})
	caught += len(decoy.leaked) - clean // in both, and one of them for everybody
	return caught
}
