package compat

import "strings"

// Code names what a refusal is about; programs decide by it.
type Code string

// The codes.
const (
	NeedsVersion        Code = "needs_version"
	NeedsPatches        Code = "needs_patches"
	NeedsPackage        Code = "needs_package"
	NeedsDisk           Code = "needs_disk"
	NeedsPatchBefore    Code = "needs_patch_before"
	AdvisedVersion      Code = "advised_version"
	VersionUnknown      Code = "version_unknown"
	AlreadyThere        Code = "already_there"
	WouldGoBack         Code = "would_go_back"
	NotHigher           Code = "not_higher"
	NotLower            Code = "not_lower"
	IsAPatch            Code = "is_a_patch"
	NotAPatch           Code = "not_a_patch"
	OtherRelease        Code = "other_release"
	PathRefused         Code = "path_refused"
	PathUnknown         Code = "path_unknown"
	NotAllNodes         Code = "not_all_nodes"
	NotAllNodesPath     Code = "not_all_nodes_path"
	NotAllNodesMixed    Code = "not_all_nodes_mixed"
	NotOrchestrated     Code = "not_orchestrated"
	NotOrchestratedHere Code = "not_orchestrated_here"
	CloudConnectTooOld  Code = "cloud_connect_too_old"
	ReleaseTooOld       Code = "release_too_old"
	DeploymentUnknown   Code = "deployment_type"
	DeploymentCase      Code = "deployment_type_case"
	DeploymentUnfit     Code = "deployment_type_unsupported"
	NotOnboarded        Code = "not_onboarded"
	MustGoFirst         Code = "must_go_first"
	MustCatchUp         Code = "must_catch_up"
	MustGoBackFirst     Code = "must_go_back_first"
)

// Refusal is one reason why something is not done, or in an advice, why it would better not be. It
// is an error.
type Refusal struct {
	Code    Code   `json:"code"`
	Machine string `json:"machine,omitempty"` // whom it is about, where it is about one
	Product string `json:"product,omitempty"`
	Has     string `json:"has,omitempty"`     // a version, or an amount
	Needs   string `json:"needs,omitempty"`   // a version, a package, a list
	Instead string `json:"instead,omitempty"` // where one may go, where that is not there
}

// Error is for logs and for the prompt in English.
func (r Refusal) Error() string { return r.Sentence("en") }

// Sentence says what is wrong and what to do, in "ja" or, for any other language, in English.
func (r Refusal) Sentence(language string) string {
	t := texts[r.Code]
	s, none, instead := t.en, "an unknown version", " From {has} one may go to {to}."
	if language == "ja" {
		s, none, instead = t.ja, "不明なバージョン", "{has} からは {to} へアップグレードできます。"
	}
	has := r.Has
	if has == "" {
		has = none
	}
	if r.Instead == "" {
		instead = ""
	}
	s = strings.Replace(s, "{instead}", instead, 1)
	s = strings.NewReplacer("{product}", r.Product, "{has}", has, "{needs}", r.Needs,
		"{to}", r.Instead).Replace(s)
	if r.Machine != "" {
		s = r.Machine + ": " + s
	}
	return s
}

// Refusals are all the reasons at once.
type Refusals []Refusal

// Error is for logs and for the prompt in English.
func (r Refusals) Error() string { return r.Sentence("en") }

// Sentence holds each of them, one a line.
func (r Refusals) Sentence(language string) string {
	lines := make([]string, len(r))
	for i, one := range r {
		lines[i] = one.Sentence(language)
	}
	return strings.Join(lines, "\n")
}

// Err is nil where there is no reason.
func (r Refusals) Err() error {
	if len(r) == 0 {
		return nil
	}
	return r
}

type text struct{ en, ja string }

// texts is the one table of sentences; it is never changed at run time.
var texts = map[Code]text{
	NeedsVersion:        {"{product} has {has} and needs {needs} or later.", "{product} は {has} です。{needs} 以降が必要です。"},
	NeedsPatches:        {"{product} has {has} and needs {needs}.", "{product} は {has} です。{needs} が必要です。"},
	NeedsPackage:        {"{product} {has} needs the package {needs}; install it on both nodes, restart, and open a new CLI session.", "{product} {has} にはパッケージ {needs} が必要です。両方のノードにインストールして再起動し、新しい CLI セッションを開いてください。"},
	NeedsDisk:           {"{product} has a disk of {has} and needs {needs}: stop the server, grow the disk in vSphere, start the server.", "{product} のディスクは {has} です。{needs} が必要です。サーバを停止し、vSphere でディスクを拡張してから、サーバを起動してください。"},
	NeedsPatchBefore:    {"{product} has {has}: install {needs} first.", "{product} は {has} です。先に {needs} をインストールしてください。"},
	AdvisedVersion:      {"{product} has {has}; {needs} or later is advised.", "{product} は {has} です。{needs} 以降を推奨します。"},
	VersionUnknown:      {"The version of {product} is not known: test the connection, then try again.", "{product} のバージョンがわかりません。接続テストを行ってから、もう一度お試しください。"},
	AlreadyThere:        {"{product} has {has} already.", "{product} はすでに {has} です。"},
	WouldGoBack:         {"{product} has {has}; {needs} is older. Roll back instead.", "{product} は {has} です。{needs} はそれより古いバージョンです。ロールバックを使ってください。"},
	NotHigher:           {"The inactive version of {product}, {has}, must be higher than the active one, {needs}.", "{product} の非アクティブバージョン {has} は、アクティブバージョン {needs} より新しくなければなりません。"},
	NotLower:            {"The inactive version of {product}, {has}, must be lower than the active one, {needs}.", "{product} の非アクティブバージョン {has} は、アクティブバージョン {needs} より古くなければなりません。"},
	IsAPatch:            {"{needs} is a patch of {has}: install it with the patch manager.", "{needs} は {has} のパッチです。パッチマネージャでインストールしてください。"},
	NotAPatch:           {"{needs} is a release, not a patch: use the upgrade manager.", "{needs} はパッチではなくリリースです。アップグレードマネージャを使ってください。"},
	OtherRelease:        {"{product} has {has}; {needs} is a patch of another release.", "{product} は {has} です。{needs} は別のリリースのパッチです。"},
	PathRefused:         {"{product} cannot go from {has} to {needs}, neither orchestrated nor by hand.{instead}", "{product} を {has} から {needs} へは、オーケストレーションでも手動でもアップグレードできません。{instead}"},
	PathUnknown:         {"There is no upgrade path of {product} from {has} to {needs}.{instead}", "{product} の {has} から {needs} へのアップグレードパスはありません。{instead}"},
	NotAllNodes:         {"“All nodes” is not supported in deployments of {needs}: choose nodes.", "デプロイメントタイプ {needs} では「すべてのノード」を指定できません。ノードを選択してください。"},
	NotAllNodesPath:     {"“All nodes” is not supported from {has} to {needs}: choose nodes.", "{has} から {needs} へは「すべてのノード」を指定できません。ノードを選択してください。"},
	NotAllNodesMixed:    {"“All nodes” needs all nodes on one version; {product} has {has}, others have {needs}.", "「すべてのノード」を指定するには、全ノードが同じバージョンである必要があります。{product} は {has}、ほかは {needs} です。"},
	NotOrchestrated:     {"{product} is not orchestrated.", "{product} はオーケストレーションの対象外です。"},
	NotOrchestratedHere: {"{product} is not orchestrated in deployments of {needs}.", "デプロイメントタイプ {needs} では、{product} はオーケストレーションの対象外です。"},
	CloudConnectTooOld:  {"{needs} is more than this Cloud Connect, {has}, orchestrates: upgrade Cloud Connect first.", "この Cloud Connect({has})では {needs} をオーケストレーションできません。先に Cloud Connect をアップグレードしてください。"},
	ReleaseTooOld:       {"{product} has {has}; orchestration begins with {needs}.", "{product} は {has} です。オーケストレーションの対象は {needs} 以降です。"},
	DeploymentUnknown:   {"“{has}” is no deployment type.", "「{has}」はデプロイメントタイプではありません。"},
	DeploymentCase:      {"Write the deployment type as “{needs}”: case counts.", "デプロイメントタイプは「{needs}」と書いてください。大文字と小文字は区別されます。"},
	DeploymentUnfit:     {"Deployments of “{has}” are not supported.", "「{has}」のデプロイメントはサポートされていません。"},
	NotOnboarded:        {"{product} is not onboarded; {needs} depends on it.", "{product} がオンボードされていません。{needs} はこれに依存します。"},
	MustGoFirst:         {"{product} has {has} and must be at {needs} first.", "{product} は {has} です。先に {needs} にしてください。"},
	MustCatchUp:         {"{product} has {has}; beside the new version it must have {needs}.", "{product} は {has} です。新しいバージョンと併用するには {needs} でなければなりません。"},
	MustGoBackFirst:     {"{product} has {has}: take it back to {needs} first.", "{product} は {has} です。先に {needs} へ戻してください。"},
}

// Codes lists every code, in no order.
func Codes() []Code {
	all := make([]Code, 0, len(texts))
	for c := range texts {
		all = append(all, c)
	}
	return all
}
