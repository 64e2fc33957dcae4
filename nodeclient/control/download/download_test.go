package download_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/handlers/binaries/binariestest"
	"connecthub/models"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/download"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/repository"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/fetch"
)

// node is a control node beside a real repository.
type node struct {
	t      testing.TB
	hub    *binariestest.Hub
	person models.Actor
	dir    string
	store  *settings.Store
}

const gib = 1 << 30

func newNode(t testing.TB) *node {
	t.Helper()
	n := &node{t: t, hub: binariestest.Start(t, time.Now), dir: t.TempDir()}
	n.store = settings.Open(n.dir, time.Now)
	n.must(enroll.Config{Hub: "https://hub.example.com", FQDN: "cc.example.com", PageListen: ":8445", AppUser: "ops",
		AppPasswordHash: "x"}.Save(n.dir))
	n.must(os.WriteFile(filepath.Join(n.dir, "hub-ca.pem"), n.hub.CA(), 0o600))
	n.person = n.hub.Holder("ops@acme.example")
	n.set(n.hub.Key(n.person), false)
	return n
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) set(key string, restricted bool) {
	n.t.Helper()
	_, err := repository.Update(n.store, "ops", func(c *repository.Config) error {
		*c = repository.Config{Type: repository.APIKey, URL: n.hub.URL(), Repository: binariestest.Repository,
			Kind: repository.APIKey, Secret: repository.Secret(key), Restricted: restricted}
		return nil
	})
	n.must(err)
}

func (n *node) options() download.Options {
	return download.Options{Dir: n.dir, Store: n.store, By: "ops", Now: time.Now, Pause: time.Millisecond,
		Way:   func(host string) (http.RoundTripper, error) { return enroll.RepositoryTransport(n.dir, host) },
		Space: func(string) (int64, int64, error) { return 100 * gib, 50 * gib, nil }}
}

func (n *node) run() (download.Status, error) {
	n.t.Helper()
	return download.Run(context.Background(), n.options())
}

// has wants the catalogue to list exactly these, each file whole where it says.
func (n *node) has(paths ...string) catalogue.Catalogue {
	n.t.Helper()
	c, err := catalogue.Read(n.dir)
	n.must(err)
	got := []string{}
	for _, f := range c.Files {
		got = append(got, f.Path)
		text, err := os.ReadFile(f.Local)
		sum := sha256.Sum256(text)
		if err != nil || hex.EncodeToString(sum[:]) != f.SHA256 {
			n.t.Errorf("%s is not whole: %v", f.Path, err)
		}
	}
	if !slices.Equal(got, paths) {
		n.t.Errorf("the catalogue lists %v, want %v", got, paths)
	}
	return c
}

func (n *node) fetched() (paths []string) {
	for _, r := range n.hub.Requests() {
		if p, ok := strings.CutPrefix(r, "GET /binaries/"+binariestest.Repository+"/"); ok {
			paths = append(paths, p)
		}
	}
	return paths
}

func TestADownloadBringsWhatIsNewAndRemovesWhatIsGone(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hub.Add("cvp/CVP-ES4.exe", "CVP", "12.6(1)ES4", false, "a patch")
	n.hub.Add("vvb/vvb.cop.sgn", "VVB", "12.6(1)ES1", false, "another")
	n.hub.Add("vvb/restricted.cop.sgn", "VVB", "12.6(1)ES1", true, "restricted")
	status, err := n.run()
	if err != nil || status.State != download.Done || status.FilesDone != 2 || status.BytesDone != 14 || status.Total != 2 {
		t.Fatalf("%+v %v", status, err)
	}
	c := n.has("cvp/CVP-ES4.exe", "vvb/vvb.cop.sgn")
	if c.Check() != nil || c.Files[0].Kind != catalogue.Patch || c.Files[0].Notes != "Notes of cvp/CVP-ES4.exe" {
		t.Errorf("%+v", c)
	}
	since := c.Files[0].Since
	if _, err = n.run(); err != nil || len(n.fetched()) != 2 {
		t.Errorf("%v %v", n.fetched(), err)
	}
	n.hub.Withdraw("vvb/vvb.cop.sgn")
	n.hub.Add("vvb/vvb2.cop.sgn", "VVB", "12.6(1)ES2", false, "a later one")
	if status, err = n.run(); err != nil || status.FilesDone != 1 || status.Removed != 1 {
		t.Errorf("%+v %v", status, err)
	}
	if c = n.has("cvp/CVP-ES4.exe", "vvb/vvb2.cop.sgn"); !c.Files[0].Since.Equal(since) || len(n.fetched()) != 3 {
		t.Errorf("%+v %v", c, n.fetched())
	}
	if folders, err := os.ReadDir(catalogue.Folder(n.dir)); err != nil || len(folders) != 2 {
		t.Errorf("something is left over: %v %v", folders, err)
	}
	if kept, err := download.ReadStatus(n.dir); err != nil || kept.ID != status.ID || kept.Sentence("en") != status.Sentence("en") {
		t.Errorf("%+v %v", kept, err)
	}
	n.logged(logs.Downloads, "by ops, export restricted false, done: 1 files were downloaded and 1 removed")
	n.logged(logs.Download, "msg=downloaded file=vvb/vvb2.cop.sgn")
}

func (n *node) logged(name logs.Name, says string) {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(logs.Folder(n.dir), string(name)))
	config, _, _ := repository.Load(n.store)
	if err != nil || !strings.Contains(string(text), says) || strings.Contains(string(text), string(config.Secret)) {
		n.t.Errorf("%s does not say %q, or shows the key: %v\n%s", name, says, err, text)
	}
}

func TestTheOtherKindIsRemovedAndDownloadedAgain(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hub.Add("vvb/open.cop", "VVB", "12.6(1)ES1", false, "unrestricted")
	n.hub.Add("vvb/closed.cop", "VVB", "12.6(1)ES1", true, "restricted")
	_, err := n.run()
	n.must(err)
	n.has("vvb/open.cop")
	n.set(n.hub.Key(n.person), true)
	n.hub.Between(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "closed.cop") {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	if status, err := n.run(); err == nil || status.State != download.Failed {
		t.Errorf("%+v %v", status, err)
	}
	if c := n.has(); !errors.Is(c.Check(), catalogue.ErrNothing) {
		t.Error("something may be installed before the other kind is here")
	}
	n.hub.Between(nil)
	if _, err = n.run(); err != nil {
		t.Error(err)
	}
	if c := n.has("vvb/closed.cop"); c.Check() != nil || !c.Restricted {
		t.Errorf("%+v", c)
	}
}

func TestTheOtherKindGoesThoughNothingCanBeDownloaded(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hub.Add("vvb/open.cop", "VVB", "12.6(1)ES1", false, "unrestricted")
	drops := func(other bool, want int) {
		t.Helper()
		is, err := download.OtherKind(n.dir, n.store)
		removed, errDrop := download.DropOtherKind(n.dir, n.store)
		if err = errors.Join(err, errDrop); err != nil || is != other || removed != want {
			t.Errorf("%t %d %v, want %t %d", is, removed, err, other, want)
		}
	}
	drops(false, 0)
	_, err := n.run()
	n.must(err)
	drops(false, 0)
	n.has("vvb/open.cop")
	n.set("opens-nothing", true)
	if status, err := n.run(); err == nil || status.State != download.Failed {
		t.Fatalf("%+v %v", status, err)
	}
	n.has("vvb/open.cop")
	drops(true, 1)
	drops(false, 0)
	if c := n.has(); !errors.Is(c.Check(), catalogue.ErrNothing) || !c.Restricted {
		t.Errorf("%+v", c)
	}
	left, err := os.ReadDir(catalogue.Folder(n.dir))
	if err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
}

func TestWhatIsCutOffIsAskedForAgainFromWhereItWas(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	content := strings.Repeat("0123456789abcdef", 40<<10)
	f := n.hub.Add("cvp/cvp.exe", "CVP", "12.6(2)", false, content)
	var ranges []string
	n.hub.Between(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "cvp.exe") {
			return false
		}
		if ranges = append(ranges, r.Header.Get("Range")); len(ranges) > 1 {
			return false
		}
		w.Header().Set("ETag", `"`+f.SHA1+`"`)
		w.Header().Set("Content-Length", "655360")
		_, _ = w.Write([]byte(content[:300<<10]))
		panic(http.ErrAbortHandler)
	})
	if status, err := n.run(); err != nil || status.BytesDone != int64(len(content)) {
		t.Errorf("%+v %v", status, err)
	}
	n.has("cvp/cvp.exe")
	if len(ranges) != 2 || !strings.HasPrefix(ranges[1], "bytes=") {
		t.Errorf("%q", ranges)
	}
}

func TestBytesThatAreNotTheFilesNeverBearItsName(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hub.Add("a/first.exe", "CVP", "12.6(2)", false, "the first")
	f := n.hub.Add("b/cvp.exe", "CVP", "12.6(2)", false, "0123456789")
	n.hub.Between(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "cvp.exe") {
			_, _ = w.Write([]byte("012345678X"))
			return true
		}
		return false
	})
	status, err := n.run()
	if !errors.Is(err, fetch.ErrDigest) || !strings.Contains(status.Sentence("ja"), "チェックサム") {
		t.Errorf("%+v %v", status, err)
	}
	c := n.has("a/first.exe")
	if !c.At.IsZero() {
		t.Error("a download that failed counts as one")
	}
	if _, err := os.Stat(catalogue.Local(n.dir, f.SHA256, f.Path)); err == nil {
		t.Error("it bears the file's name")
	}
}

func TestADownloadNeverFillsThePartition(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hub.Add("a/one.exe", "CVP", "12.6(1)", false, "one")
	n.hub.Add("b/two.exe", "CVP", "12.6(2)", false, "two")
	o := n.options()
	o.Space = func(string) (int64, int64, error) { return 100 * gib, 5*gib + 5, nil } // 5 GiB stay in reserve
	status, err := download.Run(t.Context(), o)
	var full *download.NoSpace
	if !errors.As(err, &full) || full.Reserve != 5*gib || full.Needed != 5*gib+6 || !errors.Is(err, fetch.ErrNoSpace) {
		t.Fatalf("%+v %v", full, err)
	}
	if len(n.fetched()) != 0 || !strings.Contains(status.Sentence("en"), "not enough room") && !strings.Contains(status.Sentence("en"), "has not") ||
		status.Sentence("ja") == status.Sentence("en") {
		t.Errorf("%v %s", n.fetched(), status.Sentence("en"))
	}
	var asked atomic.Int32
	o.Space = func(string) (int64, int64, error) { // somebody else writes while the first file comes
		if asked.Add(1) > 2 {
			return 100 * gib, 5 * gib, nil
		}
		return 100 * gib, 50 * gib, nil
	}
	if _, err = download.Run(t.Context(), o); !errors.Is(err, fetch.ErrNoSpace) {
		t.Error(err)
	}
	n.has("a/one.exe")
}

func TestARefusalKeepsWhatIsHere(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hub.Add("a/one.exe", "CVP", "12.6(1)", false, "one")
	_, err := n.run()
	n.must(err)
	n.hub.Add("b/two.exe", "CVP", "12.6(2)", false, "two")
	n.hub.EULA("2")
	status, err := n.run()
	var refusal *repository.Refusal
	if !errors.As(err, &refusal) || refusal.Code != "eula_not_accepted" ||
		!strings.Contains(status.Sentence("en"), "not compliant with the End User License Agreement") ||
		!strings.Contains(status.Sentence("ja"), "エンドユーザ") {
		t.Errorf("%+v %v", status, err)
	}
	n.has("a/one.exe")
	n.logged(logs.Download, "Cisco Artifactory configuration failed. Response code: 403.")
	n.hub.Accept(n.person, "2")
	n.hub.Between(func(_ http.ResponseWriter, r *http.Request) bool { // compliance is asked at each file
		if strings.HasSuffix(r.URL.Path, "two.exe") {
			n.hub.EULA("3")
		}
		return false
	})
	if _, err = n.run(); !errors.As(err, &refusal) {
		t.Error(err)
	}
	n.has("a/one.exe")
	n.hub.Close()
	if status, err := n.run(); err == nil || status.Sentence("en") == "" {
		t.Errorf("%+v %v", status, err)
	}
	n.has("a/one.exe")
}

func TestNothingIsDownloadedWhereNothingIsConfigured(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := n.options()
	o.Store = settings.Open(t.TempDir(), time.Now)
	if _, err := download.Run(t.Context(), o); !errors.Is(err, download.ErrNotConfigured) {
		t.Error(err)
	}
}

func TestABandwidthIsReadKeptAndHeeded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]download.Bandwidth{"10M": 1_250_000, "500K": 62_500, "64k": 8_000, "1250000": 1_250_000,
		"off": 0, "0": 0, "100000M": 12_500_000_000} {
		got, err := download.ParseBandwidth(text)
		if err != nil || got != want {
			t.Errorf("%s: %d %v", text, got, err)
		}
		if again, err := download.ParseBandwidth(got.String()); err != nil || again != got {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
	for _, text := range []string{"", "M", "-1", "1.5M", "63K", "100001M", "10 M", "10MB", "99999999999999999999"} {
		if got, err := download.ParseBandwidth(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
	if !download.Bandwidth(1_249_999).Slow() || download.Bandwidth(1_250_000).Slow() || download.Bandwidth(0).Slow() {
		t.Error("10 Mbps is advised")
	}
	n := newNode(t)
	n.hub.Add("a/one.exe", "CVP", "12.6(1)", false, strings.Repeat("x", 600<<10))
	n.must(download.SetBandwidth(n.store, "ops", 1_250_000))
	if b, err := download.LoadBandwidth(n.store); err != nil || b != 1_250_000 {
		t.Errorf("%v %v", b, err)
	}
	began := time.Now()
	_, err := n.run()
	if took := time.Since(began); err != nil || took < 480*time.Millisecond {
		t.Errorf("600 KiB at 10 Mbps took %v: %v", took, err)
	}
}

func TestALogOfADownloadMayBeAnothersToo(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hub.Add("odd.bin", "CVP", "none-of-ours", false, "x")
	o := n.options()
	told := 0
	o.Log, o.Tell = slog.New(slog.DiscardHandler), func(download.Status) { told++ }
	status, err := download.Run(t.Context(), o)
	if err != nil || told < 2 || len(status.Skipped) != 1 || !strings.Contains(status.Skipped[0], "version is not understood") {
		t.Errorf("%+v %v %d", status, err, told)
	}
}

func vendor() models.Actor { return models.Actor{Kind: models.ActorCommand, Name: "vendor"} }
