package commands

import (
	"fmt"

	"connecthub/nodeclient/control/conntest"
	"connecthub/nodeclient/control/console"
)

func statusWord(s conntest.Status, language string) string {
	words := map[conntest.Status][2]string{conntest.OK: {"success", "成功"},
		conntest.Remarks: {"success, with remarks", "成功(注意あり)"}, conntest.Broken: {"failed", "失敗"}}
	if language == "ja" {
		return words[s][1]
	}
	return words[s][0]
}

func count(all []conntest.Result, s conntest.Status) int {
	n := 0
	for _, r := range all {
		if r.Status == s {
			n++
		}
	}
	return n
}

type hintView struct {
	conntest.Hint
	Perhaps  bool   `json:"perhaps"`
	Sentence string `json:"sentence"`
}

type resultView struct {
	conntest.Result
	Hints []hintView `json:"hints"`
}

func resultsView(all []conntest.Result, language string) any {
	rows := make([]resultView, 0, len(all))
	for _, r := range all {
		row := resultView{r, make([]hintView, 0, len(r.Hints))}
		for _, h := range r.Hints {
			row.Hints = append(row.Hints, hintView{h, h.Perhaps(), console.Printable(h.Sentence(language))})
		}
		rows = append(rows, row)
	}
	return struct {
		OK      int          `json:"ok"`
		Remarks int          `json:"remarks"`
		Failed  int          `json:"failed"`
		Nodes   []resultView `json:"nodes"`
	}{count(all, conntest.OK), count(all, conntest.Remarks), count(all, conntest.Broken), rows}
}

// tellResults lists the machines in the order of the inventory, each with what to do.
func tellResults(s *console.Session, all []conntest.Result) {
	group, windows := "", false
	for _, r := range all {
		if g := fmt.Sprintf("%s / %s", r.Product, r.Group); g != group {
			group = g
			s.Say("%s", g)
		}
		s.Say("  %s (%s)  %s", r.Name, r.Side, statusWord(r.Status, s.Lang))
		for _, h := range r.Hints {
			mark := "    "
			if h.Perhaps() {
				mark = "      - "
			}
			s.Say("%s%s", mark, h.Sentence(s.Lang))
		}
		if r.OtherKey != "" {
			s.Say("      %s → %s", r.HostKey, r.OtherKey)
		}
		windows = windows || r.Status == conntest.Broken && !r.Product.VOS()
	}
	if s.Lang == "ja" {
		s.Say("%d 台: 成功 %d、注意あり %d、失敗 %d", len(all), count(all, conntest.OK),
			count(all, conntest.Remarks), count(all, conntest.Broken))
	} else {
		s.Say("%s: %d success, %d with remarks, %d failed", plural(len(all), "machine"),
			count(all, conntest.OK), count(all, conntest.Remarks), count(all, conntest.Broken))
	}
	if !windows {
		return
	}
	if s.Lang == "ja" {
		s.Say(`Windows マシン側の調査: C:\ProgramData\ssh\sshd_config の「# Logging」で SyslogFacility LOCAL0 と ` +
			`LogLevel DEBUG を設定し、OpenSSH SSH Server を再起動して、C:\ProgramData\ssh\logs\sshd.log を確認してください。`)
		return
	}
	s.Say(`To see more on a Windows machine: in C:\ProgramData\ssh\sshd_config, below “# Logging”, set SyslogFacility ` +
		`LOCAL0 and LogLevel DEBUG, restart OpenSSH SSH Server, and read C:\ProgramData\ssh\logs\sshd.log.`)
}
