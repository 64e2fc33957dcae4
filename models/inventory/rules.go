package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Rule names one rule of the file's form.
type Rule string

// The rules. Those of the text come first: when one of them is broken, the rest is not judged.
const (
	RuleSize          Rule = "size"
	RuleEncoding      Rule = "encoding"
	RuleLineEnding    Rule = "line_ending"
	RuleTab           Rule = "tab"
	RuleControl       Rule = "control_character"
	RuleIndirection   Rule = "indirection"
	RuleOneDocument   Rule = "one_document"
	RuleSyntax        Rule = "syntax"
	RuleKind          Rule = "kind"
	RuleUnknownKey    Rule = "unknown_key"
	RuleMissingKey    Rule = "missing_key"
	RuleTwice         Rule = "twice"
	RuleBlank         Rule = "blank"
	RuleProduct       Rule = "product"
	RuleProductCase   Rule = "product_case"
	RuleProductPlace  Rule = "product_place"
	RuleClusterName   Rule = "cluster_name"
	RuleGroupName     Rule = "group_name"
	RuleNoHosts       Rule = "no_hosts"
	RuleHostName      Rule = "host_name"
	RuleHostTwice     Rule = "host_twice"
	RuleSide          Rule = "side"
	RuleSameSide      Rule = "same_side"
	RuleType          Rule = "type"
	RulePublisher     Rule = "publisher"
	RuleSingleNode    Rule = "single_node"
	RuleUser          Rule = "user"
	RuleName          Rule = "deployment_name"
	RuleDeployment    Rule = "deployment_type"
	RuleDeployCase    Rule = "deployment_type_case"
	RuleDeployUnfit   Rule = "deployment_type_unsupported"
	RuleTooManyErrors Rule = "too_many"
)

// Problem is one broken rule and where. Line and Column count from 1, Column in characters.
type Problem struct {
	Line, Column int
	Rule         Rule
	Subject      string
}

// Error is for logs and for the prompt in English.
func (p Problem) Error() string { return p.Sentence("en") }

// Sentence says what is wrong and what to do, in "ja" or, for any other language, in English.
func (p Problem) Sentence(language string) string {
	t := texts[p.Rule]
	s, where := t.en, fmt.Sprintf("line %d, column %d: ", p.Line, p.Column)
	if language == "ja" {
		s, where = t.ja, fmt.Sprintf("%d 行 %d 列: ", p.Line, p.Column)
	}
	return where + strings.ReplaceAll(s, "{subject}", p.Subject)
}

type text struct{ en, ja string }

// texts is the one table of the rules' sentences; it is never changed at run time.
var texts = map[Rule]text{
	RuleSize:          {"The file is larger than 128 KiB or longer than 2,500 lines.", "ファイルが 128 KiB または 2,500 行を超えています。"},
	RuleEncoding:      {"The file must be UTF-8 without a byte order mark.", "ファイルは BOM なしの UTF-8 でなければなりません。"},
	RuleLineEnding:    {"Lines must end in UNIX style (LF); this one ends in CR.", "改行は UNIX 形式(LF)でなければなりません。この行には CR があります。"},
	RuleTab:           {"Indent with spaces; there is a tab.", "インデントには空白を使ってください。タブがあります。"},
	RuleControl:       {"There is a control character.", "制御文字があります。"},
	RuleIndirection:   {"Anchors, aliases and tags are not allowed.", "アンカー、エイリアス、タグは使えません。"},
	RuleOneDocument:   {"The file holds exactly one document.", "ファイルに含められるドキュメントは 1 つだけです。"},
	RuleSyntax:        {"This is not valid YAML: {subject}.", "YAML として正しくありません: {subject}。"},
	RuleKind:          {"Here belongs {subject}.", "ここには {subject} が必要です。"},
	RuleUnknownKey:    {"“{subject}” is not known here.", "「{subject}」はここでは使えません。"},
	RuleMissingKey:    {"“{subject}” is missing.", "「{subject}」がありません。"},
	RuleTwice:         {"“{subject}” stands here for the second time.", "「{subject}」が重複しています。"},
	RuleBlank:         {"“{subject}” must not be blank.", "「{subject}」は空にできません。"},
	RuleProduct:       {"“{subject}” is no product of this section.", "「{subject}」はこのセクションの製品ではありません。"},
	RuleProductCase:   {"Write the product as “{subject}”: case counts.", "製品名は「{subject}」と書いてください。大文字と小文字は区別されます。"},
	RuleProductPlace:  {"“{subject}” belongs to the other section.", "「{subject}」はもう一方のセクションの製品です。"},
	RuleClusterName:   {"A cluster is named “{subject}-Cluster-<number>”.", "クラスタ名は「{subject}-Cluster-<番号>」とします。"},
	RuleGroupName:     {"A pair's name has 1 to 64 letters, digits, hyphens, underscores and dots.", "ペア名は英数字、ハイフン、アンダースコア、ドットで 1~64 文字です。"},
	RuleNoHosts:       {"“{subject}” has no hosts; a product without machines is written as {}.", "「{subject}」にホストがありません。マシンのない製品は {} と書きます。"},
	RuleHostName:      {"“{subject}” is no IP address, host name or FQDN.", "「{subject}」は IP アドレス、ホスト名、FQDN のいずれでもありません。"},
	RuleHostTwice:     {"“{subject}” is in this section of the inventory already.", "「{subject}」はすでにこの製品に登録されています。"},
	RuleSide:          {"A side is \"A\" or \"B\", not “{subject}”.", "サイドは \"A\" または \"B\" です(「{subject}」は使えません)。"},
	RuleSameSide:      {"Both machines of “{subject}” are on one side; one is A, the other B.", "「{subject}」の 2 台が同じサイドです。一方を A、他方を B にしてください。"},
	RuleType:          {"A type is \"Publisher\" or \"Subscriber\", not “{subject}”.", "タイプは \"Publisher\" または \"Subscriber\" です(「{subject}」は使えません)。"},
	RulePublisher:     {"“{subject}” needs exactly one publisher.", "「{subject}」にはパブリッシャがちょうど 1 台必要です。"},
	RuleSingleNode:    {"“{subject}”: each VVB is a cluster of its own, of one publisher.", "「{subject}」: VVB は 1 台ごとに 1 つのクラスタ(パブリッシャ 1 台)です。"},
	RuleUser:          {"“{subject}” is no user: write name, name@domain or domain\\name.", "「{subject}」はユーザ名ではありません。name、name@domain、domain\\name の形式で書いてください。"},
	RuleName:          {"A deployment name has 1 to 128 characters.", "デプロイメント名は 1~128 文字です。"},
	RuleDeployment:    {"“{subject}” is no deployment type.", "「{subject}」はデプロイメントタイプではありません。"},
	RuleDeployCase:    {"Write the deployment type as “{subject}”: case counts.", "デプロイメントタイプは「{subject}」と書いてください。大文字と小文字は区別されます。"},
	RuleDeployUnfit:   {"Deployments of “{subject}” are not supported.", "「{subject}」のデプロイメントはサポートされていません。"},
	RuleTooManyErrors: {"There are more than {subject} problems; mend these first.", "問題が {subject} 件を超えています。まずこれらを修正してください。"},
}

// Rules lists every rule, in alphabetical order.
func Rules() []Rule {
	all := make([]Rule, 0, len(texts))
	for r := range texts {
		all = append(all, r)
	}
	slices.Sort(all)
	return all
}

// Problems are what is wrong with a file, in the order of its lines.
type Problems []Problem

// Error names the first and says how many there are.
func (p Problems) Error() string {
	switch len(p) {
	case 0:
		return "no problem"
	case 1:
		return p[0].Error()
	}
	return fmt.Sprintf("%s (and %d more)", p[0].Error(), len(p)-1)
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
