package localweb

import (
	"connecthub/models"
	"connecthub/nodeclient/enroll"
)

// words are all the sentences of the page in one language.
type words struct {
	Product, SignIn, SignInLead, SignOut, Username, Password, Home, Other, OtherCode string

	RegisterTitle, RegisterLead, NoScript, Link, NoTicket                          string
	AccessTitle, AccessLead, ReplaceLead, Organization, Hub, RequestedBy           string
	Cluster, Node, Code, CodeHelp, Remaining, RemainingHelp, Allow, Continue, Deny string
	Expired, TickFirst, Denied, BadReturn, StartAgain, StillThere                  string
	Unreachable, StrangeAnswer, WrongCredentials, TooManyAttempts, StaleForm       string
	BadForm, ForeignOrigin, WrongHost, NotFound                                    string

	StatusTitle, Registered, NotRegistered, Claimed, NotInCluster, HowToRegister string
	ThroughPublisher, Role, Publisher, Subscriber, Members, Version, Client      string
	Health, Step, Skew, SkewBad, LastPoll, Maintenance, Trouble, SignInForMore   string
	Proxy                                                                        string

	Healthy, Unhealthy, Unknown     string
	Deregistered, Removed, Replaced string
	Steps                           map[models.Step]string

	Domain, DomainVerified, DomainUnverified, CodeRequired               string
	TestTitle, TestLead, TestRun, TestRunning, TestNotYet                string
	TestPassed, TestFailed, TestBroken, TestFirst, TryAgain, EventsTitle string
	Samples                                                              string
	Events                                                               map[string]string // by the words of enroll
	Ends                                                                 map[string]string // why a registration came to nothing
}

func (t words) health(h models.Health) (word, class string) {
	switch h {
	case models.Healthy:
		return t.Healthy, "good"
	case models.Unhealthy:
		return t.Unhealthy, "bad"
	case models.HealthUnknown:
		return t.Unknown, "warn"
	}
	return t.Unknown, "warn"
}

func (t words) step(s models.Step) string {
	if word, ok := t.Steps[s]; ok {
		return word
	}
	return t.Steps[models.StepIdle]
}

func (t words) said(why string) string {
	switch why {
	case "removed":
		return t.Removed
	case "replaced":
		return t.Replaced
	case "deregistered":
		return t.Deregistered
	}
	return t.Ends[why]
}

func wordsOf(language string) words {
	if language == "ja" {
		return japanese()
	}
	return english()
}

func english() words {
	return words{ //nolint:gosec // the word for a password is none
		Product: "Cloud Connect node", SignIn: "Sign in", SignOut: "Sign out",
		SignInLead: "Sign in with the application user of this node.",
		Username:   "User name", Password: "Password", Home: "To this node's status",
		Other: "日本語", OtherCode: "ja",

		RegisterTitle: "Register this node with Connect Hub",
		RegisterLead: "Sign in with the application user of this node to see who asks for access. " +
			"This screen times out 15 minutes after the registration was begun.",
		NoScript: "Scripts are switched off in this browser: paste the whole registration link here.",
		Link:     "Registration link",
		NoTicket: "No registration link was opened. Go to Connect Hub and open the registration there.",

		AccessTitle: "Allow access to this Cloud Connect cluster?",
		AccessLead: "Connect Hub will see this cluster's nodes, their versions and their health, and " +
			"will upgrade them one at a time in the cluster's upgrade window.",
		ReplaceLead: "This node takes the place of a member of a registered cluster, with a new key. " +
			"The member's old key is worth nothing from then on.",
		Organization: "Organization", Hub: "Connect Hub", RequestedBy: "Requested by",
		Cluster: "Cluster", Node: "This node", Code: "Comparison code",
		CodeHelp:  "Connect Hub shows the same code. If it differs, deny access.",
		Remaining: "Time left", RemainingHelp: "This screen times out in 15 minutes.",
		Allow: "Allow access to the Cloud Connect cluster", Continue: "Continue", Deny: "Deny",
		Expired:   "The time for this registration has passed. Register again in Connect Hub.",
		TickFirst: "Tick the box to allow access, or choose Deny.",
		Denied:    "Access is denied. Nothing was registered, and the link is worth nothing any more.",
		BadReturn: "Access is allowed, but the hub named no address to return to. Go back to the " +
			"console in the browser window that began the registration.",
		StartAgain:  "Go back to Connect Hub and see what it says about this registration.",
		StillThere:  "Nothing was registered. Try again; the link stays good until its 15 minutes end.",
		Unreachable: "This node cannot reach Connect Hub. Check its network, its name service and its HTTP proxy.",
		StrangeAnswer: "The answer did not come from Connect Hub. A proxy or another server may stand " +
			"between this node and the hub.",
		WrongCredentials: "The user name or the password is wrong.",
		TooManyAttempts:  "Too many wrong attempts. Wait a moment and try again.",
		StaleForm:        "This page was open for too long. Try again.",
		BadForm:          "This form could not be read.",
		ForeignOrigin:    "This request came from another site and was refused.",
		WrongHost:        "Open this page under the node's own name:",
		NotFound:         "This page does not exist.",

		StatusTitle: "Status of this node", Registered: "Registered", NotRegistered: "Not registered",
		Claimed:      "Access is allowed; waiting for the return to Connect Hub.",
		NotInCluster: "This node is in no cluster yet. Run “nodeclient cluster init” on the publisher, or “nodeclient cluster join” on a subscriber.",
		HowToRegister: "To register the cluster, choose Add Cloud Connect in Connect Hub and enter " +
			"this name.",
		ThroughPublisher: "This node registers itself as soon as its publisher is registered.",
		Role:             "Role", Publisher: "Publisher", Subscriber: "Subscriber", Members: "Subscribers",
		Version: "Version", Client: "Agent", Health: "Services", Step: "Upgrade",
		Skew: "Clock, compared with the hub", LastPoll: "Last answer of the hub",
		SkewBad:     "This node's clock differs by more than 5 minutes. Set it right (NTP): until then it is not upgraded.",
		Maintenance: "The node is in maintenance mode.", Trouble: "Last trouble",
		SignInForMore: "Sign in to see more.", Proxy: "HTTP proxy: set and test",

		Healthy: "Healthy", Unhealthy: "Unhealthy", Unknown: "Unknown",
		Deregistered: "Connect Hub has deregistered this cluster. The services go on running.",
		Removed:      "Connect Hub has removed this node from its cluster. The services go on running.",
		Replaced:     "Another machine has taken this node's place in Connect Hub.",
		Steps: map[models.Step]string{models.StepIdle: "None running",
			models.StepFetching: "Downloading", models.StepVerified: "Downloaded and verified",
			models.StepConfirming: "Asking to begin", models.StepDraining: "Finishing requests",
			models.StepStopping: "Stopping services", models.StepSwitching: "Switching versions",
			models.StepStarting: "Starting services", models.StepChecking: "Checking health",
			models.StepSoaking: "Being watched", models.StepRollingBack: "Rolling back"},

		Domain: "Verified domain", DomainVerified: "verified", DomainUnverified: "not verified",
		CodeRequired: "Connect Hub asks for this code: type it there as it stands here. If Connect Hub " +
			"was not opened by you, deny access.",
		TestTitle:  "Connectivity self-test",
		TestLead:   "Access can be allowed once this test has run.",
		TestRun:    "Test again",
		TestNotYet: "not tested", TestRunning: "testing…",
		TestPassed: "This node reaches Connect Hub.",
		TestFailed: "Something stands between this node and Connect Hub. Put it right before you allow access.",
		TestBroken: "The test could not be run. Reload this page.",
		TestFirst:  "Run the connectivity self-test first.",
		TryAgain:   "Try to open the registration again",

		Samples:     "Examples of inventory.conf:",
		EventsTitle: "Registrations of this node",
		Events: map[string]string{
			enroll.EventShown:      "{requester} of {organization} asked for access to “{cluster}”.",
			enroll.EventAllowed:    "Access was allowed to {organization}, asked for by {requester}.",
			enroll.EventDenied:     "Access was denied to {organization}, asked for by {requester}.",
			enroll.EventRefused:    "Connect Hub refused what was allowed to {organization}.",
			enroll.EventRegistered: "The node was registered to {organization} in “{cluster}”.",
			enroll.EventEnded:      "Nothing was registered to {organization}.",
			enroll.EventForgotten:  "The registration ended.",
		},
		Ends: map[string]string{
			"return_missing": "Access was allowed, but the return to Connect Hub never came within its " +
				"2 minutes. Nothing was registered.",
			"other_session": "Access was allowed, but the return to Connect Hub came in another browser " +
				"session than the one that began the registration. Nothing was registered. If you did " +
				"not begin it yourself, somebody may have sent you the link.",
			"comparison_code":    "The comparison code was typed wrongly too often in Connect Hub. Nothing was registered.",
			"member_gone":        "The node to be replaced is no member of its cluster any more. Nothing was registered.",
			"expired":            "The registration expired. Nothing was registered.",
			"not_claimed":        "The registration expired. Nothing was registered.",
			"superseded":         "A newer registration took this one's place. Nothing was registered.",
			"cancelled":          "The registration was cancelled in Connect Hub. Nothing was registered.",
			"denied":             "The registration was denied. Nothing was registered.",
			"refused_at_node":    "The registration was not accepted on this node. Nothing was registered.",
			"refused_in_console": "The registration was denied in Connect Hub. Nothing was registered.",
			"burned":             "The registration was used in a way that is not allowed. Nothing was registered.",
			"reset on this node": "This node was reset by its own administrator.",
		},
	}
}

func japanese() words {
	return words{ //nolint:gosec // the word for a password is none
		Product: "Cloud Connect ノード", SignIn: "サインイン", SignOut: "サインアウト",
		SignInLead: "このノードのアプリケーションユーザでサインインしてください。",
		Username:   "ユーザ名", Password: "パスワード", Home: "このノードの状態へ",
		Other: "English", OtherCode: "en",

		RegisterTitle: "このノードを Connect Hub に登録",
		RegisterLead: "このノードのアプリケーションユーザでサインインすると、アクセスを求めている相手が表示されます。" +
			"この画面は、登録の開始から 15 分でタイムアウトします。",
		NoScript: "ブラウザのスクリプトが無効です。登録リンク全体をここに貼り付けてください。",
		Link:     "登録リンク",
		NoTicket: "登録リンクが開かれていません。Connect Hub から登録の画面を開いてください。",

		AccessTitle: "この Cloud Connect クラスタへのアクセスを許可しますか?",
		AccessLead: "Connect Hub は、このクラスタのノードとそのバージョン、稼働状況を参照し、" +
			"クラスタのアップグレード時間帯に 1 ノードずつ順番にアップグレードします。",
		ReplaceLead: "このノードは、登録済みクラスタのメンバーを新しい鍵で置き換えます。" +
			"それ以降、元のメンバーの鍵は使えなくなります。",
		Organization: "組織", Hub: "Connect Hub", RequestedBy: "登録者",
		Cluster: "クラスタ", Node: "このノード", Code: "照合コード",
		CodeHelp:  "Connect Hub にも同じコードが表示されます。異なる場合はアクセスを拒否してください。",
		Remaining: "残り時間", RemainingHelp: "この画面は 15 分でタイムアウトします。",
		Allow: "Cloud Connect クラスタへのアクセスを許可", Continue: "続行", Deny: "拒否",
		Expired:   "この登録の期限が切れました。Connect Hub で登録をやり直してください。",
		TickFirst: "アクセスを許可する場合はチェックボックスを選択してください。許可しない場合は「拒否」を選んでください。",
		Denied:    "アクセスを拒否しました。何も登録されていません。このリンクは無効になりました。",
		BadReturn: "アクセスは許可されましたが、戻り先のアドレスがハブから示されませんでした。" +
			"登録を開始したブラウザの画面に戻ってください。",
		StartAgain:  "Connect Hub に戻り、この登録の状態を確認してください。",
		StillThere:  "何も登録されていません。もう一度お試しください。リンクは 15 分の期限まで有効です。",
		Unreachable: "このノードから Connect Hub に接続できません。ネットワーク、名前解決、HTTP プロキシを確認してください。",
		StrangeAnswer: "Connect Hub 以外からの応答を受け取りました。" +
			"ノードとハブの間にプロキシや別のサーバがある可能性があります。",
		WrongCredentials: "ユーザ名またはパスワードが正しくありません。",
		TooManyAttempts:  "試行回数が多すぎます。しばらく待ってからもう一度お試しください。",
		StaleForm:        "画面の有効期限が切れました。もう一度お試しください。",
		BadForm:          "送信内容を読み取れませんでした。",
		ForeignOrigin:    "別のサイトからの要求のため拒否しました。",
		WrongHost:        "このノードの名前でページを開いてください:",
		NotFound:         "このページは存在しません。",

		StatusTitle: "このノードの状態", Registered: "登録済み", NotRegistered: "未登録",
		Claimed:          "アクセスは許可されました。Connect Hub への復帰を待っています。",
		NotInCluster:     "このノードはまだクラスタに属していません。パブリッシャでは「nodeclient cluster init」、サブスクライバでは「nodeclient cluster join」を実行してください。",
		HowToRegister:    "クラスタを登録するには、Connect Hub で「Cloud Connect を追加」を選び、このノードの名前を入力してください。",
		ThroughPublisher: "パブリッシャが登録されると、このノードも自動的に登録されます。",
		Role:             "役割", Publisher: "パブリッシャ", Subscriber: "サブスクライバ", Members: "サブスクライバ",
		Version: "バージョン", Client: "エージェント", Health: "サービス", Step: "アップグレード",
		Skew: "ハブとの時刻差", LastPoll: "ハブからの最後の応答",
		SkewBad:     "このノードの時計が 5 分以上ずれています。時刻同期(NTP)を確認してください。それまでアップグレードは行われません。",
		Maintenance: "このノードはメンテナンスモードです。", Trouble: "直近の問題",
		SignInForMore: "サインインすると詳細が表示されます。", Proxy: "HTTP プロキシの設定とテスト",

		Healthy: "正常", Unhealthy: "異常", Unknown: "不明",
		Deregistered: "Connect Hub でこのクラスタの登録が解除されました。サービスは引き続き動作しています。",
		Removed:      "Connect Hub でこのノードがクラスタから削除されました。サービスは引き続き動作しています。",
		Replaced:     "Connect Hub で別のマシンがこのノードに置き換わりました。",
		Steps: map[models.Step]string{models.StepIdle: "実行中のものはありません",
			models.StepFetching: "ダウンロード中", models.StepVerified: "ダウンロードと検証が完了",
			models.StepConfirming: "開始の確認中", models.StepDraining: "処理中の要求を完了しています",
			models.StepStopping: "サービスを停止中", models.StepSwitching: "バージョンを切り替え中",
			models.StepStarting: "サービスを開始中", models.StepChecking: "正常性を確認中",
			models.StepSoaking: "経過を確認中", models.StepRollingBack: "ロールバック中"},

		Domain: "確認済みドメイン", DomainVerified: "確認済み", DomainUnverified: "未確認",
		CodeRequired: "Connect Hub でこのコードの入力を求められます。表示どおりに入力してください。" +
			"ご自身で Connect Hub を開いていない場合は、アクセスを拒否してください。",
		TestTitle:  "接続の自己診断",
		TestLead:   "この診断が終わるとアクセスを許可できます。",
		TestRun:    "もう一度診断",
		TestNotYet: "未診断", TestRunning: "診断中…",
		TestPassed: "このノードは Connect Hub に接続できます。",
		TestFailed: "このノードと Connect Hub の間に問題があります。解決してからアクセスを許可してください。",
		TestBroken: "診断を実行できませんでした。このページを再読み込みしてください。",
		TestFirst:  "先に接続の自己診断を実行してください。",
		TryAgain:   "登録の画面をもう一度開く",

		Samples:     "inventory.conf のサンプル:",
		EventsTitle: "このノードの登録の記録",
		Events: map[string]string{
			enroll.EventShown:      "{organization} の {requester} が「{cluster}」へのアクセスを求めました。",
			enroll.EventAllowed:    "{requester} が求めた {organization} へのアクセスを許可しました。",
			enroll.EventDenied:     "{requester} が求めた {organization} へのアクセスを拒否しました。",
			enroll.EventRefused:    "{organization} に許可した内容を Connect Hub が拒否しました。",
			enroll.EventRegistered: "ノードが {organization} の「{cluster}」に登録されました。",
			enroll.EventEnded:      "{organization} には何も登録されていません。",
			enroll.EventForgotten:  "登録が終了しました。",
		},
		Ends: map[string]string{
			"return_missing": "アクセスは許可されましたが、2 分以内に Connect Hub への復帰がありませんでした。何も登録されていません。",
			"other_session": "アクセスは許可されましたが、登録を開始したものとは別のブラウザのセッションで Connect Hub に戻りました。" +
				"何も登録されていません。ご自身で開始していない場合は、第三者がリンクを送った可能性があります。",
			"comparison_code":    "Connect Hub で照合コードの入力を繰り返し間違えました。何も登録されていません。",
			"member_gone":        "置き換える対象のノードはすでにクラスタのメンバーではありません。何も登録されていません。",
			"expired":            "登録の期限が切れました。何も登録されていません。",
			"not_claimed":        "登録の期限が切れました。何も登録されていません。",
			"superseded":         "新しい登録が開始されたため、この登録は無効になりました。何も登録されていません。",
			"cancelled":          "登録は Connect Hub で取り消されました。何も登録されていません。",
			"denied":             "登録は拒否されました。何も登録されていません。",
			"refused_at_node":    "このノードで登録が承諾されませんでした。何も登録されていません。",
			"refused_in_console": "登録は Connect Hub で拒否されました。何も登録されていません。",
			"burned":             "登録は許可されていない方法で使用されました。何も登録されていません。",
			"reset on this node": "このノードは、ノードの管理者によってリセットされました。",
		},
	}
}
