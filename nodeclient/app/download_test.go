package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/gate"
)

// script runs a command as a process of its own: a download's worker is one, too.
func (d depot) script(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	drives.at("script", args)
	cmd := nodeProgram(append(args, "--dir", d.dir)...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

func (d depot) lists(t *testing.T, want ...string) {
	t.Helper()
	c, err := catalogue.Read(d.dir)
	got := []string{}
	for _, f := range c.Files {
		got = append(got, f.Path)
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v %v, want %v", got, err, want)
	}
}

func TestADownloadIsInitiatedAndShown(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	if code, _, e := d.script(t, "utils", "initiate", "software-download"); code != 1 || !strings.Contains(e, "no repository is configured") {
		t.Errorf("%d %s", code, e)
	}
	if code, _, e := d.set(t, "unrestricted"); code != 0 {
		t.Fatal(e)
	}
	if code, _, e := d.script(t, "utils", "initiate", "download-worker", "--by", "nobody"); code != 1 || !strings.Contains(e, "lock") {
		t.Errorf("a worker without a lock: %d %s", code, e)
	}
	code, out, e := d.script(t, "utils", "initiate", "software-download")
	if code != 0 || !strings.Contains(out, "1 files were downloaded") || !strings.Contains(e, "orchestration is refused on this node") {
		t.Errorf("%d %s %s", code, out, e)
	}
	d.lists(t, "vvb/12.6/vvb-es4.cop.sgn")
	if code, _, e := d.set(t, "restricted"); code != 0 || !strings.Contains(e, "utils initiate software-download") {
		t.Errorf("%d %s", code, e)
	}
	code, out, e = d.script(t, "utils", "initiate", "software-download", "--json")
	var v struct {
		State          string
		Removed, Total int
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.State != "done" || v.Removed != 1 || v.Total != 1 {
		t.Errorf("%d %v %s %s", code, err, out, e)
	}
	d.lists(t, "vvb/12.6/r/vvb-es4.cop.sgn")
	d.hub.EULA("2")
	code, _, e = d.script(t, "utils", "initiate", "software-download", "--language", "ja")
	if code != 1 || !strings.Contains(e, "エンドユーザライセンス契約に準拠していません") {
		t.Errorf("%d %s", code, e)
	}
	code, out, _ = d.script(t, "utils", "show", "software-download")
	if code != 0 || !strings.Contains(out, "1 file, complete since") || !strings.Contains(out, "not compliant with the End User") ||
		!strings.Contains(out, "Bandwidth            : off") {
		t.Errorf("%d %s", code, out)
	}
	code, out, _ = d.script(t, "utils", "orchestration-job", "show", "schedule", "--json")
	if code != 0 || strings.Count(out, `"outcome": "failed"`) != 1 || strings.Contains(out, d.key) {
		t.Errorf("a download by hand is no run: %d %s", code, out)
	}
}

func TestOrchestrationIsRefusedWhileSoftwareIsDownloaded(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	if code, _, e := d.set(t, "unrestricted"); code != 0 {
		t.Fatal(e)
	}
	met, leave := make(chan struct{}), make(chan struct{})
	d.hub.Between(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, ".cop.sgn") {
			close(met)
			<-leave
		}
		return false
	})
	if code, out, e := d.script(t, "utils", "initiate", "software-download", "--no-wait"); code != 0 || !strings.Contains(out, "has begun") {
		t.Fatalf("%d %s %s", code, out, e)
	}
	<-met
	code, _, e := d.set(t, "restricted")
	if code != 1 || !strings.Contains(e, "software is being downloaded on this node; orchestration is possible when that has ended") {
		t.Errorf("%d %s", code, e)
	}
	if code, _, e := d.script(t, "utils", "initiate", "software-download"); code != 1 || !strings.Contains(e, "software is being downloaded on this node") {
		t.Errorf("a second download: %d %s", code, e)
	}
	for _, allowed := range [][]string{{"utils", "image-repository", "show"}, {"utils", "show", "software-download"},
		{"utils", "set", "software-download", "bandwidth", "10M"}, {"utils", "system", "inventory", "versions"}} {
		if code, _, e := d.script(t, allowed...); code != 0 {
			t.Errorf("%v: %d %s", allowed, code, e)
		}
	}
	if code, out, _ := d.script(t, "utils", "show", "software-download", "--json"); code != 0 || !strings.Contains(out, `"running": true`) {
		t.Errorf("%d %s", code, out)
	}
	close(leave)
	d.free(t)
	d.lists(t, "vvb/12.6/vvb-es4.cop.sgn")
	if code, _, e := d.set(t, "restricted"); code != 0 {
		t.Error(e)
	}
}

// free waits until no download runs.
func (d depot) free(t *testing.T) {
	t.Helper()
	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for {
		_, busy, err := gate.Busy(d.dir, gate.Download)
		if err != nil {
			t.Fatal(err)
		}
		if !busy {
			return
		}
		select {
		case <-deadline:
			t.Fatal("the download never ends")
		case <-tick.C:
		}
	}
}

func TestWhenAndHowFastIsSetByScripts(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	job := func(words ...string) (int, string, string) {
		return d.script(t, append([]string{"utils", "orchestration-job"}, words...)...)
	}
	code, out, _ := job("show", "schedule")
	if code != 0 || !strings.Contains(out, "00:30  Auto-rotate Artifactory Token") || !strings.Contains(out, "02:00  Software Download from Artifactory") ||
		!strings.Contains(out, "01:00  Software Update Email Notification") || !strings.Contains(out, "05:00  Deployment Cache Update") ||
		!strings.Contains(out, "up to 3 h)") {
		t.Errorf("%d %s", code, out)
	}
	for _, c := range []struct {
		says string
		code int
		args []string
	}{
		{"overlaps the estimated run of", 1, []string{"update", "schedule", "--job", "software-download", "--hour", "2", "--minute", "1"}},
		{"予想実行時間と重なる", 1, []string{"update", "schedule", "--job", "deployment-cache", "--hour", "4", "--minute", "0", "--language", "ja"}},
		{"from 0 to 23", 1, []string{"update", "schedule", "--job", "software-download", "--hour", "24", "--minute", "0"}},
		{"from 0 to 59", 1, []string{"update", "schedule", "--job", "software-download", "--hour", "3", "--minute", "x"}},
		{"there is no such choice", 1, []string{"update", "schedule", "--job", "lunch", "--hour", "3", "--minute", "0"}},
		{"give --job", 1, []string{"update", "schedule"}},
		{"updated successfully", 0, []string{"update", "schedule", "--job", "deployment-cache", "--hour", "7", "--minute", "0"}},
		{`"at": "04:00"`, 0, []string{"update", "schedule", "--job", "software-download", "--hour", "4", "--minute", "0", "--json"}},
		{"overlaps", 1, []string{"reset", "schedule", "--job", "deployment-cache", "--yes"}},
		{"give --yes", 1, []string{"reset", "schedule", "--job", "all"}},
		{"updated successfully", 0, []string{"reset", "schedule", "--job", "all", "--yes"}},
		{"not a time zone", 1, []string{"set", "time-zone", "Mars/Olympus"}},
		{"not both", 1, []string{"set", "time-zone", "UTC", "--machine"}},
		{`"time_zone": "Asia/Tokyo"`, 0, []string{"set", "time-zone", "Asia/Tokyo", "--json"}},
		{"Asia/Tokyo", 0, []string{"show", "schedule"}},
		{"updated successfully", 0, []string{"set", "time-zone", "--machine"}},
	} {
		if code, out, e := job(c.args...); code != c.code || !strings.Contains(out+e, c.says) {
			t.Errorf("%v: %d %s %s", c.args, code, out, e)
		}
	}
	set := func(words ...string) (int, string, string) {
		return d.script(t, append([]string{"utils", "set", "software-download"}, words...)...)
	}
	for _, c := range []struct {
		says string
		code int
		args []string
	}{
		{"updated successfully", 0, []string{"time", "--hour", "21", "--minute", "30"}},
		{"overlaps", 1, []string{"time", "--hour", "0", "--minute", "0"}},
		{"At least 10M is advised", 0, []string{"bandwidth", "500K"}},
		{`"bytes_per_second": 2500000`, 0, []string{"bandwidth", "20M", "--json"}},
		{"A bandwidth is", 1, []string{"bandwidth", "fast"}},
		{"give the bandwidth", 1, []string{"bandwidth"}},
	} {
		if code, out, e := set(c.args...); code != c.code || !strings.Contains(out+e, c.says) {
			t.Errorf("%v: %d %s %s", c.args, code, out, e)
		}
	}
	code, out, _ = d.script(t, "utils", "show", "software-download")
	if code != 0 || !strings.Contains(out, "Time of the download : 21:30") || !strings.Contains(out, "Bandwidth            : 20M") ||
		!strings.Contains(out, "never complete yet") {
		t.Errorf("%d %s", code, out)
	}
}

func TestTheProxyOfTheOrchestrationIsTheNodesOne(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	set := func(words ...string) (int, string, string) {
		return d.script(t, append([]string{"set", "cloudconnect", "orchestration", "config"}, words...)...)
	}
	for _, c := range []struct {
		says string
		code int
		args []string
	}{
		{"give --proxy-configured", 1, nil},
		{"give --proxy-host", 1, []string{"--proxy-configured", "yes"}},
		{"from 1 to 65535", 1, []string{"--proxy-configured", "yes", "--proxy-host", "p.example.com", "--proxy-port", "0"}},
		{"proxy's address is", 1, []string{"--proxy-configured", "yes", "--proxy-host", "p/x", "--proxy-port", "3128"}},
		{"updated successfully", 0, []string{"--proxy-configured", "yes", "--proxy-host", "p.example.com", "--proxy-port", "3128"}},
	} {
		if code, out, e := set(c.args...); code != c.code || !strings.Contains(out+e, c.says) {
			t.Errorf("%v: %d %s %s", c.args, code, out, e)
		}
	}
	if code, out, _ := d.script(t, "show", "proxy"); code != 0 || !strings.Contains(out, "http://p.example.com:3128") {
		t.Errorf("%d %s", code, out)
	}
	show := []string{"show", "cloudconnect", "orchestration", "config"}
	if code, out, _ := d.script(t, show...); code != 0 || !strings.Contains(out, "Proxy Host       : p.example.com") {
		t.Errorf("%d %s", code, out)
	}
	if code, out, _ := d.script(t, append(show, "--json")...); code != 0 || !strings.Contains(out, `"port": 3128`) {
		t.Errorf("%d %s", code, out)
	}
	if code, _, e := d.set(t, "unrestricted"); code == 0 && !strings.Contains(d.hub.URL(), "127.0.0.1") {
		t.Errorf("the repository was reached without the proxy: %s", e)
	}
	if code, out, _ := set("--proxy-configured", "no", "--json"); code != 0 || !strings.Contains(out, `"configured": false`) {
		t.Errorf("%d %s", code, out)
	}
	d.subscriber(t)
	for _, words := range [][]string{{"set", "cloudconnect", "orchestration", "config"}, show} {
		if code, _, e := d.script(t, words...); code != 1 || !strings.Contains(e, "run this on the publisher") {
			t.Errorf("%d %s", code, e)
		}
	}
}

func TestDownloadsAndJobsAtThePrompt(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	if code, _, e := d.set(t, "unrestricted"); code != 0 {
		t.Fatal(e)
	}
	x := atTerminal(t, "shell", "--dir", d.dir)
	x.admin("utils initiate software-download")
	x.waits("1 files were downloaded and 0 removed; there are 1.")
	x.admin("utils show software-download")
	x.waits("1 files were downloaded")
	x.admin("utils set software-download time")
	x.says("Hours (0-23) [2]: ", "3")
	x.says("Minutes (0-59) [0]: ", "")
	x.waits("overlaps the estimated run of \"Deployment Cache Update\"")
	x.admin("utils set software-download time")
	x.says("Hours (0-23) [2]: ", "20")
	x.says("Minutes (0-59) [0]: ", "15")
	x.waits("updated successfully")
	x.admin("utils set software-download bandwidth")
	x.says("off) [off]: ", "10M")
	x.waits("updated successfully")
	x.admin("utils orchestration-job update schedule")
	x.waits("3: Software Download from Artifactory [20:15]")
	x.says("Job: ", "4")
	x.says("Hours (0-23) [5]: ", "6")
	x.says("Minutes (0-59) [0]: ", "")
	x.waits("updated successfully")
	x.admin("utils orchestration-job show schedule")
	x.waits("06:00  Deployment Cache Update")
	x.admin("utils orchestration-job reset schedule")
	x.says("Jobs: ", "a")
	x.says("Type yes to go on: ", "no")
	x.waits("nothing was changed")
	x.admin("utils orchestration-job reset schedule")
	x.says("Jobs: ", "3,4")
	x.says("Type yes to go on: ", "yes")
	x.waits("updated successfully")
	x.admin("utils orchestration-job set time-zone")
	x.says("Time zone [", "Europe/Berlin")
	x.waits("updated successfully")
	x.admin("set cloudconnect orchestration config")
	x.waits("Fetching existing configuration...")
	x.says("Proxy Configured (Yes/No) [No]: ", "Yes")
	x.says("Proxy Host: ", "proxy.example.com")
	x.says("Proxy Port: ", "8080")
	x.waits("The config details updated successfully.")
	x.admin("set cloudconnect orchestration config")
	x.says("Proxy Configured (Yes/No) [Yes]: ", "maybe")
	x.waits("answer Yes or No")
	x.admin("show cloudconnect orchestration config")
	x.waits("Proxy Configured : Yes")
	x.waits("Proxy Port       : 8080")
	x.admin("exit")
	if code, seen := x.ends(); code != 0 || strings.Contains(seen, d.key) {
		t.Errorf("%d %s", code, seen)
	}
}

// TestARunningAgentBeginsItsJobs looks at a real agent: what the jobs do at which time is shown with fake
// time beside them.
func TestARunningAgentBeginsItsJobs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if code, _, e := call(t, p.setup("--listen", "127.0.0.1:0")...); code != 0 {
		t.Fatal(e)
	}
	// A zone where it is about noon: the rotation of the night is made up for at once.
	zone := fmt.Sprintf("Etc/GMT%+d", time.Now().UTC().Hour()-12)
	if code, _, e := call(t, "utils", "orchestration-job", "set", "time-zone", "--dir", p.dir, zone); code != 0 {
		t.Fatal(e)
	}
	agent := nodeProgram("run", "--dir", p.dir)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = agent.Process.Signal(os.Interrupt)
		_ = agent.Wait()
	}()
	tick, deadline := time.NewTicker(50*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for {
		code, out, _ := call(t, "utils", "orchestration-job", "show", "schedule", "--dir", p.dir, "--json")
		if code == 0 && strings.Contains(out, `"outcome": "skipped"`) {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("%d %s", code, out)
		case <-tick.C:
		}
	}
	text, err := os.ReadFile(filepath.Join(p.dir, "control", "logs", "jobs.log"))
	if err != nil || !strings.Contains(string(text), "job=token-rotation outcome=skipped") {
		t.Errorf("%s %v", text, err)
	}
}
