package proxy

import "strings"

// Code is what a step found, from a closed list.
type Code string

// The codes of a probe.
const (
	CodeNotReached Code = "not_reached"
	CodeFailed     Code = "failed"
	CodeSetting    Code = "setting_wrong"
	CodeTrust      Code = "hub_trust_unset"

	CodeName        Code = "name_resolved"
	CodeNoName      Code = "name_not_needed"
	CodeNameUnknown Code = "name_unknown"
	CodeNameTimeout Code = "name_timeout"
	CodeNameFailed  Code = "name_failed"

	CodeNoProxy          Code = "no_proxy_set"
	CodeDirect           Code = "no_proxy_names_the_hub"
	CodeProxy            Code = "proxy_connected"
	CodeProxyRefused     Code = "proxy_connection_refused"
	CodeProxyTimeout     Code = "proxy_timeout"
	CodeProxyUnreachable Code = "proxy_unreachable"
	CodeProxySilent      Code = "proxy_silent"
	CodeProxyStrange     Code = "proxy_answer_strange"
	CodeProxyNeedsUser   Code = "proxy_needs_user"
	CodeProxyWrongUser   Code = "proxy_user_refused"
	CodeProxyScheme      Code = "proxy_scheme_unsupported"
	CodeProxyForbids     Code = "proxy_forbids_connect"
	CodeProxyCannot      Code = "proxy_cannot_reach_hub"
	CodeProxyRedirects   Code = "proxy_redirects"
	CodeProxyStatus      Code = "proxy_status"

	CodeTLS            Code = "tls_trusted"
	CodeInspected      Code = "tls_inspected"
	CodeUntrusted      Code = "tls_untrusted"
	CodeUntrustedProxy Code = "tls_untrusted_through_proxy"
	CodeWrongName      Code = "tls_wrong_name"
	CodeExpired        Code = "tls_expired"
	CodeTLSTimeout     Code = "tls_timeout"
	CodeTLSClosed      Code = "tls_closed"
	CodeNotTLS         Code = "tls_not_spoken"
	CodeTLSFailed      Code = "tls_failed"

	CodeClock   Code = "clock_agrees"
	CodeSkew    Code = "clock_skew"
	CodeNoClock Code = "clock_unknown"

	CodeHub            Code = "hub_answered"
	CodeHubRefused     Code = "hub_connection_refused"
	CodeHubTimeout     Code = "hub_timeout"
	CodeHubUnreachable Code = "hub_unreachable"
	CodeHubSilent      Code = "hub_silent"
	CodeHubAway        Code = "hub_unavailable"
	CodeHubStrange     Code = "hub_answer_strange"
)

type pair struct{ en, ja string }

func (p pair) in(language string) string {
	if language == "ja" {
		return p.ja
	}
	return p.en
}

// Name is a step's name in "ja" or English.
func (r Result) Name(language string) string {
	switch r.Step {
	case StepDNS:
		return pair{"Name service (DNS)", "名前解決(DNS)"}.in(language)
	case StepProxy:
		return pair{"HTTP proxy", "HTTP プロキシ"}.in(language)
	case StepTLS:
		return pair{"TLS certificate", "TLS 証明書"}.in(language)
	case StepClock:
		return pair{"Clock", "時計"}.in(language)
	case StepHub:
		return pair{"Connect Hub", "Connect Hub"}.in(language)
	}
	return string(r.Step)
}

// Sentence is what happened, and what to do about it, in "ja" or English.
func (r Result) Sentence(language string) string {
	sentence := sentenceOf(r.Code).in(language)
	detail := r.Detail
	if detail == "" {
		detail = "–"
	}
	return strings.NewReplacer("{subject}", r.Subject, "{detail}", detail).Replace(sentence)
}

// Codes are all codes; each has a sentence in both languages.
func Codes() []Code {
	var all []Code
	for _, table := range tables() {
		for code := range table {
			all = append(all, code)
		}
	}
	return all
}

func tables() []map[Code]pair {
	return []map[Code]pair{wayWords(), proxyWords(), tlsWords(), hubWords()}
}

func sentenceOf(code Code) pair {
	for _, table := range tables() {
		if p, ok := table[code]; ok {
			return p
		}
	}
	return pair{string(code), string(code)}
}

func wayWords() map[Code]pair {
	return map[Code]pair{
		CodeNotReached: {"Not reached, because of what failed above.",
			"上記の失敗のため、確認していません。"},
		CodeFailed:  {"The test could not run: {detail}", "テストを実行できませんでした: {detail}"},
		CodeSetting: {"The setting cannot be used: {detail}", "この設定は使用できません: {detail}"},
		CodeTrust: {"This node does not know whom to trust as the hub: {detail}",
			"このノードには、信頼するハブの証明書が設定されていません: {detail}"},
		CodeName: {"{subject} resolves to {detail}.", "{subject} は {detail} に解決されました。"},
		CodeNoName: {"Not needed: {subject} is reached by its address.",
			"不要です。{subject} にはアドレスで接続します。"},
		CodeNameUnknown: {"The name {subject} does not resolve. Check the spelling and this node's name servers.",
			"名前 {subject} を解決できません。つづりと、このノードの DNS サーバの設定を確認してください。"},
		CodeNameTimeout: {"The name servers did not answer in time for {subject}. Check this node's name servers.",
			"{subject} の名前解決がタイムアウトしました。このノードの DNS サーバの設定を確認してください。"},
		CodeNameFailed: {"The name {subject} could not be resolved: {detail}",
			"名前 {subject} を解決できませんでした: {detail}"},
	}
}

func proxyWords() map[Code]pair {
	return map[Code]pair{
		CodeNoProxy: {"No proxy is set; the node connects directly.",
			"プロキシは設定されていません。ノードは直接接続します。"},
		CodeDirect: {"The exceptions name {subject}, or it is this machine; the node connects directly.",
			"{subject} は除外リストに含まれているか、このマシン自身です。ノードは直接接続します。"},
		CodeProxy: {"The proxy {subject} has connected to the hub.",
			"プロキシ {subject} がハブに接続しました。"},
		CodeProxyRefused: {"Nothing listens at the proxy {subject}: the connection was refused. Check its address and port.",
			"プロキシ {subject} への接続が拒否されました。アドレスとポートを確認してください。"},
		CodeProxyTimeout: {"The proxy {subject} did not take the connection in time. Check its address, its port and the firewall.",
			"プロキシ {subject} への接続がタイムアウトしました。アドレス、ポート、ファイアウォールを確認してください。"},
		CodeProxyUnreachable: {"The proxy {subject} cannot be reached: {detail}",
			"プロキシ {subject} に到達できません: {detail}"},
		CodeProxySilent: {"The proxy {subject} took the connection and gave no complete answer in time.",
			"プロキシ {subject} は接続を受け付けましたが、時間内に応答を完了しませんでした。"},
		CodeProxyStrange: {"What answers at {subject} is no HTTP proxy, or broke off: {detail}",
			"{subject} の応答は HTTP プロキシのものではないか、途中で切断されました: {detail}"},
		CodeProxyNeedsUser: {"The proxy {subject} requires a user name and a password ({detail}).",
			"プロキシ {subject} にはユーザ名とパスワードが必要です({detail})。"},
		CodeProxyWrongUser: {"The proxy {subject} refused the user name or the password ({detail}).",
			"プロキシ {subject} がユーザ名またはパスワードを拒否しました({detail})。"},
		CodeProxyScheme: {"The proxy {subject} asks for {detail}. This node can sign in with Basic only; have the proxy's administrator allow it, or let this node pass without.",
			"プロキシ {subject} は {detail} 認証を求めています。このノードが対応するのは Basic 認証のみです。プロキシの管理者に、Basic 認証または認証なしの接続を許可するよう依頼してください。"},
		CodeProxyForbids: {"The proxy {subject} refuses to connect to the hub ({detail}). Have its administrator allow the hub's address and port (CONNECT).",
			"プロキシ {subject} がハブへの接続を拒否しました({detail})。ハブのアドレスとポートへの接続(CONNECT)を許可するよう、プロキシの管理者に依頼してください。"},
		CodeProxyCannot: {"The proxy {subject} cannot reach the hub itself ({detail}). Check the hub's name and the proxy's way out.",
			"プロキシ {subject} からハブに到達できません({detail})。ハブの名前と、プロキシから外部への経路を確認してください。"},
		CodeProxyRedirects: {"The proxy {subject} sent the node to another page ({detail}) instead of connecting; it may want a sign-in in a browser.",
			"プロキシ {subject} は接続せず、別のページに誘導しました({detail})。ブラウザでのサインインが必要な可能性があります。"},
		CodeProxyStatus: {"The proxy {subject} answered {detail} instead of connecting.",
			"プロキシ {subject} は接続せず、{detail} を返しました。"},
	}
}

func tlsWords() map[Code]pair {
	const inspect = " If your proxy inspects TLS, make this node trust its CA: nodeclient set proxy --trust-ca FILE. If it does not, somebody stands between."
	const inspectJa = "プロキシが TLS を検査している場合は、その CA を信頼するように設定してください: nodeclient set proxy --trust-ca FILE。検査していない場合は、第三者が介在しています。"
	return map[Code]pair{
		CodeTLS: {"The certificate is trusted; it was issued by “{subject}” ({detail}).",
			"証明書は信頼できます。発行者は「{subject}」です({detail})。"},
		CodeInspected: {"The connection to {detail} is inspected on its way by “{subject}”, which this node was told to trust.",
			"{detail} への接続は、信頼するように設定された「{subject}」によって途中で検査されています。"},
		CodeUntrusted: {"The certificate of {detail} is not trusted; it was issued by “{subject}”, which is not the CA of this node's set-up." + inspect,
			"{detail} の証明書は信頼できません。発行者「{subject}」は、セットアップで指定された CA ではありません。" + inspectJa},
		CodeUntrustedProxy: {"The certificate that came through the proxy for {detail} is not trusted; it was issued by “{subject}”, which is not the CA of this node's set-up." + inspect,
			"プロキシ経由で受け取った {detail} の証明書は信頼できません。発行者「{subject}」は、セットアップで指定された CA ではありません。" + inspectJa},
		CodeWrongName: {"The certificate is for another name than {subject}; it was issued by “{detail}”.",
			"証明書の名前が {subject} と一致しません。発行者は「{detail}」です。"},
		CodeExpired: {"A certificate issued by “{subject}” holds only within {detail}. Check this node's clock first.",
			"「{subject}」が発行した証明書の有効期間は {detail} です。まずこのノードの時計を確認してください。"},
		CodeTLSTimeout: {"{subject} did not finish the TLS handshake in time.",
			"{subject} との TLS ハンドシェイクがタイムアウトしました。"},
		CodeTLSClosed: {"The connection to {subject} was closed during the TLS handshake. A firewall or the proxy may forbid it.",
			"{subject} との TLS ハンドシェイク中に接続が切断されました。ファイアウォールまたはプロキシが禁止している可能性があります。"},
		CodeNotTLS: {"What answered in the place of {subject} does not speak TLS. The port may be wrong, or the proxy sends a page of its own.",
			"{subject} として応答した相手は TLS を使用していません。ポートが誤っているか、プロキシが独自のページを返しています。"},
		CodeTLSFailed: {"The TLS handshake with {subject} failed: {detail}",
			"{subject} との TLS ハンドシェイクに失敗しました: {detail}"},
		CodeClock: {"This node's clock agrees with the hub's (difference {detail}).",
			"このノードの時計はハブと一致しています(差 {detail})。"},
		CodeSkew: {"This node's clock differs from the hub's by {detail}. Set it right (NTP).",
			"このノードの時計はハブと {detail} ずれています。時刻同期(NTP)を確認してください。"},
		CodeNoClock: {"The hub did not say its time.", "ハブから時刻を取得できませんでした。"},
	}
}

func hubWords() map[Code]pair {
	return map[Code]pair{
		CodeHub: {"The hub {subject} has answered (version {detail}).",
			"ハブ {subject} から応答がありました(バージョン {detail})。"},
		CodeHubRefused: {"Nothing listens at {subject}: the connection was refused. Check the hub's address, or set a proxy if this network needs one.",
			"{subject} への接続が拒否されました。ハブのアドレスを確認するか、このネットワークにプロキシが必要な場合は設定してください。"},
		CodeHubTimeout: {"{subject} did not take the connection in time. Check the firewall, or set a proxy if this network needs one.",
			"{subject} への接続がタイムアウトしました。ファイアウォールを確認するか、このネットワークにプロキシが必要な場合は設定してください。"},
		CodeHubUnreachable: {"{subject} cannot be reached: {detail}",
			"{subject} に到達できません: {detail}"},
		CodeHubSilent: {"The hub {subject} took the request and did not answer in time.",
			"ハブ {subject} は要求を受け付けましたが、時間内に応答しませんでした。"},
		CodeHubAway: {"The hub {subject} is not available now ({detail}). Try again later.",
			"ハブ {subject} は現在利用できません({detail})。しばらくしてからもう一度お試しください。"},
		CodeHubStrange: {"What answers at {subject} is not Connect Hub ({detail}). Check the hub's address.",
			"{subject} で応答しているのは Connect Hub ではありません({detail})。ハブのアドレスを確認してください。"},
	}
}

// Wrong is a setting that is refused.
type Wrong struct {
	code    wrong
	subject string
}

type wrong string

const (
	wrongAddress       wrong = "address"
	wrongUserInAddress wrong = "user_in_address"
	wrongNoAddress     wrong = "no_address"
	wrongNoUser        wrong = "no_user"
	wrongUser          wrong = "user"
	wrongPassword      wrong = "password"
	wrongNoProxy       wrong = "no_proxy"
	wrongCA            wrong = "ca"
	wrongKeyInCA       wrong = "key_in_ca"
	wrongNoCA          wrong = "no_ca"
)

// Error is the English sentence in the form of an error.
func (w *Wrong) Error() string {
	return lowerFirst(strings.TrimSuffix(w.Sentence("en"), "."))
}

// Sentence answers in "ja" or English.
func (w *Wrong) Sentence(language string) string {
	return strings.ReplaceAll(w.pair().in(language), "{subject}", w.subject)
}

func (w *Wrong) pair() pair {
	switch w.code {
	case wrongAddress:
		return pair{"A proxy's address is http://HOST:PORT, nothing more.",
			"プロキシのアドレスは http://ホスト:ポート の形式で入力してください。"}
	case wrongUserInAddress:
		return pair{"User and password do not belong into the proxy's address; they have fields of their own.",
			"ユーザ名とパスワードはアドレスに含めず、専用の欄に入力してください。"}
	case wrongNoAddress:
		return pair{"A user or a password needs a proxy's address.",
			"ユーザ名またはパスワードを使用するには、プロキシのアドレスが必要です。"}
	case wrongNoUser:
		return pair{"A proxy's password needs a user name.",
			"プロキシのパスワードを使用するには、ユーザ名が必要です。"}
	case wrongUser:
		return pair{"A proxy's user name has at most 256 bytes, no colon and no control characters.",
			"プロキシのユーザ名は 256 バイト以内で、コロンと制御文字は使用できません。"}
	case wrongPassword:
		return pair{"A proxy's password has at most 256 bytes and no control characters.",
			"プロキシのパスワードは 256 バイト以内で、制御文字は使用できません。"}
	case wrongNoProxy:
		return pair{"“{subject}” is no exception: give names, addresses or networks, with commas between them.",
			"「{subject}」は除外リストに指定できません。名前、アドレス、ネットワークをカンマ区切りで入力してください。"}
	case wrongCA:
		return pair{"The CA is one to eight certificates in PEM form, at most 12 KiB.",
			"CA は PEM 形式の証明書(1 ~ 8 個、12 KiB 以内)で指定してください。"}
	case wrongKeyInCA:
		return pair{"There is a private key among the certificates. Give the certificate only, and keep the key where it was.",
			"証明書の中に秘密鍵が含まれています。証明書のみを指定し、秘密鍵は元の場所で保管してください。"}
	case wrongNoCA:
		return pair{"“{subject}” is not the certificate of a CA.",
			"「{subject}」は CA の証明書ではありません。"}
	}
	return pair{"The proxy's setting is wrong.", "プロキシの設定が正しくありません。"}
}
