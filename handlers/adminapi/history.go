package adminapi

import (
	"encoding/json"
	"strings"

	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/audit"
	"connecthub/hub/fleet"
	"connecthub/models"
)

// words is one sentence in both languages.
type words struct{ en, ja string }

func historyOf(h fleet.HistoryView, language string) gen.HistoryItem {
	return gen.HistoryItem{
		At: h.At.UTC(), Kind: gen.HistoryItemKind(h.Kind), NodeName: some(h.NodeName),
		Actor: some(h.Actor), Sentence: historySentence(h, language),
	}
}

func historySentence(h fleet.HistoryView, language string) string {
	texts := changeTexts()
	switch h.Kind {
	case "decision":
		return models.ReasonSentence(models.Reason(h.Action), h.Subject, language)
	case "permit":
		texts = permitTexts()
	}
	w, ok := texts[h.Action]
	if !ok {
		// What has no sentence of its own here is called as in the audit log.
		w = words{audit.Text(h.Action, "en"), audit.Text(h.Action, "ja")}
	}
	text := w.en
	if language == "ja" {
		text = w.ja
	}
	return strings.NewReplacer("{subject}", h.Subject, "{node}", string(h.NodeName),
		"{after}", after(h, language)).Replace(text)
}

// after is what a step, a health or a version became, in words where it is a word of ours.
func after(h fleet.HistoryView, language string) string {
	var word string
	if json.Unmarshal([]byte(h.After), &word) != nil {
		return ""
	}
	w, ok := stateTexts()[word]
	switch {
	case !ok:
		return word
	case language == "ja":
		return w.ja
	}
	return w.en
}

// stateTexts says the steps of an upgrade (R20, R26, R28) and the health words.
func stateTexts() map[string]words {
	return map[string]words{
		string(models.StepIdle):        {"the upgrade is over", "アップグレードを終えました"},
		string(models.StepFetching):    {"fetching the bundle", "バンドルを取得しています"},
		string(models.StepVerified):    {"the bundle is on disk and verified", "バンドルを取得し、検証しました"},
		string(models.StepConfirming):  {"asking whether it may stop its services now", "サービスを停止してよいか確認しています"},
		string(models.StepDraining):    {"finishing open requests", "処理中の要求を終えています"},
		string(models.StepStopping):    {"stopping its services", "サービスを停止しています"},
		string(models.StepSwitching):   {"switching to the other version", "バージョンを切り替えています"},
		string(models.StepStarting):    {"starting its services", "サービスを起動しています"},
		string(models.StepChecking):    {"checking that the version serves", "動作を確認しています"},
		string(models.StepSoaking):     {"watching the version for a while", "しばらく経過を確認しています"},
		string(models.StepRollingBack): {"rolling back", "ロールバックしています"},
		string(models.HealthUnknown):   {"of unknown health", "稼働状態は不明です"},
		string(models.Healthy):         {"healthy", "正常に稼働しています"},
		string(models.Unhealthy):       {"unhealthy", "正常に稼働していません"},
	}
}

// permitTexts says what became of a permit, by its state or outcome.
func permitTexts() map[string]words {
	return map[string]words{
		"offered":     {"{node} may upgrade to {subject}.", "{node} に {subject} へのアップグレードを許可しました。"},
		"confirmed":   {"{node} began to upgrade to {subject}.", "{node} が {subject} へのアップグレードを開始しました。"},
		"succeeded":   {"{node} runs {subject}.", "{node} が {subject} で稼働しました。"},
		"failed":      {"{node} could not upgrade to {subject}.", "{node} は {subject} へアップグレードできませんでした。"},
		"rolled_back": {"{node} rolled back from {subject}.", "{node} が {subject} からロールバックしました。"},
		"withdrawn":   {"The permit of {node} for {subject} was withdrawn.", "{node} の {subject} への許可を取り下げました。"},
		"abandoned":   {"{node} gave its permit for {subject} back.", "{node} が {subject} への許可を返上しました。"},
		"overridden":  {"An administrator ended the permit of {node} for {subject}.", "管理者が {node} の {subject} への許可を強制終了しました。"},

		"local_offered":     {"{node} may stop its services by hand.", "{node} に手動でのサービス停止を許可しました。"},
		"local_confirmed":   {"{node} began work by hand.", "{node} で手動作業を開始しました。"},
		"local_succeeded":   {"{node} ended its work by hand and serves.", "{node} の手動作業が完了し、稼働しています。"},
		"local_failed":      {"Work by hand on {node} failed.", "{node} の手動作業が失敗しました。"},
		"local_rolled_back": {"{node} came back from what was done by hand.", "{node} は手動作業前の状態に戻りました。"},
		"local_withdrawn":   {"The permit of {node} for work by hand was withdrawn.", "{node} の手動作業の許可を取り下げました。"},
		"local_abandoned":   {"{node} gave its permit for work by hand back.", "{node} が手動作業の許可を返上しました。"},
		"local_overridden":  {"An administrator ended the permit of {node} for work by hand.", "管理者が {node} の手動作業の許可を強制終了しました。"},
	}
}

// changeTexts says what somebody changed, by the action of the audit record.
func changeTexts() map[string]words {
	return map[string]words{
		"registration_begun":     {"Registration of {subject} began.", "{subject} の登録を開始しました。"},
		"registration_cancelled": {"Registration of {subject} was cancelled.", "{subject} の登録を取り消しました。"},
		"registration_claimed":   {"The publisher allowed access for {subject}.", "パブリッシャが {subject} のアクセスを許可しました。"},
		"registration_denied":    {"The publisher denied access for {subject}.", "パブリッシャが {subject} のアクセスを拒否しました。"},
		"registration_expired":   {"Registration of {subject} expired.", "{subject} の登録は期限切れになりました。"},
		"registration_opened":    {"A publisher's page showed the registration of {subject}.", "パブリッシャのページに {subject} の登録が表示されました。"},

		"registration_superseded": {"A newer registration replaced the one of {subject}.", "新しい登録が開始されたため、{subject} の登録は無効になりました。"},
		"registration_burned":     {"The registration of {subject} was used in a way that is not allowed, and has ended.", "{subject} の登録は許可されていない方法で使用されたため終了しました。"},
		"registration_foreign":    {"A registration of {subject} that was begun elsewhere came back in this organization and was refused.", "別の場所で開始された {subject} の登録がこの組織のブラウザに戻ったため、拒否しました。"},
		"registration_compared":   {"A wrong comparison code was typed for {subject}.", "{subject} の照合コードが正しく入力されませんでした。"},
		"headless_denied":         {"The request of {subject} to be registered was denied.", "{subject} からの登録要求を拒否しました。"},

		"cluster_registered":    {"The cluster was registered.", "クラスタを登録しました。"},
		"cluster_deregistered":  {"The cluster was deregistered.", "クラスタの登録を解除しました。"},
		"schedules_saved":       {"The schedules were changed.", "スケジュールを変更しました。"},
		"upgrade_postponed":     {"The next upgrade was postponed.", "次回のアップグレードを延期しました。"},
		"postponement_undone":   {"The postponement was taken back.", "延期を取り消しました。"},
		"upgrade_now":           {"An extra upgrade window was opened.", "臨時のアップグレード時間帯を開始しました。"},
		"rollout_retried":       {"The halted rollout was set to try again.", "停止したロールアウトを再試行するようにしました。"},
		"permit_overridden":     {"The permit of {subject} was ended by hand.", "{subject} の許可を手動で終了しました。"},
		"maintenance_entered":   {"{subject} entered maintenance mode.", "{subject} をメンテナンスモードにしました。"},
		"maintenance_left":      {"{subject} left maintenance mode.", "{subject} のメンテナンスモードを解除しました。"},
		"node_joined":           {"{subject} joined the cluster.", "{subject} がクラスタに参加しました。"},
		"node_admitted":         {"{subject} was admitted.", "{subject} の参加を承認しました。"},
		"node_removed":          {"{subject} was removed.", "{subject} を削除しました。"},
		"node_replaced":         {"{subject} was replaced.", "{subject} を交換しました。"},
		"node_quarantined":      {"{subject} was put in quarantine: its credential was used by more than one machine. Replace the node.", "{subject} を隔離しました。資格情報が複数のマシンで使用されています。ノードを交換してください。"},
		"key_rotated":           {"{subject} has a new key.", "{subject} の鍵を更新しました。"},
		"key_adopted":           {"{subject} came back after a restore of the hub with a later key of its own.", "ハブの復元後、{subject} が新しい鍵で復帰しました。"},
		"version_adopted":       {"The version of {subject} was adopted.", "{subject} のバージョンを引き継ぎました。"},
		"upgrade_despite":       {"The next permit may pass although {subject} does not serve.", "{subject} が応答していなくても、次の許可を 1 回だけ認めました。"},
		"member_changed":        {"The membership of {subject} changed.", "{subject} のメンバー状態が変わりました。"},
		"rollout_opened":        {"The rollout of {subject} began.", "{subject} のロールアウトを開始しました。"},
		"rollout_changed":       {"The state of the rollout of {subject} changed.", "{subject} のロールアウトの状態が変わりました。"},
		"permit_offered":        {"{subject} was offered a permit.", "{subject} に許可を提示しました。"},
		"permit_confirmed":      {"The permit of {subject} was confirmed.", "{subject} の許可を確認しました。"},
		"permit_ended":          {"The permit of {subject} ended.", "{subject} の許可が終了しました。"},
		"permit_adopted":        {"A permit of {subject} was taken over after a restore.", "復元後、{subject} の許可を引き継ぎました。"},
		"local_permit_refused":  {"Work by hand on {subject} was refused.", "{subject} の手動作業を拒否しました。"},
		"worked_without_permit": {"The services of {subject} were stopped by hand without a permit.", "{subject} のサービスが許可なしで手動停止されました。"},
		"cloud_view_enabled":    {"The control node began to show its contact center.", "制御ノードがコンタクトセンターの表示を開始しました。"},
		"cloud_view_disabled":   {"What was shown of the contact center was deleted.", "表示していたコンタクトセンターの情報を削除しました。"},
		"decision_changed":      {"The decision for {subject} changed.", "{subject} の判定が変わりました。"},
		"health_changed":        {"{subject} is {after}.", "{subject}: {after}。"},
		"version_changed":       {"{subject} runs version {after}.", "{subject} のバージョンが {after} になりました。"},
		"step_changed":          {"{subject}: {after}.", "{subject}: {after}。"},
		"restore_wait_ended":    {"Every member has polled since the hub was restored.", "ハブの復元後、すべてのメンバーから応答がありました。"},
	}
}
