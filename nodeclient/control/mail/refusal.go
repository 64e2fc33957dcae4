package mail

import "strings"

// Refusal is something that is not done, with a code that stays and a sentence in both languages.
type Refusal struct {
	Code    string
	Subject string
	Err     error // what is behind it; may be nil
}

func refuse(code string, subject ...string) *Refusal {
	return &Refusal{Code: code, Subject: strings.Join(subject, "")}
}

// because keeps what a library said behind the sentence, out of the sentence.
func because(code string, err error, subject string) *Refusal {
	return &Refusal{Code: code, Subject: subject, Err: err}
}

// Error is for logs and for the prompt in English.
func (r *Refusal) Error() string { return r.Sentence("en") }

// Unwrap is what is behind it.
func (r *Refusal) Unwrap() error { return r.Err }

// Sentence says what is wrong and what to do, in "ja" or, for any other language, in English.
func (r *Refusal) Sentence(language string) string {
	t := refusals[r.Code]
	s := t.en
	if language == "ja" {
		s = t.ja
	}
	return strings.ReplaceAll(s, "{subject}", clean(r.Subject))
}

type text struct{ en, ja string }

// refusals is the one table of these sentences; it is never changed at run time.
var refusals = map[string]text{
	"smtp_tls":             {"The protection is starttls, implicit or none.", "保護方式は starttls、implicit、none のいずれかです。"},
	"smtp_auth_needs_tls":  {"Without TLS the password would travel in the clear: choose starttls or implicit, or disable SMTP authentication.", "TLS なしではパスワードが平文で送られます。starttls または implicit を選ぶか、SMTP 認証を無効にしてください。"},
	"smtp_host":            {"This is no SMTP server: write HOST or HOST:PORT.", "SMTP サーバの形式ではありません。HOST または HOST:PORT と書いてください。"},
	"smtp_user":            {"A user has at most 256 characters, all of them printable.", "ユーザ名は表示可能な文字で 256 文字以内です。"},
	"smtp_password":        {"A password has at most 512 characters, all of them printable.", "パスワードは表示可能な文字で 512 文字以内です。"},
	"smtp_ca":              {"The file holds no certificate in PEM form.", "ファイルに PEM 形式の証明書がありません。"},
	"smtp_no_host":         {"No SMTP server is set: run set smtp-host.", "SMTP サーバが設定されていません。set smtp-host を実行してください。"},
	"smtp_no_from":         {"No sender is set: run set smtp-from-email.", "送信元アドレスが設定されていません。set smtp-from-email を実行してください。"},
	"smtp_no_credentials":  {"SMTP authentication is enabled without user or password: run set smtp-user and set smtp-pswd.", "SMTP 認証が有効ですが、ユーザ名またはパスワードが設定されていません。set smtp-user と set smtp-pswd を実行してください。"},
	"mail_address":         {"“{subject}” is no mail address.", "「{subject}」はメールアドレスではありません。"},
	"not_subscribed":       {"{subject} is not subscribed.", "{subject} は登録されていません。"},
	"too_many_subscribers": {"At most {subject} addresses can be subscribed.", "登録できるアドレスは {subject} 件までです。"},

	"smtp_unreachable":  {"{subject} cannot be reached: check name, port, firewall and DNS.", "{subject} に接続できません。名前、ポート、ファイアウォール、DNS を確認してください。"},
	"smtp_slow":         {"{subject} did not answer in time.", "{subject} から時間内に応答がありませんでした。"},
	"smtp_no_starttls":  {"{subject} does not offer STARTTLS: is this the right port? Its administrator can enable it; implicit uses port 465.", "{subject} は STARTTLS に対応していません。ポートを確認してください。サーバ側で有効にするか、implicit(ポート 465)を使ってください。"},
	"smtp_certificate":  {"The certificate of {subject} is not trusted: give the CA's with set smtp-host --ca-file, and use the name that is in it.", "{subject} の証明書を信頼できません。CA の証明書を set smtp-host --ca-file で指定し、証明書に記載された名前を使ってください。"},
	"smtp_tls_failed":   {"TLS with {subject} failed: is this the right port for this protection?", "{subject} との TLS 接続に失敗しました。保護方式に合ったポートか確認してください。"},
	"smtp_auth_refused": {"{subject} refused the user or the password.", "{subject} がユーザ名またはパスワードを拒否しました。"},
	"smtp_no_auth":      {"{subject} offers no sign-in that we can use: disable SMTP authentication, or ask its administrator.", "{subject} には利用できる認証方式がありません。SMTP 認証を無効にするか、サーバの管理者に確認してください。"},
	"smtp_refused":      {"{subject} refused the mail.", "{subject} がメールを拒否しました。"},
	"smtp_later":        {"{subject} does not take the mail now.", "{subject} は現在メールを受け付けません。"},
	"outbox_full":       {"The outbox is full; the mail was dropped.", "送信待ちのメールが多すぎるため、このメールは破棄しました。"},
}
