package vosapi

import (
	"slices"
	"strings"
)

// Code is why a machine refused, or why an operation failed.
type Code string

// The codes. Busy alone means: ask again later.
const (
	Malformed      Code = "malformed"
	WrongProtocol  Code = "wrong_protocol"
	UnknownVerb    Code = "unknown_verb"
	NotAllowed     Code = "not_allowed"
	NotSetUp       Code = "not_set_up"
	Busy           Code = "busy"              // another operation runs; Detail is its id
	Unknown        Code = "operation_unknown" // no operation of that id was ever started here
	Differs        Code = "operation_differs" // one of that id was started with other work
	TooLate        Code = "too_late"          // to cancel: it is disturbing or done
	RestartNeeded  Code = "restart_needed"    // after a failed upgrade or rollback
	WrongState     Code = "wrong_state"       // another version is active than was said
	NoInactive     Code = "no_inactive"       // nothing to switch to
	NotHigher      Code = "not_higher"        // switch: the inactive version is not the higher one
	NotLower       Code = "not_lower"         // rollback: the inactive version is not the lower one
	NoPatch        Code = "no_patch"          // no patch is installed
	NoSpace        Code = "no_space"
	TooLarge       Code = "too_large"
	Incomplete     Code = "incomplete" // put-done before all of it is there; Detail is how much is
	WrongDigest    Code = "wrong_digest"
	NoFile         Code = "no_file" // it was never put, or removed since
	BadBundle      Code = "bad_bundle"
	WrongProduct   Code = "wrong_product"
	WrongVersion   Code = "wrong_version" // the bundle is of another version than was said
	NotUpgrade     Code = "not_an_upgrade"
	NotPatch       Code = "not_a_patch" // of the active version, higher than the latest one
	Installed      Code = "already_installed"
	Unhealthy      Code = "unhealthy" // the version that was to start does not serve; the former runs
	StopFailed     Code = "stop_failed"
	StartFailed    Code = "start_failed"
	RestartFailed  Code = "restart_failed"
	WasCancelled   Code = "cancelled"
	TookTooLong    Code = "took_too_long"
	KeysNotWritten Code = "keys_not_written"
	Internal       Code = "internal"
)

// Codes lists them.
func Codes() []Code {
	all := make([]Code, 0, len(sentences))
	for c := range sentences {
		all = append(all, c)
	}
	slices.Sort(all)
	return all
}

// Refusal is a code as an error, in both languages.
type Refusal struct {
	Code   Code
	Detail string
}

// Is matches a Refusal of the same code, whatever its detail.
func (r *Refusal) Is(other error) bool {
	o, ok := other.(*Refusal)
	return ok && o.Code == r.Code
}

// Error is the sentence in English.
func (r *Refusal) Error() string { return r.Sentence("en") }

// Sentence says what it means, in "ja" or, for any other language, in English.
func (r *Refusal) Sentence(language string) string {
	t, ok := sentences[r.Code]
	if !ok {
		t = sentences[Internal]
	}
	s := t.en
	if language == "ja" {
		s = t.ja
	}
	detail := r.Detail
	if detail == "" {
		detail = "–"
	}
	return strings.ReplaceAll(s, "{detail}", detail)
}

type sentence struct{ en, ja string }

// sentences is the one table of the codes' sentences; it is never changed at run time.
var sentences = map[Code]sentence{
	Malformed:      {"the machine could not read the request", "要求を読み取れませんでした"},
	WrongProtocol:  {"the machine speaks another version of the protocol ({detail})", "プロトコルのバージョンが異なります({detail})"},
	UnknownVerb:    {"the machine does not know the request “{detail}”", "要求「{detail}」は不明です"},
	NotAllowed:     {"this key may not ask that of the machine", "この鍵ではその要求は許可されていません"},
	NotSetUp:       {"the machine is not set up for orchestration; run nodeclient vos setup there", "マシンがオーケストレーション用に設定されていません。nodeclient vos setup を実行してください"},
	Busy:           {"another operation is running on the machine ({detail})", "別の操作が実行中です({detail})"},
	Unknown:        {"the machine knows no such operation", "その操作は記録されていません"},
	Differs:        {"an operation of that id was started with other work", "同じ ID で別の操作が開始されています"},
	TooLate:        {"the operation cannot be cancelled any more", "操作はもう取り消せません"},
	RestartNeeded:  {"an upgrade or rollback failed on the machine; restart it before the next try", "アップグレードまたはロールバックに失敗しています。次の操作の前にマシンを再起動してください"},
	WrongState:     {"another version is active on the machine: {detail}", "アクティブなバージョンが異なります: {detail}"},
	NoInactive:     {"no inactive version is installed", "非アクティブなバージョンがありません"},
	NotHigher:      {"the inactive version is not higher than the active one ({detail})", "非アクティブなバージョンがアクティブなものより新しくありません({detail})"},
	NotLower:       {"the inactive version is not lower than the active one ({detail})", "非アクティブなバージョンがアクティブなものより古くありません({detail})"},
	NoPatch:        {"no patch is installed", "パッチはインストールされていません"},
	NoSpace:        {"there is not enough space on the machine's disk: {detail}", "ディスクの空き容量が足りません: {detail}"},
	TooLarge:       {"the file is too large ({detail} bytes)", "ファイルが大きすぎます({detail} バイト)"},
	Incomplete:     {"only {detail} bytes of the file have arrived", "ファイルは {detail} バイトしか届いていません"},
	WrongDigest:    {"what arrived is not the file that was announced; it was removed", "届いたファイルのハッシュが一致しないため削除しました"},
	NoFile:         {"the file is not on the machine", "ファイルがマシンにありません"},
	BadBundle:      {"the file cannot be installed: {detail}", "ファイルをインストールできません: {detail}"},
	WrongProduct:   {"the file is of another product: {detail}", "ファイルは別の製品のものです: {detail}"},
	WrongVersion:   {"the file is of another version: {detail}", "ファイルは別のバージョンのものです: {detail}"},
	NotUpgrade:     {"an upgrade must be higher than the active version ({detail})", "アップグレードはアクティブなバージョンより新しくなければなりません({detail})"},
	NotPatch:       {"a patch must be of the active version and higher than the latest one ({detail})", "パッチはアクティブなバージョン用で、最新のパッチより新しくなければなりません({detail})"},
	Installed:      {"that version is installed already ({detail})", "そのバージョンはすでにインストールされています({detail})"},
	Unhealthy:      {"the version did not start serving, and the former one was started again: {detail}", "新しいバージョンが正常に起動しなかったため、元のバージョンを再開しました: {detail}"},
	StopFailed:     {"the services could not be stopped: {detail}", "サービスを停止できませんでした: {detail}"},
	StartFailed:    {"the services do not serve: {detail}", "サービスが正常に稼働していません: {detail}"},
	RestartFailed:  {"the machine could not be restarted: {detail}", "マシンを再起動できませんでした: {detail}"},
	WasCancelled:   {"the operation was cancelled", "操作は取り消されました"},
	TookTooLong:    {"the operation did not end in time ({detail})", "操作が時間内に終わりませんでした({detail})"},
	KeysNotWritten: {"the control nodes' keys could not be stored: {detail}", "コントロールノードの鍵を保存できませんでした: {detail}"},
	Internal:       {"the machine failed: {detail}", "マシンでエラーが発生しました: {detail}"},
}
