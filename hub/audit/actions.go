package audit

import "strings"

// Category groups actions for people who look for something.
type Category string

// The categories.
const (
	SignIn       Category = "sign_in"
	Users        Category = "users"
	Organization Category = "organization"
	Registration Category = "registration"
	Clusters     Category = "clusters"
	Schedules    Category = "schedules"
	Upgrades     Category = "upgrades"
	Releases     Category = "releases"
	Downloads    Category = "downloads"
	Hub          Category = "hub"
)

// Categories lists them in the order in which they are shown.
func Categories() []Category {
	return []Category{SignIn, Users, Organization, Registration, Clusters, Schedules, Upgrades,
		Releases, Downloads, Hub}
}

// Name is what a person reads.
func (c Category) Name(language string) string {
	var en, ja string
	switch c {
	case SignIn:
		en, ja = "Sign-in", "サインイン"
	case Users:
		en, ja = "Users and roles", "ユーザとロール"
	case Organization:
		en, ja = "Organization", "組織"
	case Registration:
		en, ja = "Registration", "登録"
	case Clusters:
		en, ja = "Clusters and nodes", "クラスタとノード"
	case Schedules:
		en, ja = "Schedules", "スケジュール"
	case Upgrades:
		en, ja = "Upgrades", "アップグレード"
	case Releases:
		en, ja = "Releases", "リリース"
	case Downloads:
		en, ja = "Software downloads", "ソフトウェアのダウンロード"
	case Hub:
		en, ja = "Hub", "ハブ"
	default:
		en, ja = string(c), string(c)
	}
	if language == "ja" {
		return ja
	}
	return en
}

// kind is what is said of an action.
type kind struct {
	category Category
	en, ja   string
}

// Text is what an action is called; a newer word than this table is shown as it is.
func Text(action, language string) string {
	k, ok := kinds()[action]
	switch {
	case !ok:
		return strings.ReplaceAll(action, "_", " ")
	case language == "ja":
		return k.ja
	}
	return k.en
}

// CategoryOf answers an action's category; a newer word's is the hub's.
func CategoryOf(action string) Category {
	if k, ok := kinds()[action]; ok {
		return k.category
	}
	return Hub
}

// actionsOf are the actions of some categories; nil for none, which stands for all.
func actionsOf(categories []Category) []string {
	if len(categories) == 0 {
		return nil
	}
	found := []string{}
	for action, k := range kinds() {
		for _, c := range categories {
			if k.category == c {
				found = append(found, action)
			}
		}
	}
	return found
}

// actionsSaying are the actions whose names hold the text in any case.
func actionsSaying(text string) []string {
	var found []string
	text = strings.ToLower(text)
	for action, k := range kinds() {
		if strings.Contains(strings.ToLower(k.en), text) || strings.Contains(k.ja, text) ||
			strings.Contains(action, text) {
			found = append(found, action)
		}
	}
	return found
}

// kinds is the one table of what is recorded. A test compares it with the words in the code.
func kinds() map[string]kind {
	return map[string]kind{
		"signed_in":         {SignIn, "User Signed In", "ユーザがサインインしました"},
		"signed_out":        {SignIn, "User Signed Out", "ユーザがサインアウトしました"},
		"sign_in_refused":   {SignIn, "Sign-In Was Refused", "サインインが拒否されました"},
		"session_confirmed": {SignIn, "Session Was Confirmed", "セッションが再確認されました"},
		"session_ended":     {SignIn, "Session Was Ended", "セッションが終了されました"},

		"step_up_failed":         {SignIn, "Session Confirmation Failed", "セッションの再確認に失敗しました"},
		"second_factor_failed":   {SignIn, "Second Factor Was Refused", "2 要素認証が拒否されました"},
		"password_change_failed": {SignIn, "Password Change Was Refused", "パスワードの変更が拒否されました"},

		"recovery_code_used": {SignIn, "Recovery Code Was Used", "リカバリコードが使用されました"},

		"user_created":           {Users, "User Was Created", "ユーザが作成されました"},
		"user_invited":           {Users, "User Was Invited", "ユーザが招待されました"},
		"invitation_withdrawn":   {Users, "Invitation Was Withdrawn", "招待が取り消されました"},
		"role_changed":           {Users, "Role Was Changed", "ロールが変更されました"},
		"user_disabled":          {Users, "User Was Disabled", "ユーザが無効化されました"},
		"user_enabled":           {Users, "User Was Enabled", "ユーザが有効化されました"},
		"second_factor_reset":    {Users, "Second Factor Was Reset", "2 要素認証がリセットされました"},
		"token_created":          {Users, "API Token Was Created", "API トークンが作成されました"},
		"token_revoked":          {Users, "API Token Was Revoked", "API トークンが失効されました"},
		"passkey_added":          {Users, "Passkey Was Added", "パスキーが追加されました"},
		"invitation_accepted":    {Users, "Invitation Was Accepted", "招待が承諾されました"},
		"password_reset":         {Users, "Password Was Reset", "パスワードがリセットされました"},
		"password_changed":       {Users, "Password Was Changed", "パスワードが変更されました"},
		"passkey_removed":        {Users, "Passkey Was Removed", "パスキーが削除されました"},
		"passkey_copied":         {Users, "Copied Passkey Was Refused", "複製されたパスキーが拒否されました"},
		"recovery_codes_renewed": {Users, "Recovery Codes Were Renewed", "リカバリコードが再発行されました"},

		"oidc_subject_bound":     {Users, "Identity Provider Account Was Linked", "ID プロバイダのアカウントが関連付けられました"},
		"oidc_subject_forgotten": {Users, "Identity Provider Account Was Unlinked", "ID プロバイダのアカウントの関連付けが解除されました"},

		"organization_created":  {Organization, "Organization Was Created", "組織が作成されました"},
		"organization_changed":  {Organization, "Organization Settings Were Changed", "組織の設定が変更されました"},
		"organization_disabled": {Organization, "Organization Was Disabled", "組織が無効化されました"},
		"organization_enabled":  {Organization, "Organization Was Enabled", "組織が有効化されました"},
		"domain_changed":        {Organization, "Verified Domain Was Changed", "確認済みドメインが変更されました"},
		"oidc_set":              {Organization, "Identity Provider Was Set", "ID プロバイダが設定されました"},
		"oidc_removed":          {Organization, "Identity Provider Was Removed", "ID プロバイダが削除されました"},

		"registration_begun":      {Registration, "Registration Was Begun", "登録が開始されました"},
		"registration_opened":     {Registration, "Registration Page Was Opened", "登録ページが開かれました"},
		"registration_claimed":    {Registration, "Access Was Allowed", "アクセスが許可されました"},
		"registration_denied":     {Registration, "Access Was Denied", "アクセスが拒否されました"},
		"registration_cancelled":  {Registration, "Registration Was Cancelled", "登録が取り消されました"},
		"registration_expired":    {Registration, "Registration Expired", "登録が期限切れになりました"},
		"registration_superseded": {Registration, "Registration Was Superseded", "登録が新しい登録に置き換えられました"},
		"registration_burned":     {Registration, "Registration Was Burned", "登録が不正使用のため終了されました"},
		"registration_foreign":    {Registration, "Foreign Registration Was Refused", "別の場所で開始された登録が拒否されました"},
		"registration_compared":   {Registration, "Comparison Code Was Wrong", "照合コードが一致しませんでした"},
		"headless_denied":         {Registration, "Node Registration Request Was Denied", "ノードの登録要求が拒否されました"},
		"cluster_registered":      {Registration, "Cloud Connect Cluster Was Registered", "Cloud Connect クラスタが登録されました"},
		"cluster_deregistered":    {Registration, "Cloud Connect Cluster Was Unregistered", "Cloud Connect クラスタの登録が解除されました"},

		"node_joined":         {Clusters, "Node Joined the Cluster", "ノードがクラスタに参加しました"},
		"node_admitted":       {Clusters, "Node Was Admitted", "ノードの参加が承認されました"},
		"node_removed":        {Clusters, "Node Was Removed", "ノードが削除されました"},
		"node_replaced":       {Clusters, "Node Was Replaced", "ノードが交換されました"},
		"node_quarantined":    {Clusters, "Node Was Quarantined", "ノードが隔離されました"},
		"key_rotated":         {Clusters, "Node Key Was Rotated", "ノードの鍵が更新されました"},
		"key_adopted":         {Clusters, "Node Key Was Adopted After a Restore", "復元後にノードの鍵が引き継がれました"},
		"member_changed":      {Clusters, "Node Membership Was Changed", "ノードのメンバー状態が変更されました"},
		"maintenance_entered": {Clusters, "Maintenance Mode Was Entered", "メンテナンスモードが開始されました"},
		"maintenance_left":    {Clusters, "Maintenance Mode Was Left", "メンテナンスモードが解除されました"},
		"health_changed":      {Clusters, "Node Health Changed", "ノードの稼働状態が変わりました"},
		"version_changed":     {Clusters, "Node Version Changed", "ノードのバージョンが変わりました"},
		"cloud_view_enabled":  {Clusters, "Cloud View Was Enabled", "クラウドビューが有効になりました"},
		"cloud_view_disabled": {Clusters, "Cloud View Was Disabled", "クラウドビューが無効になりました"},
		"version_adopted":     {Clusters, "Node Version Was Adopted", "ノードのバージョンが引き継がれました"},

		"schedules_saved":     {Schedules, "Upgrade Schedule Was Updated", "アップグレードスケジュールが更新されました"},
		"upgrade_postponed":   {Schedules, "Upgrade Was Postponed", "アップグレードが延期されました"},
		"postponement_undone": {Schedules, "Upgrade Postponement Was Undone", "アップグレードの延期が取り消されました"},
		"upgrade_now":         {Schedules, "Upgrade Window Was Opened", "臨時のアップグレード時間帯が開始されました"},

		"rollout_opened":        {Upgrades, "Rollout Was Started", "ロールアウトが開始されました"},
		"rollout_changed":       {Upgrades, "Rollout State Changed", "ロールアウトの状態が変わりました"},
		"rollout_retried":       {Upgrades, "Rollout Was Retried", "ロールアウトが再試行されました"},
		"permit_offered":        {Upgrades, "Upgrade Permit Was Offered", "アップグレードの許可が提示されました"},
		"permit_confirmed":      {Upgrades, "Upgrade Permit Was Confirmed", "アップグレードの許可が確認されました"},
		"permit_ended":          {Upgrades, "Upgrade Permit Ended", "アップグレードの許可が終了しました"},
		"permit_adopted":        {Upgrades, "Upgrade Permit Was Adopted", "アップグレードの許可が引き継がれました"},
		"permit_overridden":     {Upgrades, "Upgrade Permit Was Overridden", "アップグレードの許可が強制終了されました"},
		"upgrade_despite":       {Upgrades, "Upgrade Despite a Node Was Allowed", "応答しないノードがあってもアップグレードが許可されました"},
		"local_permit_refused":  {Upgrades, "Work by Hand Was Refused", "手動作業が拒否されました"},
		"worked_without_permit": {Upgrades, "Work by Hand Was Done Without Permit", "許可なしで手動作業が行われました"},

		"decision_changed": {Upgrades, "Upgrade Decision Changed", "アップグレードの判定が変わりました"},
		"step_changed":     {Upgrades, "Upgrade Step Changed", "アップグレードの段階が変わりました"},

		"release_published":     {Releases, "Release Was Published", "リリースが公開されました"},
		"release_state_changed": {Releases, "Release State Was Changed", "リリースの状態が変更されました"},

		"software_added":           {Downloads, "Software Was Added", "ソフトウェアが追加されました"},
		"software_withdrawn":       {Downloads, "Software Was Withdrawn", "ソフトウェアが取り下げられました"},
		"eula_published":           {Downloads, "License Agreement Was Published", "ライセンス契約が公開されました"},
		"eula_accepted":            {Downloads, "License Agreement Was Accepted", "ライセンス契約に同意しました"},
		"entitlement_added":        {Downloads, "Entitlement Was Added", "権限(契約)が追加されました"},
		"entitlement_ended":        {Downloads, "Entitlement Was Ended", "権限(契約)が終了されました"},
		"download_key_generated":   {Downloads, "Download Key Was Generated", "ダウンロードキーが生成されました"},
		"download_key_revoked":     {Downloads, "Download Key Was Revoked", "ダウンロードキーが失効されました"},
		"identity_token_generated": {Downloads, "Identity Token Was Generated", "ID トークンが生成されました"},
		"identity_token_revoked":   {Downloads, "Identity Token Was Revoked", "ID トークンが失効されました"},
		"identity_token_rotated":   {Downloads, "Identity Token Was Rotated", "ID トークンが更新されました"},

		"hub_restored":       {Hub, "Hub Was Restored", "ハブが復元されました"},
		"restore_wait_ended": {Hub, "Wait After Restore Ended", "復元後の待機が終了しました"},
	}
}
