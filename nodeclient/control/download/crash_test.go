package download_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/handlers/binaries/binariestest"
	"connecthub/models"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/download"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/fetch"
)

const actAsDownload = "CONNECTHUB_TEST_ACT_AS_DOWNLOAD"

// TestMain is also a process that downloads, to be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(actAsDownload); dir != "" {
		os.Exit(act(dir))
	}
	os.Exit(m.Run())
}

func act(dir string) int {
	hold, err := gate.Take(dir, gate.Download, "software download", "test", time.Now())
	if err != nil {
		return 3
	}
	defer hold.Release()
	o := (&node{dir: dir, store: settings.Open(dir, time.Now)}).options()
	o.Way = func(host string) (http.RoundTripper, error) { return enroll.RepositoryTransport(dir, host) }
	if _, err := download.Run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// half serves the beginning of a file and waits until some of it is on the node's disk.
func (n *node) half(w http.ResponseWriter, r *http.Request) {
	all, err := n.hub.Software.List(r.Context(), vendor(), binariestest.Repository)
	if err != nil {
		n.t.Error(err)
		return
	}
	i := slices.IndexFunc(all, func(f models.SoftwareFile) bool { return strings.HasSuffix(r.URL.Path, f.Path) })
	content, err := n.hub.Software.Open(all[i])
	if err != nil {
		n.t.Error(err)
		return
	}
	defer content.Close()
	w.Header().Set("ETag", `"`+all[i].SHA1+`"`)
	w.Header().Set("Content-Length", strconv.FormatInt(all[i].Size, 10))
	_, _ = io.CopyN(w, content, all[i].Size/2)
	_ = http.NewResponseController(w).Flush()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		info, err := os.Stat(fetch.Part(catalogue.Local(n.dir, all[i].SHA256, all[i].Path)))
		if err == nil && info.Size() > 0 || r.Context().Err() != nil {
			return
		}
	}
}

// TestADownloadThatIsKilledAnywhereIsGoneOnWith kills the process at each of its requests, and amid
// the bytes of each file.
func TestADownloadThatIsKilledAnywhereIsGoneOnWith(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	want := []string{}
	for i := range 5 {
		path := fmt.Sprintf("cvp/cvp-%d.exe", i)
		n.hub.Add(path, "CVP", fmt.Sprintf("12.6(1)ES%d", i+1), false, strings.Repeat(fmt.Sprintf("%015d\n", i), 20<<10))
		want = append(want, path)
	}
	kills := 0
	var resumed atomic.Int32
	for victim := 1; ; victim++ {
		reached := make(chan struct{})
		var requests atomic.Int32
		n.hub.Between(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") != "" {
				resumed.Add(1)
			}
			if int(requests.Add(1)) != victim%3+1 { // its first, second or third request
				return false
			}
			if strings.HasSuffix(r.URL.Path, ".exe") && r.Header.Get("Range") == "" {
				n.half(w, r)
			}
			close(reached)
			<-r.Context().Done()
			return true
		})
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), actAsDownload+"="+n.dir)
		cmd.Stderr = os.Stderr
		n.must(cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-reached:
			n.must(cmd.Process.Kill())
			<-ended
			kills++
		case err := <-ended:
			n.must(err)
		}
		if _, busy, err := gate.Busy(n.dir, gate.Download); busy || err != nil {
			t.Fatalf("the gate of a dead process is held: %v", err)
		}
		c, err := catalogue.Read(n.dir)
		if err != nil {
			t.Fatal(err)
		}
		listed := []string{}
		for _, f := range c.Files {
			listed = append(listed, f.Path)
		}
		n.has(listed...) // each is whole
		if len(c.Files) == len(want) && c.Check() == nil {
			break
		}
		if c.Check() == nil || victim > 40 {
			t.Fatalf("after %d kills the catalogue says it is complete with %v", kills, listed)
		}
		if victim == 12 {
			n.hub.Between(nil)
			if _, err := n.run(); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	n.has(want...)
	if kills < 10 || resumed.Load() < 3 {
		t.Errorf("%d kills, %d resumed", kills, resumed.Load())
	}
	if !t.Failed() {
		fmt.Printf("proof 4.4-crash tried=%d failed=0 resumed=%d files=%d\n", kills, resumed.Load(), len(want))
	}
}
