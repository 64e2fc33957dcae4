package adminapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"connecthub/handlers/adminapi"
	"connecthub/models/store"
)

// process is a hub in a process of its own, over a database that a test may have filled before.
type process struct {
	*hub
	node, ca string
	log      string // file of its log: JSON, at debug level
	stop     func()
}

// startProcess starts it, with its address in a browser, under a tracer's command line if there is one.
func startProcess(t *testing.T, dir, public string, tracer []string, mode ...string) *process {
	t.Helper()
	p := &process{hub: &hub{t: t, dir: dir}, log: filepath.Join(t.TempDir(), "log")}
	doc, err := adminapi.Document()
	must(t, err)
	p.doc = doc
	line := append(append(append([]string{}, tracer...), os.Args[0], asHub), mode...)
	line = append(line, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--node-listen", "127.0.0.1:0",
		"--log-level", "debug", "--public-url", public, "--trusted-proxies", "127.0.0.0/8")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), line[0], line[1:]...) //nolint:gosec // this very program
	log, err := os.Create(p.log)
	must(t, err)
	defer log.Close()
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	ended := false
	p.stop = func() {
		if ended {
			return
		}
		ended = true
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			text, _ := os.ReadFile(p.log)
			t.Errorf("the hub's process ended with %v: %s", err, text[max(0, len(text)-2000):])
		}
	}
	t.Cleanup(p.stop)
	first, err := bufio.NewReader(out).ReadString('\n')
	var said hubProcess
	if err != nil || json.Unmarshal([]byte(first), &said) != nil {
		text, _ := os.ReadFile(p.log)
		t.Fatalf("the hub's process did not start: %v %q\n%s", err, first, text)
	}
	p.url, p.node, p.ca, p.own = "http://"+said.Console, "https://"+said.Node, said.CA, said.Password
	return p
}

// filledDir is the data directory of a hub with two tenants, each with a cluster.
func filledDir(t *testing.T, names ...string) (dir string, tenants []*tenant) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	must(t, os.MkdirAll(dir, 0o700))
	s, err := store.Open(t.Context(), store.Options{DSN: "sqlite:" + filepath.Join(dir, "hub.db"), Now: now})
	must(t, err)
	_, _, err = s.Migrate(t.Context())
	must(t, err)
	for _, name := range names {
		tenants = append(tenants, newTenant(t, s, name))
	}
	must(t, s.Close())
	return dir, tenants
}

// leaves calls do with every place of a text in a JSON value, and a function that puts another text
// there.
func leaves(v any, at string, do func(at string, put func(text string))) {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			if _, ok := x[k].(string); ok {
				do(at+"."+k, func(text string) { x[k] = text })
			}
			leaves(x[k], at+"."+k, do)
		}
	case []any:
		for i := range x {
			if _, ok := x[i].(string); ok {
				do(at+"[]", func(text string) { x[i] = text })
			}
			leaves(x[i], at+"[]", do)
		}
	}
}

// input is one place of a request into which a caller writes text.
type input struct {
	operation, method, place string
	request                  func(text string) (path, body string)
}

// inputs are every text input of every operation of the document.
func (h *hub) inputs(own map[string]string) []input {
	h.t.Helper()
	w := &wall{hub: h}
	var all []input
	for _, o := range w.operations() {
		if o.id == "streamEvents" || o.id == "signOut" {
			continue
		}
		for _, r := range o.requests {
			path, body := fill(r.path, own), fill(r.body, own)
			for _, v := range inText.FindAllStringSubmatch(r.path, -1) {
				all = append(all, input{o.id, o.method, "path or query " + v[1], func(text string) (string, string) {
					values := cloned(own)
					values[v[1]] = text
					return fillEscaped(r.path, values), body
				}})
			}
			var places []string
			each(body, func(at string, _ func(string)) { places = append(places, at) })
			for _, place := range places {
				all = append(all, input{o.id, o.method, place, func(text string) (string, string) {
					return path, each(body, func(at string, put func(string)) {
						if at == place {
							put(text)
						}
					})
				}})
			}
		}
	}
	return all
}

// each walks a JSON text and answers what has become of it.
func each(body string, do func(at string, put func(text string))) string {
	var v any
	if json.Unmarshal([]byte(body), &v) != nil {
		return body
	}
	leaves(v, "", do)
	out, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return string(out)
}
