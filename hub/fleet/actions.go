package fleet

// Action is the stable word of an audit record (R30).
type Action string

// The actions of the fleet.
const (
	ActionRegistrationBegun     Action = "registration_begun"
	ActionRegistrationCancelled Action = "registration_cancelled"
	ActionRegistrationClaimed   Action = "registration_claimed"
	ActionRegistrationDenied    Action = "registration_denied"
	ActionRegistrationExpired   Action = "registration_expired"
	ActionClusterRegistered     Action = "cluster_registered"
	ActionClusterDeregistered   Action = "cluster_deregistered"
	ActionSchedulesSaved        Action = "schedules_saved"
	ActionPostponed             Action = "upgrade_postponed"
	ActionPostponementUndone    Action = "postponement_undone"
	ActionUpgradeNow            Action = "upgrade_now"
	ActionRetried               Action = "rollout_retried"
	ActionOverridden            Action = "permit_overridden"
	ActionMaintenanceEntered    Action = "maintenance_entered"
	ActionMaintenanceLeft       Action = "maintenance_left"
	ActionNodeJoined            Action = "node_joined"
	ActionNodeAdmitted          Action = "node_admitted"
	ActionNodeRemoved           Action = "node_removed"
	ActionNodeReplaced          Action = "node_replaced"
	ActionVersionAdopted        Action = "version_adopted"
	ActionDespite               Action = "upgrade_despite"
	ActionMember                Action = "member_changed"
	ActionRolloutOpened         Action = "rollout_opened"
	ActionRolloutState          Action = "rollout_changed"
	ActionPermitOffered         Action = "permit_offered"
	ActionPermitConfirmed       Action = "permit_confirmed"
	ActionPermitEnded           Action = "permit_ended"
	ActionPermitAdopted         Action = "permit_adopted"
	ActionDecision              Action = "decision_changed"
	ActionHealth                Action = "health_changed"
	ActionVersion               Action = "version_changed"
	ActionStep                  Action = "step_changed"
	ActionAwaitEnded            Action = "restore_wait_ended"
)
