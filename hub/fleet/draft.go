package fleet

import (
	"context"
	"errors"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
)

var errDraft = errors.New("not yet")

// Registrations of the console.
func (f *Fleet) CreateRegistration(ctx context.Context, a Actor, displayName, fqdn string) (RegistrationView, error) {
	return RegistrationView{}, errDraft
}
func (f *Fleet) Registrations(ctx context.Context, a Actor) ([]RegistrationView, error) {
	return nil, errDraft
}
func (f *Fleet) Registration(ctx context.Context, a Actor, id models.RegistrationID) (RegistrationView, error) {
	return RegistrationView{}, errDraft
}
func (f *Fleet) DismissRegistration(ctx context.Context, a Actor, id models.RegistrationID) error {
	return errDraft
}
func (f *Fleet) CompleteRegistration(ctx context.Context, a Actor, code string) (RegistrationView, error) {
	return RegistrationView{}, errDraft
}
func (f *Fleet) ReplaceNode(ctx context.Context, a Actor, c models.ClusterID, n models.NodeID) (RegistrationView, error) {
	return RegistrationView{}, errDraft
}

// Clusters.
func (f *Fleet) Clusters(ctx context.Context, a Actor, search string) ([]ClusterSummary, error) {
	return nil, errDraft
}
func (f *Fleet) Cluster(ctx context.Context, a Actor, id models.ClusterID) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) SaveSchedules(ctx context.Context, a Actor, id models.ClusterID, version int, s Schedules) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) PreviewSchedules(ctx context.Context, a Actor, id models.ClusterID, s Schedules) (SchedulePreview, error) {
	return SchedulePreview{}, errDraft
}
func (f *Fleet) Postpone(ctx context.Context, a Actor, id models.ClusterID) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) UndoPostponement(ctx context.Context, a Actor, id models.ClusterID) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) UpgradeNow(ctx context.Context, a Actor, id models.ClusterID, typed TypedName) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) Retry(ctx context.Context, a Actor, id models.ClusterID) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) Deregister(ctx context.Context, a Actor, id models.ClusterID, typed TypedName) error {
	return errDraft
}
func (f *Fleet) History(ctx context.Context, a Actor, id models.ClusterID) ([]HistoryView, error) {
	return nil, errDraft
}
func (f *Fleet) OverridePermit(ctx context.Context, a Actor, c models.ClusterID, p models.PermitID, typed TypedName) (ClusterView, error) {
	return ClusterView{}, errDraft
}

// Nodes.
func (f *Fleet) EnterMaintenance(ctx context.Context, a Actor, c models.ClusterID, n models.NodeID, d time.Duration, reason string) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) LeaveMaintenance(ctx context.Context, a Actor, c models.ClusterID, n models.NodeID) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) RemoveNode(ctx context.Context, a Actor, c models.ClusterID, n models.NodeID, typed TypedName) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) AdmitNode(ctx context.Context, a Actor, c models.ClusterID, n models.NodeID) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) AdoptVersion(ctx context.Context, a Actor, c models.ClusterID, n models.NodeID) (ClusterView, error) {
	return ClusterView{}, errDraft
}
func (f *Fleet) UpgradeDespite(ctx context.Context, a Actor, c models.ClusterID, n models.NodeID, typed TypedName) (ClusterView, error) {
	return ClusterView{}, errDraft
}

// The node's side.
func (f *Fleet) Inspect(ctx context.Context, a Actor, r wire.InspectRequest) (wire.InspectResponse, error) {
	return wire.InspectResponse{}, errDraft
}
func (f *Fleet) Claim(ctx context.Context, a Actor, r wire.ClaimRequest) (wire.ClaimResponse, error) {
	return wire.ClaimResponse{}, errDraft
}
func (f *Fleet) Deny(ctx context.Context, a Actor, r wire.DenyRequest) error { return errDraft }
func (f *Fleet) Status(ctx context.Context, r wire.StatusRequest) (wire.StatusResponse, error) {
	return wire.StatusResponse{}, errDraft
}
func (f *Fleet) JoinTickets(ctx context.Context, a Actor, n NodeIdentity, r wire.TicketsRequest) (wire.TicketsResponse, error) {
	return wire.TicketsResponse{}, errDraft
}
func (f *Fleet) Join(ctx context.Context, a Actor, r wire.JoinRequest) (wire.JoinResponse, error) {
	return wire.JoinResponse{}, errDraft
}
func (f *Fleet) Token(ctx context.Context, r wire.TokenRequest) (wire.TokenResponse, error) {
	return wire.TokenResponse{}, errDraft
}
func (f *Fleet) Authenticate(ctx context.Context, accessToken string) (NodeIdentity, error) {
	return NodeIdentity{}, errDraft
}
func (f *Fleet) Poll(ctx context.Context, n NodeIdentity, r wire.PollRequest) (wire.PollResponse, error) {
	return wire.PollResponse{}, errDraft
}
func (f *Fleet) Confirm(ctx context.Context, n NodeIdentity, id models.PermitID, r wire.ConfirmRequest) (wire.ConfirmResponse, error) {
	return wire.ConfirmResponse{}, errDraft
}

// MayFetch refuses unless the node has an open permit for the bundle (R14).
func (f *Fleet) MayFetch(ctx context.Context, n NodeIdentity, digest string) error { return errDraft }

// Jobs, called by the scheduler.
func (f *Fleet) ExpireRegistrations(ctx context.Context) error { return errDraft }
func (f *Fleet) SweepPermits(ctx context.Context) error        { return errDraft }
func (f *Fleet) FlushSeen(ctx context.Context) error           { return errDraft }
func (f *Fleet) PurgeOld(ctx context.Context) error            { return errDraft }

// Run keeps the roster until ctx ends.
func (f *Fleet) Run(ctx context.Context) error { return errDraft }
