package repository

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// Refusal is an answer of the repository other than what was asked for.
type Refusal struct {
	Status int
	Code   string // of docs/repository-api.md; empty where a stranger answered
	Detail string // what the repository said, printable and short
}

// refusalOf makes a refusal of any answer that is no success: a proxy's page carries no code.
func refusalOf(res *http.Response, body []byte) *Refusal {
	r := &Refusal{Status: res.StatusCode, Code: clean(res.Header.Get(headerRefusal))}
	var problem struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") &&
		json.Unmarshal(body, &problem) == nil {
		r.Code, r.Detail = clean(problem.Code), clean(problem.Detail)
	}
	return r
}

// Error is the English sentence.
func (r *Refusal) Error() string { return r.Sentence("en") }

// Sentence is why, and what to do about it, in "ja" or English.
func (r *Refusal) Sentence(language string) string {
	p, known := refusals()[r.Code]
	switch {
	case known:
	case r.Detail != "":
		return r.Detail
	case r.Status == http.StatusUnauthorized:
		p = refusals()["invalid_download_credential"]
	case r.Status == http.StatusNotFound:
		p = refusals()["not_found"]
	default:
		p = pair{fmt.Sprintf("The repository answered %d. Check its URL, and the proxy on the way.",
			r.Status), fmt.Sprintf("リポジトリが %d を返しました。URL と、経路上のプロキシを確認してください。", r.Status)}
	}
	return p.in(language)
}

// Final says that asking again with the same secret changes nothing.
func (r *Refusal) Final() bool {
	return r.Status >= 400 && r.Status < 500 && r.Status != http.StatusRequestTimeout &&
		r.Status != http.StatusTooManyRequests
}

// LogLines are the lines that support engineers look for in the log of the commands.
func (r *Refusal) LogLines() []string {
	code := r.Code
	if code == "" {
		code = "no code"
	}
	lines := []string{fmt.Sprintf("Cisco Artifactory configuration failed. Response code: %d. (%s)",
		r.Status, code)}
	switch r.Code {
	case "not_entitled", "product_not_entitled", "export_restricted":
		lines = append(lines, "Entitlement check failed for MDFID ("+code+")")
	case "download_key_lapsed", "download_token_expired":
		lines = append(lines, "Download request has been canceled: ExpiredRefreshToken ("+code+")")
	}
	return lines
}

type pair struct{ en, ja string }

func (p pair) in(language string) string {
	if language == "ja" {
		return p.ja
	}
	return p.en
}

// refusals are the sentences that people know from the original, each with the way out here.
func refusals() map[string]pair {
	return map[string]pair{
		"eula_not_accepted": {"The CCO ID used to generate the API key is not compliant with the End User License Agreement. Use a valid CCO ID, or accept the agreement in the hub's console on the page Software downloads.",
			"API キーの生成に使用された CCO ID がエンドユーザライセンス契約に準拠していません。有効な CCO ID を使用するか、ハブのコンソールの「ソフトウェアのダウンロード」ページで契約に同意してください。"},
		"download_key_lapsed": {"Authentication token expired for CCO ID used to generate API key. Log in to artifactory URL with CCO ID to refresh the token. No new key is needed.",
			"API キーの生成に使用された CCO ID の認証トークンの有効期限が切れています。その CCO ID で Artifactory の URL にログインし、トークンを更新してください。新しいキーは必要ありません。"},
		"download_token_expired": {"Authentication token expired for CCO ID used to generate API key. Make a new identity token on the page Software downloads and run: utils image-repository set",
			"認証トークンの有効期限が切れています。「ソフトウェアのダウンロード」ページで新しい ID トークンを作成し、utils image-repository set を実行してください。"},
		"invalid_download_credential": {"The API key or identity token is not valid: it is mistyped, revoked, or of the other kind. See utils image-repository authentication-type show.",
			"API キーまたは ID トークンが無効です。入力誤り、失効、または種類の違いです。utils image-repository authentication-type show で確認してください。"},
		"not_entitled": {"Entitlement check failed: the CCO ID has no software upgrade entitlement. A valid service contract (SWSS) or Flex subscription is needed.",
			"権限の確認に失敗しました。この CCO ID にはソフトウェアアップグレード権限がありません。有効な SWSS(サービス契約)または Flex サブスクリプションが必要です。"},
		"product_not_entitled": {"Entitlement check failed: no valid contract of the CCO ID covers this product.",
			"権限の確認に失敗しました。この CCO ID の有効な契約には、この製品が含まれていません。"},
		"export_restricted": {"Entitlement check failed: the CCO ID has no clearance for export-restricted software. Choose unrestricted, or use another CCO ID.",
			"権限の確認に失敗しました。この CCO ID には輸出規制対象ソフトウェアの許可がありません。規制対象外を選択するか、別の CCO ID を使用してください。"},
		"not_found": {"The repository knows no such repository name, or has nothing for this key. Check the name.",
			"このリポジトリ名は存在しないか、このキーで取得できるものがありません。名前を確認してください。"},
		"too_many_attempts": {"Too many wrong keys came from this address. Wait a moment and try again.",
			"このアドレスから無効なキーが多数送信されました。しばらく待ってからもう一度お試しください。"},
		"token_rotated": {"This identity token was rotated, and its successor is in use. Use that one.",
			"この ID トークンはすでに更新され、新しいトークンが使用されています。新しいトークンを使用してください。"},
	}
}

// Wrong is a configuration that is refused before anybody is asked.
type Wrong struct{ what wrong }

type wrong string

const (
	wrongURL        wrong = "url"
	wrongRepository wrong = "repository"
	wrongSecret     wrong = "secret"
)

// Error is the English sentence.
func (w *Wrong) Error() string { return w.Sentence("en") }

// Sentence answers in "ja" or English.
func (w *Wrong) Sentence(language string) string {
	switch w.what {
	case wrongURL:
		return pair{"The Artifactory URL is https://HOST[:PORT]/PATH, without a user or a query.",
			"Artifactory の URL は https://ホスト[:ポート]/パス の形式で、ユーザ名やクエリを含めずに入力してください。"}.in(language)
	case wrongRepository:
		return pair{"A repository's name has 1 to 64 lower-case letters, digits, dots, hyphens and underscores; \"api\" is none.",
			"リポジトリ名は 1 ~ 64 文字の英小文字、数字、ドット、ハイフン、アンダースコアです。「api」は使えません。"}.in(language)
	case wrongSecret:
		return pair{"The API key or identity token is one word of at most 512 printable ASCII characters.",
			"API キーまたは ID トークンは、空白を含まない 512 文字以内の ASCII 文字です。"}.in(language)
	}
	return "The configuration is wrong."
}

// clean makes foreign text fit to be shown: printable, and short.
func clean(text string) string {
	kept := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	if runes := []rune(kept); len(runes) > maxDetail {
		return string(runes[:maxDetail]) + "…"
	}
	return kept
}

// notes keeps the lines of release notes.
func notes(text string) string {
	kept := strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	if len(kept) > maxNotes {
		return strings.ToValidUTF8(kept[:maxNotes], "") + "…"
	}
	return kept
}
