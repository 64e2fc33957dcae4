package models

// text is one sentence in both languages.
type text struct{ en, ja string }

// Codes lists every refusal code, for the page that documents them.
func Codes() []Code {
	codes := make([]Code, 0, len(sentences))
	for c := range sentences {
		codes = append(codes, c)
	}
	return codes
}

// sentences is the one table of refusals: what a person reads in English and in Japanese. It is
// never changed at run time.
var sentences = map[Code]text{
	CodeInternal: {"Something went wrong in the hub. Try again; if it happens again, give your vendor the tracking ID.",
		"ハブで問題が発生しました。もう一度お試しください。繰り返す場合は、トラッキング ID をベンダーにお知らせください。"},
	"not_found":          {"This does not exist.", "見つかりません。"},
	"forbidden":          {"Your role does not allow this.", "この操作を行う権限がありません。"},
	"signed_out":         {"You are not signed in, or your session has ended. Sign in again.", "サインインしていないか、セッションが終了しました。もう一度サインインしてください。"},
	"wrong_credentials":  {"The e-mail address or the password is wrong.", "メールアドレスまたはパスワードが正しくありません。"},
	"too_many_attempts":  {"Too many attempts. Wait a moment and try again.", "試行回数が多すぎます。しばらく待ってからもう一度お試しください。"},
	"foreign_origin":     {"This request came from another site and was refused.", "別のサイトからの要求のため拒否しました。"},
	"body_too_large":     {"The request is larger than 64 KiB.", "要求が 64 KiB を超えています。"},
	"malformed_body":     {"The request is not valid JSON of the expected form.", "要求が想定した形式の JSON ではありません。"},
	"unknown_field":      {"The request holds an unknown field: {subject}.", "要求に不明な項目があります: {subject}。"},
	"unsupported_media":  {"The request must be application/json.", "要求は application/json でなければなりません。"},
	"method_not_allowed": {"This address does not take that method.", "このアドレスではそのメソッドを使えません。"},
	"unavailable":        {"The hub cannot answer right now. Try again in a moment.", "ハブが現在応答できません。しばらくしてからもう一度お試しください。"},
	"request_timeout":    {"The request took too long and was given up; nothing was changed.", "要求に時間がかかりすぎたため中止しました。何も変更されていません。"},

	"display_name_required": {"Enter a display name.", "表示名を入力してください。"},
	"invalid_display_name":  {"A display name has 1 to 128 characters and no control characters.", "表示名は 1~128 文字で、制御文字は使えません。"},
	"display_name_taken":    {"A cluster named “{subject}” is already registered or waiting. Choose another display name.", "「{subject}」という名前のクラスタはすでに登録済みか、登録待ちです。別の表示名を選んでください。"},
	"fqdn_required":         {"Enter the publisher node's fully qualified domain name.", "パブリッシャノードの FQDN を入力してください。"},
	"invalid_fqdn":          {"This is not a fully qualified domain name. Enter the name alone, such as cc-pub.example.com: no scheme, port or path.", "FQDN ではありません。cc-pub.example.com のように名前だけを入力してください(スキーム、ポート、パスは不要です)。"},
	"fqdn_is_address":       {"Enter the publisher's name, not its IP address.", "IP アドレスではなく、パブリッシャの名前を入力してください。"},
	"fqdn_registered":       {"{subject} is already registered in your organization.", "{subject} はすでにこの組織に登録されています。"},
	"invalid_name":          {"A name has 1 to 128 characters and no control characters.", "名前は 1~128 文字で、制御文字は使えません。"},
	"invalid_email":         {"This is not an e-mail address.", "メールアドレスの形式ではありません。"},
	"email_taken":           {"A user with this e-mail address already exists.", "このメールアドレスのユーザはすでに存在します。"},
	"organization_taken":    {"An organization with this name already exists.", "この名前の組織はすでに存在します。"},
	"weak_password":         {"A password has 12 to 256 characters.", "パスワードは 12~256 文字です。"},
	"invalid_role":          {"This is not a role of this organization.", "この組織で使えるロールではありません。"},
	"invalid_language":      {"The language is en or ja.", "言語は en または ja です。"},

	"registration_expired":    {"This registration has expired. Start it again in Connect Hub.", "この登録は期限切れです。Connect Hub で登録をやり直してください。"},
	"registration_used":       {"This registration was already used. Start it again in Connect Hub.", "この登録はすでに使用されています。Connect Hub で登録をやり直してください。"},
	"registration_superseded": {"A newer registration has replaced this one.", "新しい登録が開始されたため、この登録は無効です。"},
	"registration_denied":     {"Access was denied on the publisher's page.", "パブリッシャのページでアクセスが拒否されました。"},
	"registration_cancelled":  {"This registration was cancelled in Connect Hub.", "この登録は Connect Hub で取り消されました。"},
	"invalid_ticket":          {"This link is not a valid registration link of this hub.", "このリンクは、このハブの有効な登録リンクではありません。"},
	"wrong_fqdn":              {"This registration is for {subject}, not for this node.", "この登録は {subject} のもので、このノードのものではありません。"},
	"other_session":           {"Finish this registration in the browser session that began it.", "この登録は、開始したブラウザのセッションで完了してください。"},
	"invalid_return_code":     {"This return link is not valid. Start the registration again.", "この戻りリンクは無効です。登録をやり直してください。"},
	"return_too_late":         {"The return to Connect Hub took more than 2 minutes. Start the registration again.", "Connect Hub への復帰に 2 分以上かかりました。登録をやり直してください。"},
	"node_registered_already": {"This node already belongs to a cluster. Deregister it first.", "このノードはすでにクラスタに属しています。先に登録を解除してください。"},
	"invalid_claim":           {"The node's claim is not valid: {subject}.", "ノードの登録要求が正しくありません: {subject}。"},
	"too_many_registrations":  {"Too many registrations are pending. Finish or cancel one first.", "保留中の登録が多すぎます。先に完了するか取り消してください。"},
	"client_too_old":          {"The agent of this node is too old to be registered. Bring it to {subject} or later.", "このノードのエージェントは古すぎるため登録できません。{subject} 以降に更新してください。"},
	"node_too_old":            {"The product on this node is too old to be registered. Bring it to {subject} or later.", "このノードの製品は古すぎるため登録できません。{subject} 以降に更新してください。"},
	"registration_burned":     {"This registration was used in a way that is not allowed and has ended. Start it again in Connect Hub.", "この登録は許可されていない方法で使用されたため終了しました。Connect Hub で登録をやり直してください。"},
	"role_publisher":          {"{subject} is the publisher of its cluster; only a publisher can take its place.", "{subject} はクラスタのパブリッシャです。置き換えられるのはパブリッシャだけです。"},
	"role_subscriber":         {"{subject} is a subscriber of its cluster; only a subscriber can take its place.", "{subject} はクラスタのサブスクライバです。置き換えられるのはサブスクライバだけです。"},

	"comparison_code_required": {"Your organization demands the comparison code. Type it as the publisher's page shows it.", "この組織では照合コードの入力が必要です。パブリッシャのページに表示されたコードを入力してください。"},
	"comparison_code_differs":  {"This is not the comparison code of the publisher's page. If you did not open that page yourself, cancel the registration.", "パブリッシャのページの照合コードと一致しません。ご自身でそのページを開いていない場合は、登録を取り消してください。"},

	"invalid_user_code": {"This is not a code of nodeclient register. It looks like BCDF-GHJK.", "nodeclient register のコードではありません。コードは BCDF-GHJK のような形式です。"},
	"unknown_user_code": {"No node waits with this code. Codes are good for 15 minutes.", "このコードで待機しているノードはありません。コードの有効期限は 15 分です。"},
	"other_environment": {"This node was set up for another environment than this hub's.", "このノードは、このハブとは別の環境向けに設定されています。"},

	"invalid_time":        {"Enter a time from 00:00 to 23:59 as HH:MM.", "時刻は 00:00~23:59 の HH:MM 形式で入力してください。"},
	"invalid_days":        {"Choose at least one day of the week, each once.", "曜日を 1 つ以上、重複なく選んでください。"},
	"invalid_zone":        {"This is not a time zone that the hub knows.", "ハブが認識できるタイムゾーンではありません。"},
	"invalid_length":      {"A window lasts from 30 minutes to 12 hours.", "アップグレード時間帯の長さは 30 分~12 時間です。"},
	"invalid_date":        {"Enter a date as YYYY-MM-DD.", "日付は YYYY-MM-DD 形式で入力してください。"},
	"invalid_count":       {"The count is out of range.", "件数が範囲外です。"},
	"schedule_changed":    {"Somebody else changed the schedule meanwhile. Look at it and save again.", "別の管理者がスケジュールを変更しました。確認してからもう一度保存してください。"},
	"puts_off_too_far":    {"An upgrade is pending, and this change would put it off by more than 8 days.", "保留中のアップグレードがあり、この変更では 8 日を超えて遅れるため保存できません。"},
	"already_postponed":   {"The next upgrade of {subject} is already postponed.", "{subject} の次回アップグレードはすでに延期されています。"},
	"postponement_spent":  {"The pending upgrade was already postponed once.", "保留中のアップグレードはすでに 1 回延期されています。"},
	"not_postponed":       {"No upgrade is postponed.", "延期中のアップグレードはありません。"},
	"too_late_to_undo":    {"The postponed window has already passed its opening.", "延期した時間帯の開始時刻を過ぎているため、取り消せません。"},
	"nothing_pending":     {"No upgrade is pending for this cluster.", "このクラスタに保留中のアップグレードはありません。"},
	"window_open_already": {"An upgrade window is open already.", "アップグレード時間帯はすでに始まっています。"},
	"typed_name_differs":  {"The name you typed differs from “{subject}”.", "入力した名前が「{subject}」と一致しません。"},

	"permit_not_open":      {"This permit has already ended.", "この許可はすでに終了しています。"},
	"permit_not_confirmed": {"Only a confirmed permit can be overridden.", "確認済みの許可だけを強制終了できます。"},
	"holder_not_lost":      {"The node still polls; wait for its own report.", "ノードはまだ応答しています。ノード自身の報告をお待ちください。"},
	"permit_confirmed":     {"A node of this cluster is being upgraded; wait until it has finished.", "このクラスタのノードをアップグレード中です。完了するまでお待ちください。"},
	"not_halted":           {"The rollout is not halted by a failure.", "ロールアウトは失敗による停止状態ではありません。"},
	"halted_lost":          {"A node that may have a service down is silent. Override its permit first.", "サービスが停止している可能性のあるノードから応答がありません。先にその許可を強制終了してください。"},
	"reason_required":      {"Enter a reason.", "理由を入力してください。"},
	"invalid_duration":     {"Maintenance lasts from 1 minute to 7 days.", "メンテナンスの長さは 1 分~7 日です。"},
	"not_in_maintenance":   {"The node is not in maintenance mode.", "ノードはメンテナンスモードではありません。"},
	"not_waiting":          {"This node is not waiting to be admitted.", "このノードは承認待ちではありません。"},
	"no_odd_version":       {"The node's version is described by a release already.", "ノードのバージョンはすでにリリースに含まれています。"},
	"publisher_stays":      {"The publisher cannot be removed; replace it or deregister the cluster.", "パブリッシャは削除できません。交換するか、クラスタの登録を解除してください。"},
	"not_blocking":         {"This node does not hold up an upgrade.", "このノードはアップグレードを妨げていません。"},

	"invalid_token":        {"The node's access token is not valid.", "ノードのアクセストークンが正しくありません。"},
	"invalid_assertion":    {"The node's assertion is not valid.", "ノードのアサーションが正しくありません。"},
	"assertion_replayed":   {"The node's assertion was used before.", "ノードのアサーションはすでに使用されています。"},
	"not_registered":       {"This node is not registered.", "このノードは登録されていません。"},
	"invalid_poll":         {"The poll is not valid: {subject}.", "ポーリングの内容が正しくありません: {subject}。"},
	"stale_permit":         {"This permit is not the open one of the cluster.", "この許可は、このクラスタで有効な許可ではありません。"},
	"stale_fence":          {"This message bears an old fence.", "このメッセージのフェンスは古いものです。"},
	"confirm_refused":      {"The node may not stop its services now: {subject}.", "ノードは現在サービスを停止できません: {subject}。"},
	"bundle_not_permitted": {"The depot serves this bundle only under an open permit.", "このバンドルは有効な許可がある間だけ取得できます。"},
	"protocol_too_old":     {"The node speaks a protocol that this hub no longer speaks.", "ノードのプロトコルは、このハブでは使えなくなっています。"},
	"not_publisher":        {"Only the publisher may do this.", "この操作はパブリッシャだけが行えます。"},

	"invalid_version":       {"A version has one to six numbers parted by dots, and at most one build number behind a hyphen.", "バージョンは、ドットで区切った 1~6 個の数字と、ハイフンに続く 1 つのビルド番号で表します。"},
	"invalid_bundle":        {"This is not a valid bundle: {subject}.", "有効なバンドルではありません: {subject}。"},
	"version_taken":         {"Version {subject} is already in this channel.", "バージョン {subject} はすでにこのチャネルにあります。"},
	"invalid_kind":          {"The kind is regular or emergency.", "種別は regular または emergency です。"},
	"invalid_channel":       {"A channel has 1 to 32 lower-case letters, digits and hyphens.", "チャネルは 1~32 文字の英小文字、数字、ハイフンです。"},
	"invalid_release_state": {"A release cannot go from {subject} to that state.", "リリースを {subject} からその状態に変えることはできません。"},
	"disk_full":             {"The disk is full; nothing was changed.", "ディスクの空きがありません。何も変更されていません。"},
}
