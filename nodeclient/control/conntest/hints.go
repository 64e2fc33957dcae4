package conntest

import (
	"slices"
	"strings"

	"connecthub/nodeclient/control/authkeys"
)

// Code is what was found out about a machine, and what to do about it. Those of package authkeys count
// here, too.
type Code string

// The codes of this package.
const (
	NameNotResolved  Code = "name_not_resolved"
	Refused          Code = "connection_refused"
	TimedOut         Code = "no_answer"
	NoSSH            Code = "no_ssh"
	HostKeyUnknown   Code = "host_key_unknown"
	HostKeyChanged   Code = "host_key_changed"
	HungUp           Code = "hung_up"
	KeysNotTaken     Code = "keys_not_taken"
	OpenToAll        Code = "open_to_all"
	OwnKeyRefused    Code = "own_key_refused"
	PeerKeyRefused   Code = "peer_key_refused"
	PeerKeyUnknown   Code = "peer_key_unknown"
	BothRefused      Code = "both_keys_refused"
	SignInFailed     Code = "sign_in_failed"
	PerhapsPlace     Code = "perhaps_wrong_place"
	PerhapsAdmin     Code = "perhaps_administrator"
	PerhapsFileType  Code = "perhaps_file_type"
	PerhapsLines     Code = "perhaps_lines"
	PerhapsUser      Code = "perhaps_user"
	PerhapsRights    Code = "perhaps_rights"
	PerhapsRestart   Code = "perhaps_not_restarted"
	PerhapsOwnLine   Code = "perhaps_own_line"
	OtherFile        Code = "wrong_folder"
	AdminFile        Code = "wrong_folder_administrator"
	NoAuthorizedKeys Code = "no_authorized_keys"
	NotRestarted     Code = "service_not_restarted"
	NoRights         Code = "user_without_rights"
	FilesUnseen      Code = "files_unseen"
	NotOnboarded     Code = "not_onboarded"
	OnboardUpdate    Code = "onboard_update"
	NoAnswer         Code = "machine_refused"
	OtherMachine     Code = "other_machine"
	PowerShell       Code = "powershell_failed"
	Failed           Code = "test_failed"
)

// Hint is a code with what its sentence names. Line and Column are of a file that was looked at.
type Hint struct {
	Code    Code   `json:"code"`
	Subject string `json:"subject,omitempty"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
}

// Sentence says what is the matter and what to do, in "ja" or, for any other language, in English.
func (h Hint) Sentence(language string) string {
	if slices.Contains(authkeys.Rules(), authkeys.Rule(h.Code)) {
		s := authkeys.Problem{Line: h.Line, Column: h.Column, Rule: authkeys.Rule(h.Code),
			Subject: h.Subject}.Sentence(language)
		if h.File != "" {
			s = h.File + ": " + s
		}
		return s
	}
	t := sentences[h.Code]
	text := t.en
	if language == "ja" {
		text = t.ja
	}
	return strings.NewReplacer("{subject}", h.Subject, "{file}", h.File).Replace(text)
}

// Perhaps says whether the hint is one possible cause among others: what was seen does not tell them
// apart.
func (h Hint) Perhaps() bool { return strings.HasPrefix(string(h.Code), "perhaps_") }

// Codes lists every code of this package, in alphabetical order.
func Codes() []Code {
	all := make([]Code, 0, len(sentences))
	for c := range sentences {
		all = append(all, c)
	}
	slices.Sort(all)
	return all
}

// sentences is the one table of the hints; it is never changed at run time.
var sentences = map[Code]struct{ en, ja string }{
	NameNotResolved: {"The name {subject} cannot be resolved. Check the spelling in the inventory, and this node's DNS.",
		"名前 {subject} を解決できません。インベントリの綴りと、このノードの DNS を確認してください。"},
	Refused: {"{subject} cannot be reached: nothing answers there. Check that the service OpenSSH SSH Server runs, the port (show orchestration ssh-port) and the firewall.",
		"{subject} に接続できません。応答するサービスがありません。OpenSSH SSH Server サービスの稼働、ポート番号(show orchestration ssh-port)、ファイアウォールを確認してください。"},
	TimedOut: {"{subject} did not answer in time. The machine may be down, or a firewall drops the connection.",
		"{subject} から時間内に応答がありません。マシンの停止、またはファイアウォールによる遮断が考えられます。"},
	NoSSH: {"What answers at {subject} does not speak SSH as this node does. Check the port, and update OpenSSH there if it is old.",
		"{subject} の応答は、このノードと通信できる SSH ではありません。ポート番号を確認し、OpenSSH が古い場合は更新してください。"},
	HostKeyUnknown: {"Nobody has confirmed the host key of {subject}; it was told nothing. Compare the fingerprint at the machine, then run: utils deployment host-key confirm",
		"{subject} のホスト鍵が未確認のため、何も送信していません。マシン側でフィンガープリントを照合し、utils deployment host-key confirm を実行してください。"},
	HostKeyChanged: {"The host key of {subject} is another one than was confirmed; no key was used. If the machine was installed anew, run: utils deployment host-key forget, then confirm. Otherwise somebody may stand in between.",
		"{subject} のホスト鍵が、確認済みのものと異なります。鍵は使用していません。マシンを再インストールした場合は utils deployment host-key forget を実行してから確認し直してください。そうでない場合は、通信への割り込みが疑われます。"},
	HungUp: {"{subject} ended the connection during the sign-in. Look into its sshd.log, with SyslogFacility LOCAL0 and LogLevel DEBUG in sshd_config.",
		"サインイン中に {subject} が接続を切断しました。sshd_config に SyslogFacility LOCAL0 と LogLevel DEBUG を設定し、sshd.log を確認してください。"},
	KeysNotTaken: {"sshd takes no public keys from this user (it offers: {subject}). Set PubkeyAuthentication yes in sshd_config, look for a Match block that forbids it, and restart OpenSSH SSH Server.",
		"sshd がこのユーザの公開鍵認証を受け付けていません(利用可能: {subject})。sshd_config で PubkeyAuthentication yes を設定し、禁止する Match ブロックがないことを確認して、OpenSSH SSH Server を再起動してください。"},
	OpenToAll: {"sshd lets this user in without any key or password. Forbid it: PermitEmptyPasswords no.",
		"sshd が、鍵もパスワードもなしにこのユーザを受け入れています。PermitEmptyPasswords no で禁止してください。"},
	OwnKeyRefused: {"The machine refuses this node's key, {subject}.",
		"このノードの鍵 {subject} が拒否されました。"},
	PeerKeyRefused: {"The machine refuses the other control node's key, {subject}: after a failover it could not be orchestrated.",
		"もう一方のコントロールノードの鍵 {subject} が拒否されました。このままではフェイルオーバー後にオーケストレーションできません。"},
	PeerKeyUnknown: {"The key of the other control node, {subject}, is not known here yet, so it was not tested. The nodes exchange their keys once both run.",
		"もう一方のコントロールノード {subject} の鍵がまだこのノードに届いていないため、テストしていません。両方のノードが稼働すると鍵が交換されます。"},
	BothRefused: {"The machine refuses the keys of all control nodes: it does not read the file where they stand, or no line of it holds. Possible causes:",
		"すべてのコントロールノードの鍵が拒否されました。鍵のファイルが読み込まれていないか、有効な行がありません。考えられる原因:"},
	SignInFailed: {"The machine takes this node's key and then refuses the sign-in. The user {subject} may be disabled or locked, or may not sign in from the network.",
		"鍵は受け付けられましたが、サインインが拒否されました。ユーザ {subject} が無効またはロックされているか、ネットワーク経由のログオンが許可されていません。"},
	PerhapsPlace: {"the file is not at %Users%\\{subject}\\.ssh\\authorized_keys of the user that stands in the inventory",
		"インベントリに記載したユーザの %Users%\\{subject}\\.ssh\\authorized_keys にファイルがない"},
	PerhapsAdmin: {"the user is an administrator and sshd_config has the block “Match Group administrators”: then only C:\\ProgramData\\ssh\\administrators_authorized_keys counts. Put the keys there, or comment that block out",
		"ユーザが管理者で、sshd_config に「Match Group administrators」ブロックがある。この場合、有効なのは C:\\ProgramData\\ssh\\administrators_authorized_keys だけ。そこに鍵を置くか、ブロックをコメントアウトする"},
	PerhapsFileType: {"the file is authorized_keys.txt: its type must be File, without an extension",
		"ファイルが authorized_keys.txt になっている。種類は拡張子のない「ファイル」でなければならない"},
	PerhapsLines: {"its lines are wrong: the whole JSON pasted, both keys on one line, a space or a comma, a broken key. Judge a copy: utils deployment check-authorized-keys FILE",
		"行の内容が誤っている(JSON 全体の貼り付け、1 行に 2 つの鍵、余分なスペースやカンマ、壊れた鍵)。コピーを utils deployment check-authorized-keys FILE で検査できる"},
	PerhapsUser: {"the user {subject} was deleted, or is spelled otherwise there",
		"ユーザ {subject} が削除されたか、綴りが異なる"},
	PerhapsRights: {"others than the user, SYSTEM and Administrators may write the file or its folder; sshd ignores it then",
		"ユーザ本人、SYSTEM、Administrators 以外にファイルまたはフォルダへの書き込み権限がある(sshd は無視する)"},
	PerhapsRestart: {"OpenSSH SSH Server and OpenSSH Authentication Agent were not restarted",
		"OpenSSH SSH Server と OpenSSH Authentication Agent を再起動していない"},
	PerhapsOwnLine: {"the line of this node's key is missing or broken, while the other one's holds: both keys on one line, a comma, a part that was not copied. Judge a copy: utils deployment check-authorized-keys FILE",
		"このノードの鍵の行がないか壊れている(もう一方の鍵は有効)。1 行に 2 つの鍵、カンマ、コピー漏れなど。コピーを utils deployment check-authorized-keys FILE で検査できる"},
	OtherFile: {"The key of {subject} stands in {file}, which sshd does not read for this user. Put it into the file in which this node's key stands.",
		"{subject} の鍵は {file} にありますが、このユーザでは読み込まれません。このノードの鍵と同じファイルに入れてください。"},
	AdminFile: {"The user is an administrator: sshd reads C:\\ProgramData\\ssh\\administrators_authorized_keys, not {file}. Put the key of {subject} there.",
		"ユーザは管理者のため、{file} ではなく C:\\ProgramData\\ssh\\administrators_authorized_keys が読み込まれます。{subject} の鍵をそこに入れてください。"},
	NoAuthorizedKeys: {"No authorized_keys file was found where sshd usually reads it; see AuthorizedKeysFile in sshd_config.",
		"sshd が通常読み込む場所に authorized_keys ファイルがありません。sshd_config の AuthorizedKeysFile を確認してください。"},
	NotRestarted: {"The key of {subject} stands rightly in {file}, and sshd refuses it. Restart OpenSSH SSH Server and OpenSSH Authentication Agent; check who may write the file.",
		"{subject} の鍵は {file} に正しく記載されていますが、sshd が拒否しています。OpenSSH SSH Server と OpenSSH Authentication Agent を再起動し、ファイルの書き込み権限を確認してください。"},
	NoRights: {"The user {subject} has no administrator rights on the machine. Orchestration needs a domain administrator, or a user with local administrator rights.",
		"ユーザ {subject} にマシンの管理者権限がありません。ドメイン管理者、またはローカル管理者権限を持つユーザが必要です。"},
	FilesUnseen: {"authorized_keys could not be looked at ({subject}); its rules were not checked.",
		"authorized_keys を読み取れなかったため({subject})、規則を検査していません。"},
	NotOnboarded: {"The machine is in the inventory and was not onboarded. Run utils system onboard initiate on the publisher of its cluster.",
		"インベントリにありますが、オンボードされていません。クラスタのパブリッシャで utils system onboard initiate を実行してください。"},
	OnboardUpdate: {"Run utils system onboard update on the publisher of its cluster: it installs the control nodes' keys anew.",
		"クラスタのパブリッシャで utils system onboard update を実行してください。コントロールノードの鍵が再設定されます。"},
	NoAnswer: {"The machine was reached, and its agent answered: {subject}",
		"マシンに接続しましたが、エージェントの応答は次のとおりです: {subject}"},
	OtherMachine: {"Another machine than the inventory names answers: {subject}.",
		"インベントリと異なるマシンが応答しています: {subject}。"},
	PowerShell: {"The sign-in works, and PowerShell does not answer as it should: {subject}",
		"サインインはできますが、PowerShell が正しく応答しません: {subject}"},
	Failed: {"The test could not be done: {subject}.",
		"テストを実行できませんでした: {subject}。"},
}
