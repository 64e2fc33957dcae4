package mail

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Status is how something ended for one node.
type Status string

// The statuses.
const (
	Succeeded  Status = "success"
	Failed     Status = "failure"
	NotStarted Status = "not_started"
	Skipped    Status = "skipped" // nothing was to be done there
)

// Kind is a type of procedure.
type Kind string

// The procedures that a mail is sent about. There is none about patches.
const (
	Upgrade       Kind = "upgrade"
	Rollback      Kind = "rollback"
	SwitchForward Kind = "switch_forward"
	SystemUpgrade Kind = "system_upgrade" // Cloud Connect itself
)

// Node is one machine of a procedure.
type Node struct {
	Machine, Product string
	From, To         string // versions; empty where they are not known
	Status           Status
	Note             func(language string) string // why, where it failed; may be nil
}

// Procedure is what a procedure did, or one stage of it.
type Procedure struct {
	Kind           Kind
	DeploymentName string // of the inventory; may be empty
	Stage, Stages  int    // 0: the procedure as a whole
	Started, Ended time.Time
	By             string
	Nodes          []Node
}

// Status is success where everything succeeded, failure where nothing did, else partial success.
func (p Procedure) status() string {
	good, bad := 0, 0
	for _, n := range p.Nodes {
		switch n.Status {
		case Succeeded, Skipped:
			good++
		case Failed, NotStarted:
			bad++
		}
	}
	switch {
	case bad == 0:
		return "success"
	case good == 0:
		return "failure"
	}
	return "partial_success"
}

// Software is one file of the software repository.
type Software struct {
	Product, Version, File, Notes string
}

// Trouble is a failure that people are told of.
type Trouble struct {
	When   time.Time
	Reason func(language string) string // a sentence
	Until  time.Time                    // when a token ends; zero elsewhere
}

const (
	maxSubject = 200
	maxLine    = 500
	maxNotes   = 8 << 10
	maxBody    = 200 << 10
)

// clean makes one printable line of what others wrote, so that it can never begin a header or steer
// a terminal.
func clean(s string) string { return cut(oneLine(s), maxLine) }

func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	// What looks like an encoded word would be decoded by who reads it.
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "=?", "= ?")
}

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

type letter struct{ Subject, Body string }

// page collects lines; values are cleaned on their way in.
type page struct {
	language, server string
	zone             *time.Location
	lines            []string
}

func (p *page) word(key string) string {
	if p.language == "ja" {
		return words[key].ja
	}
	return words[key].en
}

func (p *page) line(indent, key, value string) {
	if value = clean(value); value != "" {
		p.lines = append(p.lines, indent+p.word(key)+": "+value)
	}
}

func (p *page) time(key string, t time.Time) {
	if !t.IsZero() {
		p.line("", key, t.In(p.zone).Format("2006-01-02 15:04:05 MST (-07:00)"))
	}
}

func (p *page) gap(texts ...string) { p.lines = append(append(p.lines, ""), texts...) }

func (p *page) body() string {
	p.gap(p.word("footer"))
	text := strings.Join(p.lines, "\n") + "\n"
	if len(text) > maxBody {
		text = strings.ToValidUTF8(text[:maxBody], "") + "…\n"
	}
	return text
}

func (p *page) subject(parts ...string) string {
	var said []string
	for _, s := range parts {
		if s = oneLine(s); s != "" {
			said = append(said, s)
		}
	}
	return cut(strings.Join(said, " - "), maxSubject)
}

func (p Procedure) write(to *page) letter {
	kind, status := to.word(string(p.Kind)), to.word(p.status())
	if p.Stage > 0 {
		kind += fmt.Sprintf(to.word("stage"), p.Stage, p.Stages)
	}
	to.line("", "procedure", kind)
	to.line("", "status", status)
	to.line("", "deployment", p.DeploymentName)
	to.line("", "server", to.server)
	to.time("started", p.Started)
	to.time("ended", p.Ended)
	to.line("", "by", p.By)
	for _, n := range p.Nodes {
		to.gap(clean(n.Machine + " (" + n.Product + ")"))
		to.line("  ", "from", orDash(n.From))
		to.line("  ", "to", orDash(n.To))
		to.line("  ", "status", to.word(string(n.Status)))
		if n.Note != nil {
			to.line("  ", "note", n.Note(to.language))
		}
	}
	return letter{to.subject(p.DeploymentName, kind, status), to.body()}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func writeSoftware(p *page, deployment string, all []Software) letter {
	p.lines = append(p.lines, p.word("new_intro"))
	p.line("", "deployment", deployment)
	p.line("", "server", p.server)
	for _, s := range all {
		p.gap(clean(s.Product + " " + s.Version))
		p.line("  ", "file", s.File)
		for n := range strings.Lines(cut(s.Notes, maxNotes)) {
			if n = clean(n); n != "" {
				p.lines = append(p.lines, "  "+n)
			}
		}
	}
	return letter{p.subject(deployment, p.word("new_subject"), strconv.Itoa(len(all))), p.body()}
}

func writeTrouble(p *page, what, deployment string, t Trouble) letter {
	p.lines = append(p.lines, p.word(what+"_intro"))
	p.line("", "deployment", deployment)
	p.line("", "server", p.server)
	p.time("when", t.When)
	p.time("until", t.Until)
	if t.Reason != nil {
		p.line("", "reason", t.Reason(p.language))
	}
	return letter{p.subject(deployment, p.word(what+"_subject")), p.body()}
}

func writeTest(p *page, now time.Time) letter {
	p.lines = append(p.lines, p.word("test_intro"))
	p.line("", "server", p.server)
	p.time("when", now)
	return letter{p.subject(p.word("test_subject")), p.body()}
}

// words is the one table of the letters' words; it is never changed at run time.
var words = map[string]text{
	"upgrade":         {"Upgrade", "アップグレード"},
	"rollback":        {"Rollback", "ロールバック"},
	"switch_forward":  {"Switch forward", "スイッチフォワード"},
	"system_upgrade":  {"Cloud Connect upgrade", "Cloud Connect のアップグレード"},
	"success":         {"Success", "成功"},
	"failure":         {"Failure", "失敗"},
	"partial_success": {"Partial success", "一部成功"},
	"not_started":     {"Not started", "未実行"},
	"skipped":         {"Nothing to do", "対象なし"},
	"stage":           {", stage %d of %d", "(ステージ %d/%d)"},

	"procedure":  {"Procedure", "処理"},
	"status":     {"Status", "状態"},
	"deployment": {"Deployment", "デプロイメント"},
	"server":     {"Cloud Connect server", "Cloud Connect サーバ"},
	"started":    {"Started (server time)", "開始(サーバ時刻)"},
	"ended":      {"Ended (server time)", "終了(サーバ時刻)"},
	"when":       {"Time (server time)", "時刻(サーバ時刻)"},
	"until":      {"The token ends (server time)", "トークンの期限(サーバ時刻)"},
	"by":         {"Started by", "実行者"},
	"from":       {"FromVersion", "FromVersion"},
	"to":         {"ToVersion", "ToVersion"},
	"note":       {"Note", "備考"},
	"file":       {"File", "ファイル"},
	"reason":     {"Reason", "理由"},
	"footer":     {"You get this mail because you are subscribed on the Cloud Connect server (utils smtp subscribe).", "このメールは、Cloud Connect サーバで登録されたアドレス(utils smtp subscribe)に送信しています。"},

	"new_subject":      {"New software", "新しいソフトウェア"},
	"new_intro":        {"New software was downloaded and can be installed.", "新しいソフトウェアをダウンロードしました。インストールできます。"},
	"download_subject": {"Software download failed", "ソフトウェアのダウンロード失敗"},
	"download_intro":   {"Software could not be downloaded from the repository.", "リポジトリからソフトウェアをダウンロードできませんでした。"},
	"rotation_subject": {"Token rotation failed", "トークンの自動更新失敗"},
	"rotation_intro":   {"The identity token of the software repository could not be rotated. Rotate it, or set a new one, before it ends.", "ソフトウェアリポジトリのアイデンティティトークンを更新できませんでした。期限までに更新するか、新しいトークンを設定してください。"},
	"test_subject":     {"Test mail", "テストメール"},
	"test_intro":       {"This is the test mail of utils smtp test-connection.", "utils smtp test-connection のテストメールです。"},
}
