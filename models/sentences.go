package models

import "strings"

// ReasonSentence answers "why not yet?" in "ja" or, for any other language, in English (R24).
// Subject is what the reason is about: another node, a requirement with its cure, a release.
func ReasonSentence(r Reason, subject, language string) string {
	t, ok := reasonTexts[r]
	if !ok {
		return string(r)
	}
	if r == ReasonRequirementUnmet {
		if u, ok := ParseUnmet(subject); ok {
			return u.Sentence(language)
		}
	}
	s := t.en
	if language == "ja" {
		s = t.ja
	}
	return strings.ReplaceAll(s, "{subject}", subject)
}

// reasonTexts is the one table of reasons; it is never changed at run time.
var reasonTexts = map[Reason]text{
	ReasonUpToDate:             {"The node runs the newest release for this cluster.", "このクラスタ向けの最新リリースで動作しています。"},
	ReasonNoRelease:            {"No release is published for this cluster.", "このクラスタ向けに公開されたリリースはありません。"},
	ReasonWindowClosed:         {"An upgrade to {subject} waits for the upgrade window.", "{subject} へのアップグレードは、アップグレード時間帯を待っています。"},
	ReasonPostponed:            {"The upgrade to {subject} is postponed past the next window.", "{subject} へのアップグレードは、次の時間帯を 1 回見送ります(延期)。"},
	ReasonStartByPassed:        {"Too little of the window is left to begin {subject}; the next window will do it.", "残り時間が少ないため {subject} は開始せず、次の時間帯に行います。"},
	ReasonOtherNodeUpgrading:   {"{subject} is being upgraded; nodes go one at a time.", "{subject} をアップグレード中です。ノードは 1 台ずつ順番に進みます。"},
	ReasonPeerUnhealthy:        {"{subject} does not serve healthily; no other node may stop.", "{subject} が正常に動作していないため、他のノードは停止できません。"},
	ReasonPeerSilent:           {"{subject} has not polled lately; no other node may stop.", "{subject} からの応答がないため、他のノードは停止できません。"},
	ReasonPeerInMaintenance:    {"{subject} is in maintenance mode; no other node may stop.", "{subject} がメンテナンス中のため、他のノードは停止できません。"},
	ReasonMemberMissing:        {"{subject} belongs to the cluster but has not joined, or is quarantined.", "{subject} はクラスタのメンバーですが、未参加または隔離中です。"},
	ReasonSoaking:              {"{subject} has just been upgraded and is being watched.", "{subject} はアップグレード直後のため、経過を確認しています。"},
	ReasonHaltedFailed:         {"The rollout is halted because {subject} failed. Retry it, or wait for a newer release.", "{subject} が失敗したため、ロールアウトは停止しています。再試行するか、新しいリリースをお待ちください。"},
	ReasonHaltedLost:           {"The rollout is halted: {subject} fell silent while its services may be down.", "{subject} がサービス停止の可能性があるまま応答しないため、ロールアウトは停止しています。"},
	ReasonRequirementUnmet:     {"A requirement is not met: {subject}", "要件を満たしていません: {subject}"},
	ReasonNotInPhase:           {"This cluster's turn for the release has not come.", "このクラスタの順番はまだ来ていません。"},
	ReasonReleasePaused:        {"The vendor has paused release {subject}.", "ベンダーがリリース {subject} を一時停止しています。"},
	ReasonReleaseRecalled:      {"The vendor has recalled release {subject}.", "ベンダーがリリース {subject} を取り下げました。"},
	ReasonMaintenanceMode:      {"The node is in maintenance mode.", "ノードはメンテナンスモードです。"},
	ReasonClockSkew:            {"The node's clock differs by more than 5 minutes; set it right (NTP).", "ノードの時計が 5 分以上ずれています。時刻同期(NTP)を確認してください。"},
	ReasonUnmanagedVersion:     {"No release describes version {subject}. Adopt it to go on.", "バージョン {subject} に該当するリリースがありません。続けるには引き継いでください。"},
	ReasonDeniedVersion:        {"The node rolled back from {subject}; it is not tried again until you retry.", "ノードは {subject} からロールバックしました。再試行するまで適用されません。"},
	ReasonOrganizationDisabled: {"The organization is disabled at the hub; its upgrades wait until it is enabled again.", "ハブで組織が無効になっています。再び有効になるまでアップグレードは行われません。"},
	ReasonRestoredHub:          {"The hub was restored from a backup and waits until every member has polled.", "ハブがバックアップから復元されたため、全メンバーの応答を待っています。"},
	ReasonClusterNotRegistered: {"The cluster is not registered.", "クラスタは登録されていません。"},
	ReasonProtocolTooOld:       {"The node's software is too old for this hub.", "ノードのソフトウェアがこのハブには古すぎます。"},
	ReasonNotYourTurn:          {"{subject} goes first.", "{subject} が先に進みます。"},
	ReasonNotAdmitted:          {"The node joined after registration and waits for an administrator.", "登録後に参加したノードのため、管理者の承認を待っています。"},
	ReasonExcluded:             {"The node is excluded after an override until it polls healthy again.", "強制終了後のため、正常な応答があるまで対象外です。"},
	ReasonStalePermit:          {"The permit is no longer the open one.", "許可はすでに有効ではありません。"},
	ReasonScheduleChanged:      {"The schedule changed while the window was open; the next window counts.", "時間帯の途中でスケジュールが変更されたため、次の時間帯に行います。"},
	ReasonSuperseded:           {"Version {subject} takes the place of the release that was being rolled out.", "バージョン {subject} が、展開中だったリリースに置き換わります。"},
	ReasonReportedSelf:         {"The node reported the outcome itself.", "ノード自身が結果を報告しました。"},
	ReasonOverridden:           {"An administrator overrode the permit of {subject}.", "管理者が {subject} の許可を強制終了しました。"},
	ReasonLocalWork:            {"{subject} is being worked on by hand; nodes go one at a time.", "{subject} で手動作業が行われています。ノードは 1 台ずつ順番に進みます。"},
	ReasonOrchestrating:        {"{subject} is orchestrating the deployment; no node may stop meanwhile.", "{subject} がオーケストレーションを実行中のため、その間はどのノードも停止できません。"},
	ReasonUpgrade:              {"The node may upgrade to {subject} now.", "{subject} へのアップグレードが許可されました。"},
}
