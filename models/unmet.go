package models

import (
	"strconv"
	"strings"
)

// Need is the kind of requirement that a release has (R23).
type Need string

// The needs. The facts of a node bear the same words.
const (
	NeedsVersion Need = "min_version"
	NeedsVia     Need = "via"
	NeedsDisk    Need = "disk_bytes"
	NeedsMemory  Need = "memory_bytes"
	NeedsPackage Need = "package"
	// NeedsToldPackage: whether the package is there the node has not said.
	NeedsToldPackage Need = "package_untold"
)

// Unmet is one requirement that one node does not meet. It is the subject of requirement_unmet:
// String is the form that is stored and sent, and ReasonSentence makes of it what is missing and
// the cure, in both languages.
type Unmet struct {
	Node  FQDN
	What  Need
	Needs string
	Has   string // empty: not stated
}

// String is "NODE: WHAT NEEDS (HAS)", e.g. "cc-sub.localhost: disk_bytes 10737418240 (5368709120)".
func (u Unmet) String() string {
	has := u.Has
	if has == "" {
		has = "none"
	}
	return string(u.Node) + ": " + string(u.What) + " " + u.Needs + " (" + has + ")"
}

// ParseUnmet reads what String wrote.
func ParseUnmet(text string) (Unmet, bool) {
	node, rest, ok := strings.Cut(text, ": ")
	if !ok {
		return Unmet{}, false
	}
	what, rest, ok := strings.Cut(rest, " ")
	if !ok {
		return Unmet{}, false
	}
	at := strings.LastIndex(rest, " (")
	if at < 0 || !strings.HasSuffix(rest, ")") {
		return Unmet{}, false
	}
	u := Unmet{Node: FQDN(node), What: Need(what), Needs: rest[:at], Has: rest[at+2 : len(rest)-1]}
	if u.Has == "none" {
		u.Has = ""
	}
	_, known := unmetTexts[u.What]
	return u, known
}

// Sentence says what is missing and the cure.
func (u Unmet) Sentence(language string) string {
	t := unmetTexts[u.What]
	s, none := t.en, "unknown"
	if language == "ja" {
		s, none = t.ja, "不明"
	}
	needs, has := u.Needs, u.Has
	if u.What == NeedsDisk || u.What == NeedsMemory {
		needs, has = binarySize(needs), binarySize(has)
	}
	if has == "" {
		has = none
	}
	return strings.NewReplacer("{node}", string(u.Node), "{needs}", needs, "{has}", has).Replace(s)
}

// binarySize writes bytes as GiB or MiB, to a tenth; what is no number stays as it is.
func binarySize(text string) string {
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return text
	case n >= 1<<30:
		return strconv.FormatFloat(n/(1<<30), 'f', 1, 64) + " GiB"
	}
	return strconv.FormatFloat(n/(1<<20), 'f', 1, 64) + " MiB"
}

// unmetTexts is never changed at run time.
var unmetTexts = map[Need]text{
	NeedsVersion: {"{node} runs {has}, and the release can only follow {needs} or newer. Bring the node to {needs} first.",
		"{node} のバージョンは {has} ですが、このリリースには {needs} 以降が必要です。先に {needs} にしてください。"},
	NeedsVia: {"{node} runs {has}, and the release goes by way of {needs}. Publish {needs} to this channel, or install it first.",
		"{node} のバージョンは {has} ですが、このリリースは {needs} を経由します。先に {needs} を公開するか、インストールしてください。"},
	NeedsDisk: {"{node} needs {needs} of disk and has {has}. Give it a larger disk.",
		"{node} には {needs} のディスクが必要ですが、{has} です。ディスクを拡張してください。"},
	NeedsMemory: {"{node} needs {needs} of memory and has {has}. Give it more memory.",
		"{node} には {needs} のメモリが必要ですが、{has} です。メモリを増やしてください。"},
	NeedsPackage: {"{node} lacks the package {needs}. Install {needs} on it.",
		"{node} にパッケージ {needs} がありません。{needs} をインストールしてください。"},
	NeedsToldPackage: {"{node} has not said whether it has the package {needs}: it names only some of its many packages. Bring its nodeclient up to date.",
		"{node} にパッケージ {needs} があるかどうか不明です。パッケージが多く、一部しか通知されていません。nodeclient を最新にしてください。"},
}
