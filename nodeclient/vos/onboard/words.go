package onboard

import (
	"fmt"
	"slices"
	"strings"
)

// Code is why a cluster was not onboarded.
type Code string

// The codes. Those of a certificate are one each for the publisher and for the subscriber of the control
// nodes.
const (
	PublisherOnly         Code = "publisher_only"
	NotFQDN               Code = "not_an_fqdn"
	OnboardedAlready      Code = "onboarded_already"
	PartialAlready        Code = "partially_onboarded"
	RemovalUnfinished     Code = "removal_unfinished"
	NotOnboarded          Code = "not_onboarded"
	OtherControlNode      Code = "other_control_node"
	IsSubscriber          Code = "is_subscriber"
	OtherName             Code = "other_name"
	NoControlNode         Code = "no_control_node"
	WrongUser             Code = "wrong_application_user"
	KeyUnknown            Code = "subscriber_key_unknown"
	TooManyAttempts       Code = "too_many_attempts"
	PublisherUnreachable  Code = "publisher_unreachable"
	SubscriberUnreachable Code = "subscriber_unreachable"
	PublisherNotTrusted   Code = "publisher_certificate_missing"
	SubscriberNotTrusted  Code = "subscriber_certificate_missing"
	PublisherExpired      Code = "publisher_certificate_expired"
	SubscriberExpired     Code = "subscriber_certificate_expired"
	PublisherOfOtherName  Code = "publisher_certificate_name"
	SubscriberOfOtherName Code = "subscriber_certificate_name"
)

type role bool

const (
	rolePublisher  role = true
	roleSubscriber role = false
)

func (r role) of(publisher, subscriber Code) Code {
	if r == rolePublisher {
		return publisher
	}
	return subscriber
}

func (r role) unreachable() Code { return r.of(PublisherUnreachable, SubscriberUnreachable) }
func (r role) missing() Code     { return r.of(PublisherNotTrusted, SubscriberNotTrusted) }
func (r role) expired() Code     { return r.of(PublisherExpired, SubscriberExpired) }
func (r role) misnamed() Code    { return r.of(PublisherOfOtherName, SubscriberOfOtherName) }

// Refusal is a code with what it is about, in both languages.
type Refusal struct {
	Code  Code
	About string // parts, with a stroke between them
}

func refuse(code Code, about string) *Refusal { return &Refusal{code, about} }

// Is matches a Refusal of the same code.
func (r *Refusal) Is(other error) bool {
	o, ok := other.(*Refusal)
	return ok && o.Code == r.Code
}

// Error is the sentence in English.
func (r *Refusal) Error() string { return r.Sentence("en") }

// Sentence says what is wrong and what to do, in "ja" or, for any other language, in English.
func (r *Refusal) Sentence(language string) string {
	t := texts[r.Code]
	s := t.en
	if language == "ja" {
		s = t.ja
	}
	for i, part := range strings.Split(r.About, "|") {
		s = strings.ReplaceAll(s, fmt.Sprintf("{%d}", i), part)
	}
	return s
}

// Codes lists them.
func Codes() []Code {
	all := make([]Code, 0, len(texts))
	for c := range texts {
		all = append(all, c)
	}
	slices.Sort(all)
	return all
}

// Said is what a control node refused with, in the language that it was asked in.
type Said struct{ Code, Text string }

// Error is the control node's own sentence.
func (s *Said) Error() string { return s.Text }

type text struct{ en, ja string }

// texts is the one table of sentences; it is never changed at run time.
var texts = map[Code]text{
	PublisherOnly: {"run this on the publisher of this machine's cluster, {0}: this machine is a subscriber",
		"このマシンはサブスクライバです。クラスタのパブリッシャ {0} で実行してください"},
	NotFQDN: {"give the FQDN of the Cloud Connect publisher, such as cc-pub.example.com: “{0}” is an address, a short name, or no name at all",
		"Cloud Connect パブリッシャの FQDN(例: cc-pub.example.com)を指定してください。「{0}」は IP アドレスか短い名前、または名前として正しくありません"},
	OnboardedAlready: {"this cluster is onboarded to {0} already; run update to bring it up to date, or remove",
		"このクラスタはすでに {0} にオンボードされています。最新の状態にするには update、解除するには remove を実行してください"},
	PartialAlready: {"this cluster is onboarded to {0} with errors; fix their cause, then run update instead of initiate",
		"このクラスタは {0} に部分的なエラーを伴ってオンボードされています。原因を修正し、initiate の代わりに update を実行してください"},
	RemovalUnfinished: {"the removal from {0} has not reached every machine; run remove again first",
		"{0} からの解除がすべてのマシンで完了していません。先に remove をもう一度実行してください"},
	NotOnboarded: {"this cluster is not onboarded; run initiate",
		"このクラスタはオンボードされていません。initiate を実行してください"},
	OtherControlNode: {"this cluster is onboarded to {0}; remove it there first",
		"このクラスタは {0} にオンボードされています。先にそこで解除してください"},
	IsSubscriber: {"{0} is the subscriber of the control nodes; give the publisher's name, {1}",
		"{0} はコントロールノードのサブスクライバです。パブリッシャの名前 {1} を指定してください"},
	OtherName: {"the control node that answers calls itself {0}; give that name",
		"応答したコントロールノードの名前は {0} です。その名前を指定してください"},
	NoControlNode: {"what answers as {0} is no control node of this version",
		"{0} として応答したものは、このバージョンのコントロールノードではありません"},
	WrongUser: {"the name or the password of the application user is wrong",
		"アプリケーションユーザの名前またはパスワードが正しくありません"},
	KeyUnknown: {"the control nodes' publisher {0} has not heard of the key of {1} yet; wait until both have replicated, then try again",
		"コントロールノードのパブリッシャ {0} はまだ {1} の鍵を受け取っていません。レプリケーションが完了してからもう一度お試しください"},
	TooManyAttempts: {"too many wrong passwords were given to {0}; wait a little, then try again",
		"{0} で誤ったパスワードの入力が多すぎます。しばらくしてからもう一度お試しください"},
	PublisherUnreachable: {"the control nodes' publisher {0} cannot be reached on port 8445; both control nodes must be reachable, nothing was changed",
		"コントロールノードのパブリッシャ {0} にポート 8445 で接続できません。両方のコントロールノードに接続できる必要があります。何も変更していません"},
	SubscriberUnreachable: {"the control nodes' subscriber {0} cannot be reached on port 8445; both control nodes must be reachable, nothing was changed",
		"コントロールノードのサブスクライバ {0} にポート 8445 で接続できません。両方のコントロールノードに接続できる必要があります。何も変更していません"},
	PublisherNotTrusted: {"the certificate of the control nodes' publisher {0} is missing in tomcat-trust (SHA-256 {1}, issued by {2}); no password was sent. Import it, or the CA's, with nodeclient vos cert import",
		"コントロールノードのパブリッシャ {0} の証明書が tomcat-trust にありません(SHA-256 {1}、発行者 {2})。パスワードは送信していません。nodeclient vos cert import でその証明書または CA の証明書をインポートしてください"},
	SubscriberNotTrusted: {"the certificate of the control nodes' subscriber {0} is missing in tomcat-trust (SHA-256 {1}, issued by {2}); no password was sent to it. Import it, or the CA's, with nodeclient vos cert import",
		"コントロールノードのサブスクライバ {0} の証明書が tomcat-trust にありません(SHA-256 {1}、発行者 {2})。パスワードは送信していません。nodeclient vos cert import でその証明書または CA の証明書をインポートしてください"},
	PublisherExpired: {"the certificate of the control nodes' publisher {0} is good from {3} until {4} only; no password was sent",
		"コントロールノードのパブリッシャ {0} の証明書の有効期間は {3} から {4} です。パスワードは送信していません"},
	SubscriberExpired: {"the certificate of the control nodes' subscriber {0} is good from {3} until {4} only; no password was sent to it",
		"コントロールノードのサブスクライバ {0} の証明書の有効期間は {3} から {4} です。パスワードは送信していません"},
	PublisherOfOtherName: {"the certificate of the control nodes' publisher is not for {0}; no password was sent",
		"コントロールノードのパブリッシャの証明書は {0} 用ではありません。パスワードは送信していません"},
	SubscriberOfOtherName: {"the certificate of the control nodes' subscriber is not for {0}; no password was sent to it",
		"コントロールノードのサブスクライバの証明書は {0} 用ではありません。パスワードは送信していません"},
}
