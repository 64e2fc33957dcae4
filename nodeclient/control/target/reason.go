package target

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/vosapi"
)

// Reason is why something failed or was left out, as it is kept: a code, and what its sentence is
// about. The sentence is made when it is shown, in the reader's language.
type Reason struct {
	Code  string   `json:"code,omitempty"`
	About []string `json:"about,omitempty"`
}

const (
	maxAbout     = 300
	exitPrefix   = "exit_"
	compatPrefix = "compat."
	nested       = "@" // an element of About that is a code itself
)

// Because is a reason; what it is about may be a machine's own words.
func Because(code string, about ...string) Reason {
	r := Reason{Code: code}
	for _, a := range about {
		r.About = append(r.About, Plain(a, maxAbout))
	}
	return r
}

// Inner is a reason without its parts, to stand in another one's About.
func (r Reason) Inner() string {
	if t, ok := sentences[r.Code]; ok && !strings.Contains(t.en, "{") {
		return nested + r.Code
	}
	return r.Sentence("en")
}

// Incompatible is what the compatibility facts say against a machine, which is named beside it.
func Incompatible(c compat.Refusal) Reason {
	return Because(compatPrefix+string(c.Code), c.Product, c.Has, c.Needs, c.Instead)
}

// Explain is the reason of an error.
func Explain(err error) Reason {
	var failed *Failure
	var refused *vosapi.Refusal
	var obstacle *Obstacle
	switch {
	case errors.As(err, &failed):
		return failed.Reason
	case errors.As(err, &obstacle):
		return obstacle.Reason
	case errors.As(err, &refused):
		return Refused(refused)
	}
	for _, known := range []struct {
		is   error
		code string
	}{{remote.ErrKeyUnknown, "host_key_unknown"}, {remote.ErrKeyChanged, "host_key_changed"},
		{remote.ErrKeyRefused, "own_key_refused"}, {remote.ErrTimeout, "no_answer"},
		{context.DeadlineExceeded, "no_answer"}, {remote.ErrUnreachable, "connection_refused"},
		{remote.ErrNoSSH, "no_ssh"}, {remote.ErrGone, "connection_lost"}, {remote.ErrDenied, "no_rights"},
		{remote.ErrDigest, string(vosapi.WrongDigest)}, {ErrAway, "connection_refused"}} {
		if errors.Is(err, known.is) {
			return Because(known.code)
		}
	}
	return Because("error", err.Error())
}

// Refused is a VOS machine's own reason.
func Refused(r *vosapi.Refusal) Reason {
	code := string(r.Code)
	if r.Code == vosapi.NoSpace {
		code = DiskFull
	}
	return Because(code, r.Detail)
}

// Sentence says it in "ja" or, for any other language, in English. It is empty where the code is not
// known here, or where what it is about was not kept.
func (r Reason) Sentence(language string) string {
	code, exit := r.Code, ""
	if number, ok := strings.CutPrefix(code, exitPrefix); ok {
		code, exit = exitPrefix, number
	}
	if of, ok := strings.CutPrefix(code, compatPrefix); ok && len(r.About) == 4 {
		return compat.Refusal{Code: compat.Code(of), Product: r.About[0], Has: r.About[1], Needs: r.About[2],
			Instead: r.About[3]}.Sentence(language)
	}
	t, ok := sentences[code]
	if !ok {
		return r.ofVOS(language)
	}
	text := t.en
	if language == "ja" {
		text = t.ja
	}
	if strings.Contains(text, fmt.Sprintf("{%d}", len(r.About))) {
		return "" // of a journal that kept only the English words
	}
	parts := []string{"{exit}", exit}
	for i, a := range r.About {
		if inner, ok := strings.CutPrefix(a, nested); ok {
			a = Reason{Code: inner}.Say(language, a)
		}
		parts = append(parts, fmt.Sprintf("{%d}", i), a)
	}
	text = strings.NewReplacer(parts...).Replace(text)
	return strings.NewReplacer(" ()", "", "()", "").Replace(text)
}

func (r Reason) ofVOS(language string) string {
	if !slices.Contains(vosapi.Codes(), vosapi.Code(r.Code)) {
		return ""
	}
	if len(r.About) == 0 {
		return ""
	}
	return (&vosapi.Refusal{Code: vosapi.Code(r.Code), Detail: r.About[0]}).Sentence(language)
}

// Say is the sentence, or where there is none what was written down instead.
func (r Reason) Say(language, written string) string {
	if s := r.Sentence(language); s != "" {
		return s
	}
	return written
}

// Codes lists the codes of this package's own sentences; exit_ stands for one with a number.
func Codes() []string { return slices.Sorted(maps.Keys(sentences)) }

// Obstacle is a reason that is not the machine's own word: what became of the operation is not known.
type Obstacle struct {
	Reason
	Err error
}

// Unclear is an Obstacle of a machine that gave no usable answer. It is not the machine's word that an
// operation failed: doing it again with the same id is safe, and with another one it is not.
func Unclear(code string, about ...string) *Obstacle {
	r := Because(code, about...)
	return &Obstacle{r, errors.New(r.Say("en", code))}
}

// Error is the sentence in English.
func (o *Obstacle) Error() string { return o.Sentence("en") }

// Unwrap is what was met.
func (o *Obstacle) Unwrap() error { return o.Err }

// sentences is the one table of the reasons; it is never changed at run time.
var sentences = map[string]struct{ en, ja string }{
	// what a step ended with
	exitPrefix: {"the program on the machine failed with exit code {exit} ({0})",
		"マシン上のプログラムが終了コード {exit} で失敗しました({0})"},
	"installer_failed":      {"the installer failed", "インストーラが失敗しました"},
	"not_on_the_machine":    {"it is not installed", "インストールされていません"},
	"windows_update_failed": {"Windows Update failed", "Windows Update が失敗しました"},
	"script":                {"the machine could not do what it was asked ({0})", "マシンが要求を実行できませんでした({0})"},
	"answer":                {"the machine's answer was not understood ({0})", "マシンの応答を解釈できませんでした({0})"},
	"name":                  {"the file's name is not allowed", "ファイル名が許可されていません"},
	"busy":                  {"another operation is running on the machine ({0})", "マシンで別の操作が実行中です({0})"},
	"lost":                  {"the machine was restarted in the middle of the operation", "操作の途中でマシンが再起動されました"},
	"unknown":               {"the machine knows no such operation", "マシンがこの操作に対応していません"},
	"failed":                {"the operation failed on the machine ({0})", "マシンでの操作が失敗しました({0})"},
	"changed": {"the machine has {0}, the plan was made for {1}",
		"マシンのバージョンは {0} ですが、計画は {1} を前提としています"},
	DiskFull:             {"there is not enough room on the machine's disk ({0})", "マシンのディスクの空き容量が足りません({0})"},
	"not_in_maintenance": {"the machine is not in maintenance", "マシンがメンテナンス中になっていません"},
	"not_serving":        {"the machine does not serve ({0})", "マシンがサービスを提供していません({0})"},
	"not_verified": {"the machine has {0}, which is not what {1} leads to",
		"マシンのバージョンは {0} で、{1} の結果になっていません"},
	"timeout":       {"it did not end in time ({0})", "時間内に終わりませんでした({0})"},
	"error":         {"it failed: {0}", "失敗しました: {0}"},
	"there_already": {"it was there already", "すでに適用されていました"},
	// the other machines of its pair or cluster
	"peer_in_maintenance": {"{0} is not disturbed: {1} of the same pair or cluster is in maintenance",
		"同じペアまたはクラスタの {1} がメンテナンス中のため、{0} では実行しませんでした"},
	"peer_busy": {"{0} is not disturbed: an operation is running on {1} of the same pair or cluster ({2})",
		"同じペアまたはクラスタの {1} で操作が実行中のため、{0} では実行しませんでした({2})"},
	"peer_down": {"{0} is not disturbed: {1} of the same pair or cluster does not serve ({2})",
		"同じペアまたはクラスタの {1} がサービスを提供していないため、{0} では実行しませんでした({2})"},
	"peer_away": {"{0} is not disturbed, because the other machine of {1}, {2}, does not answer ({3})",
		"{1} のもう一方のマシン {2} が応答しないため、{0} では実行しませんでした({3})"},
	"peer_orchestrates": {"it is not disturbed, because another control node, {0}, works on machines, too ({1})",
		"もう一方の制御ノード {0} もマシンに対して操作を行っているため({1})、実行しませんでした"},
	// on the way to the machine
	"connection_refused": {"the machine cannot be reached", "マシンに接続できません"},
	"no_answer":          {"the machine did not answer in time", "マシンから時間内に応答がありません"},
	"no_ssh":             {"what answers there does not speak SSH as this node does", "応答は、このノードと通信できる SSH ではありません"},
	"connection_lost":    {"the connection to the machine was lost", "マシンとの接続が切れました"},
	"host_key_unknown": {"nobody has confirmed the machine's host key; run: utils deployment host-key confirm",
		"マシンのホスト鍵が未確認です。utils deployment host-key confirm を実行してください"},
	"host_key_changed": {"the machine's host key is another one than was confirmed; run: utils deployment test-connection",
		"マシンのホスト鍵が、確認済みのものと異なります。utils deployment test-connection を実行してください"},
	"own_key_refused": {"the machine refuses this node's key; run: utils deployment test-connection",
		"このノードの鍵がマシンに拒否されました。utils deployment test-connection を実行してください"},
	"no_rights": {"the machine does not allow this user to do that", "このユーザにはマシンでの権限がありません"},
	// why a machine is left out
	"no_patch_installed": {"No patch installed", "インストールされているパッチはありません"},
	"no_patch_available": {"No patch available", "適用できるパッチはありません"},
	"latest_version":     {"It is at the latest version", "最新のバージョンです"},
	"update_missing":     {"{0} is not installed", "{0} はインストールされていません"},
	"never_onboarded": {"it was never onboarded; run utils system onboard initiate on the publisher of its cluster",
		"オンボードされていません。クラスタのパブリッシャで utils system onboard initiate を実行してください"},
	"not_in_the_cache":       {"it is not in the cache", "キャッシュにありません"},
	"no_inactive_version":    {"there is no inactive version", "非アクティブのバージョンがありません"},
	"in_maintenance_already": {"it is in maintenance already", "すでにメンテナンス中です"},
	"knows_no_maintenance": {"its version knows no maintenance mode: {0}",
		"このバージョンはメンテナンスモードに対応していません: {0}"},
	"no_way_to": {"it cannot go to {0}", "{0} へは移行できません"},
}
