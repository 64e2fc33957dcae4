package commands

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/enroll"
)

const (
	maxLogFile = 2 * logs.MaxBytes
	lookAgain  = 500 * time.Millisecond
)

// File is "file …", at the prompt.
type File struct {
	List listBranch `cmd:"" help:"List logs."`
	Get  getBranch  `cmd:"" help:"Send logs to an SFTP server."`
	View viewBranch `cmd:"" help:"Print a log."`
	Tail tailBranch `cmd:"" help:"Print the end of a log, and what comes."`
}

type (
	listBranch struct {
		Activelog listLogs `cmd:"" help:"The logs of orchestration."`
	}
	getBranch struct {
		Activelog getLogs `cmd:"" help:"The logs of orchestration."`
	}
	viewBranch struct {
		Activelog viewLog `cmd:"" help:"A log of orchestration."`
	}
	tailBranch struct {
		Activelog tailLog `cmd:"" help:"A log of orchestration."`
	}
)

// activelogs are the names that the original's logs have, for whom knows those.
func activelogs(name logs.Name) string {
	return map[logs.Name]string{
		logs.Audit:     "orchestration-audit/audit.log",
		logs.CLI:       "platform/log/cli.log",
		logs.Procedure: "ansible/ansible.log",
		logs.Sync:      "ansible/sync_ansible_log_to_remote_cc.log",
		logs.Mail:      "ansible/ansible_email_cron.log",
		logs.Download:  "ansible/software_download_ansible.log",
		logs.Downloads: "ansible/software_download_ansible_history.log",
		logs.Jobs:      "ansible/software_download_process.log",
		logs.Onboard:   "ansible/onboarding.log",
	}[name]
}

// also are further names of one log.
func also(name logs.Name) []string {
	switch name {
	case logs.Procedure:
		return []string{"ansible/ansible_history.log"}
	case logs.Jobs:
		return []string{"ansible/ansible_component_cache_update_cron.log"}
	case logs.Audit, logs.CLI, logs.Sync, logs.Mail, logs.Download, logs.Downloads, logs.Onboard:
	}
	return nil
}

// original is a file's name in the original.
func original(file string) []string {
	for _, name := range logs.Names() {
		if suffix, ok := strings.CutPrefix(file, string(name)); ok {
			all := []string{activelogs(name) + suffix}
			for _, other := range also(name) {
				all = append(all, other+suffix)
			}
			return all
		}
	}
	return nil
}

// matching answers the logs that a name or a pattern means; both our names and the original's do.
func matching(s *console.Session, pattern string) ([]logs.File, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, console.Refuse("bad_pattern", "%s is no pattern", "%s はパターンとして正しくありません", pattern)
	}
	all, err := logs.List(s.Dir)
	if err != nil {
		return nil, err
	}
	pattern = strings.TrimPrefix(pattern, "/")
	found := slices.DeleteFunc(all, func(f logs.File) bool {
		return pattern != "" && !slices.ContainsFunc(append(original(f.Name), f.Name), func(name string) bool {
			ok, _ := path.Match(pattern, name)
			return ok || strings.HasPrefix(name, strings.TrimSuffix(pattern, "/")+"/")
		})
	})
	if len(found) == 0 && pattern != "" {
		return nil, console.Refuse("no_such_log", "there is no log %s; file list activelog names them",
			"ログ %s はありません。file list activelog で一覧を確認できます", pattern)
	}
	return found, nil
}

type listLogs struct {
	Pattern string `arg:"" optional:"" help:"A name or a pattern: orchestration-audit/audit.log*. Default: all."`
	JSON    bool   `help:"As JSON."`
}

// Run lists each log with its name in the original.
func (l listLogs) Run(s *console.Session) error {
	all, err := matching(s, l.Pattern)
	if err != nil {
		return err
	}
	if l.JSON {
		type row struct {
			logs.File
			Original string `json:"original"`
		}
		rows := make([]row, 0, len(all))
		for _, f := range all {
			rows = append(rows, row{f, original(f.Name)[0]})
		}
		return s.JSON(rows)
	}
	for _, f := range all {
		s.Say("%s  %9d  %-26s %s", f.Modified.Format(time.RFC3339), f.Size, f.Name, original(f.Name)[0])
	}
	s.Say("%s", plural(len(all), "file"))
	return nil
}

type getLogs struct {
	Pattern string `arg:"" help:"A name or a pattern: orchestration-audit/audit.log*."`
	serverFlags
	Yes bool `help:"Send them without asking."`
}

// Run sends the logs under this node's name, so that those of two nodes fit into one folder.
func (g getLogs) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return err
	}
	all, err := matching(s, g.Pattern)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return console.Refuse("no_such_log", "there is no log yet", "ログはまだありません")
	}
	size := int64(0)
	for _, f := range all {
		size += f.Size
	}
	p, err := g.place(s)
	if err != nil {
		return err
	}
	if err := s.Confirm(fmt.Sprintf("%s, %d bytes, will be sent.", plural(len(all), "file"), size), "yes",
		g.Yes); err != nil {
		return err
	}
	session, err := g.connect(s, p)
	if err != nil {
		return err
	}
	defer session.Close()
	for _, f := range all {
		text, err := readLog(s, f.Name)
		if err != nil {
			return err
		}
		name := logName(c.FQDN, f.Name)
		if err := session.Write(p.directory, name, text); err != nil {
			return fmt.Errorf("%w: %s", err, name)
		}
		s.Say("%s", path.Join(p.directory, name))
	}
	return p.remember(s.Dir)
}

func logName(node models.FQDN, file string) string { return string(node) + "-" + file }

func readLog(s *console.Session, name string) ([]byte, error) {
	f, err := logs.Read(s.Dir, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxLogFile))
	if err != nil {
		return nil, fmt.Errorf("cannot read the log: %w", err)
	}
	return text, nil
}

// single is the log that a name means; a pattern that means several is refused.
func single(s *console.Session, pattern string) (string, error) {
	all, err := matching(s, pattern)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", console.Refuse("several_logs", "%s means %d files; name one", "%s には %d 個のファイルが該当します。1 つ指定してください",
			pattern, len(all))
	}
	return all[0].Name, nil
}

type viewLog struct {
	File string `arg:"" help:"A log, by its name here or in the original."`
}

// Run prints the log as it is at this moment.
func (v viewLog) Run(s *console.Session) error {
	name, err := single(s, v.File)
	if err != nil {
		return err
	}
	text, err := readLog(s, name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(s.Out, console.Printable(string(text)))
	return err
}

type tailLog struct {
	File   string `arg:"" help:"A log, by its name here or in the original."`
	Lines  int    `default:"10" help:"How many lines of its end."`
	Follow *bool  `negatable:"" help:"Wait for what comes, until Ctrl-C. Default: at a terminal."`
}

// Run follows the file of that name, also when it was replaced because it was full.
func (t tailLog) Run(s *console.Session) error {
	name, err := single(s, t.File)
	if err != nil {
		return err
	}
	text, err := readLog(s, name)
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(string(text), "\n")
	if n := len(lines); lines[n-1] == "" {
		lines = lines[:n-1]
	}
	for _, line := range lines[max(0, len(lines)-max(0, t.Lines)):] {
		if _, err := io.WriteString(s.Out, console.Printable(line)); err != nil {
			return err
		}
	}
	if t.Follow == nil && !s.Terminal() || t.Follow != nil && !*t.Follow {
		return nil
	}
	return followLog(s, name, int64(len(text)))
}

func followLog(s *console.Session, name string, from int64) error {
	f, err := logs.Read(s.Dir, name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return fmt.Errorf("cannot read the log: %w", err)
	}
	r := bufio.NewReader(f)
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		for {
			line, err := r.ReadString('\n')
			if _, err := io.WriteString(s.Out, console.Printable(line)); err != nil {
				return err
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("cannot read the log: %w", err)
			}
		}
		select {
		case <-s.Ctx.Done():
			return nil
		case <-tick.C:
		}
		if fresh, ok := replaced(s, name, f); ok {
			_ = f.Close()
			f = fresh
			r.Reset(f)
		}
	}
}

// replaced opens the file that now has the name, if it is another one.
func replaced(s *console.Session, name string, f *os.File) (*os.File, bool) {
	fresh, err := logs.Read(s.Dir, name)
	if err != nil {
		return nil, false
	}
	now, err1 := fresh.Stat()
	before, err2 := f.Stat()
	if err1 != nil || err2 != nil || os.SameFile(now, before) {
		_ = fresh.Close()
		return nil, false
	}
	return fresh, true
}
