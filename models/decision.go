package models

// Verb is what a decision tells a node to do.
type Verb string

// The verbs.
const (
	VerbNone    Verb = "none"
	VerbUpgrade Verb = "upgrade"
	VerbHold    Verb = "hold"
)

// Reason is why (R24). The list is closed; a word is never overloaded.
type Reason string

// The reasons.
const (
	ReasonUpToDate             Reason = "up_to_date"
	ReasonNoRelease            Reason = "no_release"
	ReasonWindowClosed         Reason = "window_closed"
	ReasonPostponed            Reason = "postponed"
	ReasonStartByPassed        Reason = "start_by_passed"
	ReasonOtherNodeUpgrading   Reason = "other_node_upgrading"
	ReasonPeerUnhealthy        Reason = "peer_unhealthy"
	ReasonPeerSilent           Reason = "peer_silent"
	ReasonPeerInMaintenance    Reason = "peer_in_maintenance"
	ReasonMemberMissing        Reason = "member_missing"
	ReasonSoaking              Reason = "soaking"
	ReasonHaltedFailed         Reason = "halted_failed"
	ReasonHaltedLost           Reason = "halted_lost"
	ReasonRequirementUnmet     Reason = "requirement_unmet"
	ReasonNotInPhase           Reason = "not_in_phase"
	ReasonReleasePaused        Reason = "release_paused"
	ReasonReleaseRecalled      Reason = "release_recalled"
	ReasonMaintenanceMode      Reason = "maintenance_mode"
	ReasonClockSkew            Reason = "clock_skew"
	ReasonUnmanagedVersion     Reason = "unmanaged_version"
	ReasonDeniedVersion        Reason = "denied_version"
	ReasonRestoredHub          Reason = "restored_hub"
	ReasonOrganizationDisabled Reason = "organization_disabled"
	ReasonClusterNotRegistered Reason = "cluster_not_registered"
	ReasonProtocolTooOld       Reason = "protocol_too_old"
	ReasonNotYourTurn          Reason = "not_your_turn"
	ReasonNotAdmitted          Reason = "not_admitted"
	ReasonExcluded             Reason = "excluded"
	ReasonStalePermit          Reason = "stale_permit"
	ReasonScheduleChanged      Reason = "schedule_changed"
	ReasonSuperseded           Reason = "superseded"
	ReasonReportedSelf         Reason = "reported_by_node"
	ReasonOverridden           Reason = "overridden"
	ReasonLocalWork            Reason = "local_work"
	ReasonOrchestrating        Reason = "orchestrating"
	ReasonUpgrade              Reason = "upgrade"
)

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{ReasonUpToDate, ReasonNoRelease, ReasonWindowClosed, ReasonPostponed,
		ReasonStartByPassed, ReasonOtherNodeUpgrading, ReasonPeerUnhealthy, ReasonPeerSilent,
		ReasonPeerInMaintenance, ReasonMemberMissing, ReasonSoaking, ReasonHaltedFailed,
		ReasonHaltedLost, ReasonRequirementUnmet, ReasonNotInPhase, ReasonReleasePaused,
		ReasonReleaseRecalled, ReasonMaintenanceMode, ReasonClockSkew, ReasonUnmanagedVersion,
		ReasonDeniedVersion, ReasonRestoredHub, ReasonOrganizationDisabled,
		ReasonClusterNotRegistered, ReasonProtocolTooOld,
		ReasonNotYourTurn, ReasonNotAdmitted, ReasonExcluded, ReasonStalePermit,
		ReasonScheduleChanged, ReasonSuperseded, ReasonReportedSelf, ReasonOverridden,
		ReasonLocalWork, ReasonOrchestrating, ReasonUpgrade}
}
