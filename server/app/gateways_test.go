package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	squidProgram     = "/usr/sbin/squid"
	squidHelpers     = "/usr/lib/squid"
	tinyproxyProgram = "/usr/bin/tinyproxy"

	gateUser     = "node"
	gatePassword = "a-secret.word"
	inspectorCA  = "Example Inspecting CA"
)

// gateway is a real proxy's process on loopback, with its folder, its port and its log.
type gateway struct {
	t       *testing.T
	kind    string
	dir     string
	address string
	process *exec.Cmd
	ended   chan error
}

// needGateways skips where the packages are not installed; CI forbids skipping.
func needGateways(t *testing.T) {
	t.Helper()
	for _, program := range []string{squidProgram, filepath.Join(squidHelpers, "basic_ncsa_auth"),
		filepath.Join(squidHelpers, "security_file_certgen"), tinyproxyProgram} {
		if _, err := os.Stat(program); err != nil {
			t.Skipf("%s is missing; install Debian's squid-openssl and tinyproxy", program)
		}
	}
}

// servant is whom a proxy started by root becomes.
func servant(t *testing.T) (name, group string, uid, gid int) {
	t.Helper()
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return u.Username, g.Name, uid, gid
}

func newGateway(t *testing.T, kind string) *gateway {
	t.Helper()
	dir, err := os.MkdirTemp("", "gateway") // not under t.TempDir, which only its owner may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &gateway{t: t, kind: kind, dir: dir, address: freeAddress(t)}
}

// freeAddress is below the ports that the kernel hands out by itself, so that nobody gets it before
// the proxy binds it.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		n, err := rand.Int(rand.Reader, big.NewInt(8000))
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 21000+n.Int64()))
		if err != nil {
			continue
		}
		_ = l.Close()
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

func (g *gateway) path(name string) string { return filepath.Join(g.dir, name) }

func (g *gateway) write(name, text string) string {
	g.t.Helper()
	if err := os.WriteFile(g.path(name), []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return g.path(name)
}

// give hands the folder to whom the proxy will run as.
func (g *gateway) give() {
	g.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	_, _, uid, gid := servant(g.t)
	err := filepath.WalkDir(g.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) start(program string, args ...string) {
	g.t.Helper()
	out, err := os.Create(g.path("out.log"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer out.Close()
	g.process = exec.Command(program, args...)
	g.process.Stdout, g.process.Stderr, g.process.Dir = out, out, "/"
	if err := g.process.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.ended = make(chan error, 1)
	go func() { g.ended <- g.process.Wait(); close(g.ended) }()
	g.t.Cleanup(g.stop)
	patiently(g.t, g.kind+" listens", func() bool {
		select {
		case err := <-g.ended:
			g.t.Fatalf("%s ended: %v\n%s\n%s", g.kind, err, g.read("out.log"), g.read("cache.log"))
		default:
		}
		c, err := net.Dial("tcp", g.address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// stop ends the process and lets it write its log to the end.
func (g *gateway) stop() {
	_ = g.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.ended:
	case <-time.After(15 * time.Second):
		_ = g.process.Process.Kill()
		<-g.ended
	}
}

func (g *gateway) read(name string) string {
	text, err := os.ReadFile(g.path(name))
	if err != nil {
		return ""
	}
	return string(text)
}

func (g *gateway) port() string {
	_, port, err := net.SplitHostPort(g.address)
	if err != nil {
		g.t.Fatal(err)
	}
	return port
}

// squidFor starts Squid before a hub: with or without authentication, and inspecting where it is
// given the CA of the hub.
func squidFor(t *testing.T, hubPort string, auth bool, hubCA string) *gateway {
	t.Helper()
	g := newGateway(t, "squid")
	service := "connecthub" + g.port()
	hosts := g.write("hosts", "127.0.0.1 "+hubName+"\n")
	conf := &strings.Builder{}
	set := func(format string, args ...any) { _, _ = fmt.Fprintf(conf, format+"\n", args...) }
	listen := "http_port " + g.address
	if hubCA != "" {
		listen += " ssl-bump generate-host-certificates=on dynamic_cert_mem_cache_size=1MB cert=" +
			g.authority()
	}
	set("%s", listen)
	if os.Geteuid() == 0 {
		name, group, _, _ := servant(t)
		set("cache_effective_user %s\ncache_effective_group %s", name, group)
	}
	set("visible_hostname gateway.example.com\npid_filename none\nhosts_file %s", hosts)
	set("dns_nameservers 127.0.0.1\ncache deny all\ncache_mem 1 MB\nmemory_pools off")
	set("max_filedescriptors 1024\ncoredump_dir %s\nnetdb_filename none\npinger_enable off", g.dir)
	set("shutdown_lifetime 0 seconds\nbuffered_logs off")
	set("access_log stdio:%s squid\ncache_log %s", g.path("access.log"), g.path("cache.log"))
	set("acl hub port %s", hubPort)
	if auth {
		hash, err := bcrypt.GenerateFromPassword([]byte(gatePassword), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		set("auth_param basic program %s/basic_ncsa_auth %s", squidHelpers,
			g.write("users", gateUser+":"+string(hash)+"\n"))
		set("auth_param basic children 1 startup=1\nauth_param basic realm gateway")
		set("acl known proxy_auth REQUIRED\nhttp_access allow hub known")
	} else {
		set("http_access allow hub")
	}
	set("http_access deny all")
	if hubCA != "" {
		g.inspect(set, hubCA)
	}
	file := g.write("squid.conf", conf.String())
	g.give()
	t.Cleanup(func() {
		left, _ := filepath.Glob("/dev/shm/" + service + "-*")
		for _, segment := range left {
			_ = os.Remove(segment)
		}
	})
	g.start(squidProgram, "-N", "-n", service, "-f", file)
	return g
}

// inspect makes Squid end TLS with certificates of its own CA, and begin it anew towards the hub.
func (g *gateway) inspect(set func(string, ...any), hubCA string) {
	g.t.Helper()
	text, err := os.ReadFile(hubCA)
	if err != nil {
		g.t.Fatal(err)
	}
	generator := filepath.Join(squidHelpers, "security_file_certgen")
	out, err := exec.Command(generator, "-c", "-s", g.path("certs"), "-M", "4MB").CombinedOutput()
	if err != nil {
		g.t.Fatalf("%v: %s", err, out)
	}
	set("sslcrtd_program %s -s %s -M 4MB\nsslcrtd_children 1 startup=1", generator, g.path("certs"))
	set("sslproxy_session_cache_size 0\ntls_outgoing_options cafile=%s", g.write("hub-ca.pem", string(text)))
	set("acl step1 at_step SslBump1\nssl_bump peek step1\nssl_bump bump all")
}

// authority makes the CA of an inspecting proxy: inspector.pem is what its administrator hands out.
func (g *gateway) authority() string {
	g.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		g.t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()),
		Subject: pkix.Name{CommonName: inspectorCA}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		g.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		g.t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	g.write("inspector.pem", cert)
	return g.write("inspector-with-key.pem",
		cert+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// tinyproxyFor starts Tinyproxy with authentication before another proxy, as a branch has it.
func tinyproxyFor(t *testing.T, hubPort string, parent *gateway) *gateway {
	t.Helper()
	g := newGateway(t, "tinyproxy")
	conf := fmt.Sprintf("Listen 127.0.0.1\nPort %s\nTimeout 60\nMaxClients 20\nLogLevel Info\n"+
		"LogFile %q\nBasicAuth %s %s\nConnectPort %s\nUpstream http %s\n", g.port(),
		g.path("access.log"), gateUser, gatePassword, hubPort, parent.address)
	if os.Geteuid() == 0 {
		name, group, _, _ := servant(t)
		conf += "User " + name + "\nGroup " + group + "\n"
	}
	file := g.write("tinyproxy.conf", conf)
	g.give()
	g.start(tinyproxyProgram, "-d", "-c", file)
	return g
}
