package logs_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/nodeclient/control/logs"
)

func then() time.Time { return time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC) }

func text(t *testing.T, dir, file string) string {
	t.Helper()
	f, err := logs.Read(dir, file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

func TestALineIsOneLineWhateverIsInIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := logs.Open(dir, logs.CLI)
	if err := l.Line(then(), "refused: %s", "x\n2026 forged\x1b[2J"+strings.Repeat("ü", logs.MaxLine)); err != nil {
		t.Fatal(err)
	}
	got := text(t, dir, "cli.log")
	if !strings.HasPrefix(got, "2026-11-22T02:00:00Z refused: x 2026 forged�[2J") ||
		strings.Count(got, "\n") != 1 || len(got) > logs.MaxLine+64 {
		t.Errorf("%.200q", got)
	}
	info, err := os.Stat(filepath.Join(logs.Folder(dir), "cli.log"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	logs.To(dir, logs.Jobs).Info("ran", "job", "download")
	if got := text(t, dir, "jobs.log"); !strings.Contains(got, "msg=ran job=download") {
		t.Error(got)
	}
}

func TestALogThatIsFullBecomesAFormerOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const writers, each, limit = 4, 50, 1 << 10
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			l := logs.Limited(dir, logs.Download, limit)
			for i := range each {
				if err := l.Line(then(), "writer %d line %d", w, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	files, err := logs.List(dir)
	if err != nil || len(files) != 1+logs.Kept {
		t.Fatalf("%v %v", files, err)
	}
	for i, f := range files {
		want := "software-download.log"
		if i > 0 {
			want = fmt.Sprintf("%s.%d", want, i)
		}
		got := text(t, dir, f.Name)
		if f.Name != want || f.Size > limit || int64(len(got)) != f.Size || !strings.HasSuffix(got, "\n") {
			t.Errorf("%v", f)
		}
		for line := range strings.Lines(got) {
			if !strings.HasPrefix(line, "2026-11-22T02:00:00Z writer ") {
				t.Errorf("%q", line)
			}
		}
	}
}

func TestOnlyALogIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := logs.Open(dir, logs.CLI).Line(then(), "x"); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(dir, "secret")
	if err := os.WriteFile(outside, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(logs.Folder(dir), "cli.log.1")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "..", ".lock", "../settings.json", "/etc/passwd", "cli.log.0", "cli.log.01",
		"cli.log.6", "cli.log.-1", "cli.log.x", "cli.log.1", "cli.log/", "jobs.log"} {
		if f, err := logs.Read(dir, name); err == nil {
			_ = f.Close()
			t.Errorf("%q was read", name)
		}
	}
	if files, err := logs.List(dir); err != nil || len(files) != 1 {
		t.Errorf("%v %v", files, err)
	}
	if err := logs.Open(dir, "../x").Line(then(), "x"); err == nil {
		t.Error("another file was written")
	}
}
