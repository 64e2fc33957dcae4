package authkeys

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rule is a mistake that people make with the file.
type Rule string

// The rules.
const (
	RuleFileType  Rule = "file_type"
	RuleTooLong   Rule = "too_long"
	RuleEncoding  Rule = "encoding"
	RuleDocument  Rule = "document"
	RuleJSON      Rule = "json_pasted"
	RulePrivate   Rule = "private_key"
	RuleForm      Rule = "other_form"
	RuleCharacter Rule = "special_character"
	RuleTrailing  Rule = "trailing_space"
	RuleTwoKeys   Rule = "two_keys_on_one_line"
	RuleComma     Rule = "comma"
	RuleNoType    Rule = "type_missing"
	RuleWrapped   Rule = "key_wrapped"
	RuleDamaged   Rule = "key_damaged"
	RuleOptions   Rule = "options"
	RuleMissing   Rule = "key_missing"
)

// Problem is a mistake with where it stands. Line and Column count from 1; 0 is the whole file.
type Problem struct {
	Line    int
	Column  int
	Rule    Rule
	Subject string
}

// Sentence says it in "ja" or, for any other language, in English.
func (p Problem) Sentence(language string) string {
	text, where := sentences()[p.Rule].en, ""
	if language == "ja" {
		text = sentences()[p.Rule].ja
	}
	switch {
	case p.Line > 0 && language == "ja":
		where = fmt.Sprintf("%d 行 %d 列: ", p.Line, p.Column)
	case p.Line > 0:
		where = fmt.Sprintf("line %d, column %d: ", p.Line, p.Column)
	}
	return where + strings.ReplaceAll(text, "{subject}", p.Subject)
}

// Rules lists every rule, in alphabetical order.
func Rules() []Rule { return slices.Sorted(maps.Keys(sentences())) }

func sentences() map[Rule]struct{ en, ja string } {
	return map[Rule]struct{ en, ja string }{
		RuleFileType: {"The file is named “{subject}”. Name it authorized_keys, of the type File, without an extension; let Explorer show file name extensions.",
			"ファイル名が「{subject}」です。拡張子のない authorized_keys(種類は「ファイル」)にしてください。エクスプローラで拡張子を表示すると確認できます。"},
		RuleTooLong: {"The file is longer than 256 KiB; this is no authorized_keys file.",
			"ファイルが 256 KiB を超えています。authorized_keys ファイルではありません。"},
		RuleEncoding: {"The file is saved as {subject}. Save it as ANSI or UTF-8 without a byte order mark.",
			"ファイルが {subject} で保存されています。ANSI または BOM なしの UTF-8 で保存してください。"},
		RuleDocument: {"The file is a document of a word processor. Write it with a text editor.",
			"ワープロの文書ファイルです。テキストエディタで作成してください。"},
		RuleJSON: {"The whole JSON answer was pasted. Copy only what begins with ssh-rsa and ends with root@localhost, without the quotation marks.",
			"JSON の応答全体が貼り付けられています。ssh-rsa で始まり root@localhost で終わる部分だけを、引用符なしでコピーしてください。"},
		RulePrivate: {"This is a private key. Remove it, make a new pair, and put only public keys here.",
			"これは秘密鍵です。削除して鍵を作り直し、ここには公開鍵だけを置いてください。"},
		RuleForm: {"This key is in another form (PuTTY, SSH2). Copy the line that begins with ssh-rsa.",
			"鍵の形式が異なります(PuTTY、SSH2)。ssh-rsa で始まる行をコピーしてください。"},
		RuleCharacter: {"“{subject}” is a special character that no key line holds.",
			"「{subject}」は鍵の行に使えない特殊文字です。"},
		RuleTrailing: {"There is a space at the end of the line. Remove it.",
			"行末に余分なスペースがあります。削除してください。"},
		RuleTwoKeys: {"Two keys stand on one line; only the first counts. Put each on a line of its own.",
			"1 行に 2 つの鍵があります。有効なのは最初の鍵だけです。それぞれ別の行にしてください。"},
		RuleComma: {"There is a “{subject}”. Lines are not parted by commas; remove it.",
			"「{subject}」があります。行をカンマなどで区切る必要はありません。削除してください。"},
		RuleNoType: {"The line does not begin with ssh-rsa. Copy the key from there on.",
			"行が ssh-rsa で始まっていません。ssh-rsa からコピーしてください。"},
		RuleWrapped: {"The key is broken into several lines, or its end is missing. A key is one line.",
			"鍵が複数の行に分かれているか、途中で切れています。1 つの鍵は 1 行です。"},
		RuleDamaged: {"There is no key on this line that sshd can read. Copy it again.",
			"この行には sshd が読み取れる鍵がありません。もう一度コピーしてください。"},
		RuleOptions: {"The key of {subject} has options before it, which restrict what it may do. Remove them.",
			"{subject} の鍵の前にオプションがあり、操作が制限されます。オプションを削除してください。"},
		RuleMissing: {"The key of {subject} is missing, or no line holds it as a whole.",
			"{subject} の鍵がないか、完全な形の行がありません。"},
	}
}
