package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"connecthub/nodeclient/control/windriver"
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

// powershell takes the one command of the driver and the scripts that it brings; anything else is
// refused, so that a test notices when something else was made of them.
func (f folder) powershell(args []string, stdin []byte) (any, error) {
	command, err := windriver.Command()
	if err != nil {
		return nil, err
	}
	if got := "powershell.exe " + strings.Join(args, " "); got != string(command) {
		return nil, fmt.Errorf("that is no command of the driver: %.80q", got)
	}
	var q struct {
		Script  string          `json:"script"`
		Request json.RawMessage `json:"request"`
	}
	if err := json.Unmarshal(stdin, &q); err != nil {
		return nil, err
	}
	for script, do := range map[windriver.Script]func(json.RawMessage) (any, error){
		windriver.Facts: f.facts, windriver.Start: f.start, windriver.Status: f.status,
		windriver.Digest: f.digest} {
		if text, err := script.Text(); err == nil && text == q.Script {
			return do(q.Request)
		}
	}
	return nil, fmt.Errorf("that is no script of the driver")
}

func (f folder) facts(json.RawMessage) (answer any, err error) {
	err = f.view(func(m *machine) error {
		running, restart, err := f.standing(m)
		answer = map[string]any{"boot": m.Boot, "software": m.Software, "updates": m.Updates,
			"maintenance": m.Maintenance, "stopped": m.Stopped, "services": len(services()),
			"restartNeeded": m.RestartNeeded || restart, "diskFree": f.free(*m), "running": running}
		return err
	})
	return answer, err
}

// services are the machine's.
func services() []string {
	return []string{"Cisco ICM", "Cisco ICM Diagnostic Framework", "Cisco ICM Logger"}
}

func (f folder) free(m machine) int64 {
	if _, err := os.Stat(f.path("faults", "disk-full")); err == nil {
		return 0
	}
	return m.DiskFree
}

func (f folder) start(request json.RawMessage) (any, error) {
	var q struct {
		Work   map[string]any `json:"work"`
		Runner string         `json:"runner"`
	}
	if err := json.Unmarshal(request, &q); err != nil {
		return nil, err
	}
	id, _ := q.Work["id"].(string)
	if want, err := windriver.Runner.Text(); err != nil || q.Runner != want || !idPattern.MatchString(id) {
		return nil, fmt.Errorf("that is no operation of the driver")
	}
	return f.begin(id, q.Work)
}

func (f folder) status(request json.RawMessage) (any, error) {
	var q struct{ ID string }
	if err := json.Unmarshal(request, &q); err != nil || !idPattern.MatchString(q.ID) {
		return nil, fmt.Errorf("the id is malformed")
	}
	var o operation
	err := f.view(func(m *machine) (err error) {
		o, err = f.look(m, q.ID)
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return operation{ID: q.ID, State: "unknown"}, nil
	}
	return o, err
}

func (f folder) digest(request json.RawMessage) (any, error) {
	var q struct{ Name string }
	if err := json.Unmarshal(request, &q); err != nil || filepath.Base(q.Name) != q.Name {
		return nil, fmt.Errorf("the name is malformed")
	}
	answer := map[string]string{"folder": f.path("files"), "sha256": ""}
	file, err := os.Open(f.path("files", q.Name))
	if err != nil {
		return answer, nil //nolint:nilerr // a file that is not there has no digest
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return nil, err
	}
	answer["sha256"] = hex.EncodeToString(sum.Sum(nil))
	return answer, nil
}
