package commands_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"connecthub/models"
	"connecthub/nodeclient/control/commands"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host/hosttest"
)

// disked is a node whose disk has a size of the test's own.
type disked struct {
	*console.Session
	out  bytes.Buffer
	size int64
}

func newDisked(t *testing.T) *disked {
	t.Helper()
	nobody, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nobody.Close() })
	d := &disked{}
	dir, _ := hosttest.Dir(t)
	d.Session = &console.Session{Ctx: t.Context(), Dir: dir, Who: "root", Lang: "en", In: nobody, Out: &d.out,
		Err: io.Discard, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		DiskSize: func(string) (int64, error) { return d.size, nil },
		ByHand:   func(*console.Session, models.HandWork, bool) error { t.Error("something was stopped"); return nil }}
	if err := (enroll.Config{FQDN: "cc-pub.example.com", Hub: "https://hub.example.com", PageListen: "127.0.0.1:0",
		AppUser: "admin", AppPasswordHash: "none"}).Save(dir); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *disked) runs(t *testing.T, words ...string) error {
	t.Helper()
	var tree struct {
		Utils commands.Utils `cmd:""`
	}
	parser, err := kong.New(&tree, kong.Bind(d.Session), kong.Vars{"dir": d.Dir})
	if err != nil {
		t.Fatal(err)
	}
	k, err := parser.Parse(append([]string{"utils", "system"}, words...))
	if err != nil {
		t.Fatal(err)
	}
	return k.Run(d.Session)
}

// TestCloudConnect125NeedsALargerDiskFor126 refuses the installation and the switch on 146 GB, with the
// three steps in both languages, and goes on as soon as the disk has grown.
func TestCloudConnect125NeedsALargerDiskFor126(t *testing.T) {
	t.Parallel()
	remove, err := hosttest.BuildSample()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	d := newDisked(t)
	d.size = 146 << 30
	hosttest.Install(t, d.Dir, hosttest.Sample(t, "12.5.1.10000-9", nil))
	next := hosttest.Sample(t, "12.6.1.10000-5", nil)
	folder := filepath.Join(d.Dir, "repository")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "cc.tar.zst"), next.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	initiate := []string{"upgrade", "initiate", "--source", "local-repository", "--file", "cc.tar.zst", "--sha256",
		next.Digest, "--switch", "no", "--yes"}
	refused := func(words ...string) {
		t.Helper()
		err := d.runs(t, words...)
		for language, says := range map[string]string{"en": "grow its disk from 146 to 246 GB in vSphere",
			"ja": "vSphere でディスクを 146 GB から 246 GB に拡張し"} {
			text := ""
			if err != nil {
				text = console.Sentence(err, language)
			}
			for _, part := range []string{"(1)", "(2)", "(3)", says, "156 GB", "12.6.1.10000-5"} {
				if !strings.Contains(text, part) {
					t.Errorf("%s misses %q: %s", language, part, text)
				}
			}
		}
	}
	refused(initiate...)
	d.size = 246 << 30 // stopped, grown, started: the size is read again
	if err := d.runs(t, initiate...); err != nil {
		t.Fatal(err)
	}
	d.size = 146 << 30 // restored to the small disk in between
	refused("switch", "version", "--yes")
	if err := d.runs(t, "upgrade", "status"); err != nil || !strings.Contains(d.out.String(), "Inactive version : 12.6.1.10000-5") ||
		!strings.Contains(d.out.String(), "Disk             : 156 GB") {
		t.Errorf("%v\n%s", err, d.out.String())
	}
}
