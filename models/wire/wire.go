// Package wire holds the messages between node and hub, version 1. It knows their form and their
// limits, and nothing of how either side uses them.
package wire

import (
	"time"

	"connecthub/models"
)

// Protocol is the version of these messages. A hub speaks this one and the one before it.
const Protocol = 1

// Paths of the node API.
const (
	PathInspect = "/api/node/v1/registrations/inspect"
	PathClaim   = "/api/node/v1/registrations/claim"
	PathDeny    = "/api/node/v1/registrations/deny"
	PathStatus  = "/api/node/v1/registrations/status"
	// The three of a registration that is begun at the node's shell.
	PathHeadless       = "/api/node/v1/headless"
	PathHeadlessPoll   = "/api/node/v1/headless/poll"
	PathHeadlessAnswer = "/api/node/v1/headless/answer"
	PathTickets        = "/api/node/v1/join-tickets"
	PathJoin           = "/api/node/v1/join"
	PathToken          = "/api/node/v1/token" //nolint:gosec // an address, no token
	PathPoll           = "/api/node/v1/poll"
	PathPermits        = "/api/node/v1/permits/" // + id + "/confirm"
	PathLocal          = "/api/node/v1/permits/local"
	PathCloudView      = "/api/node/v1/cloud-view"
	PathBundles        = "/depot/bundles/" // + digest
)

// Limits of what either side reads.
const (
	MaxBody     = 64 << 10
	MaxFacts    = models.MaxFacts
	MaxFactSize = 512
)

// JWK is an Ed25519 public key (RFC 8037).
type JWK struct {
	Kty string `json:"kty"` // "OKP"
	Crv string `json:"crv"` // "Ed25519"
	X   string `json:"x"`   // base64url, 32 octets
}

// InspectRequest asks what a ticket is about, before its owner decides. It changes nothing but the
// key that the comparison code covers (R3).
type InspectRequest struct {
	Ticket string `json:"ticket"`
	Key    JWK    `json:"key"`
}

// InspectResponse is what the publisher's page shows.
type InspectResponse struct {
	Organization string `json:"organization"`
	// Domain is the organization's, if the hub's operator has verified it.
	Domain         string                  `json:"domain,omitempty"`
	RequestedBy    string                  `json:"requested_by"`
	Kind           models.RegistrationKind `json:"kind"`
	DisplayName    string                  `json:"display_name"`
	FQDN           models.FQDN             `json:"fqdn"`
	ComparisonCode string                  `json:"comparison_code"`
	// CodeRequired: the console asks for the comparison code before it completes the registration.
	CodeRequired bool      `json:"code_required,omitempty"`
	ExpiresAt    time.Time `json:"expires_at"`
	Now          time.Time `json:"now"`
}

// ClaimRequest carries a JWS by the node's key over a Claim (typ "claim+jwt", header jwk).
type ClaimRequest struct {
	Ticket string `json:"ticket"`
	Claim  string `json:"claim"`
}

// Claim is what a node states of itself when it claims a registration or joins.
type Claim struct {
	TicketHash    string         `json:"ticket_hash"` // SHA-256 of the ticket, hex
	FQDN          models.FQDN    `json:"fqdn"`
	Role          string         `json:"role"`
	ClientVersion string         `json:"client_version"`
	Protocol      int            `json:"protocol"`
	Version       models.Version `json:"version"`
	Members       []models.FQDN  `json:"members"` // all of the cluster, the publisher too
}

// ClaimResponse is given exactly once.
type ClaimResponse struct {
	RegistrationID models.RegistrationID `json:"registration_id"`
	ReturnURL      string                `json:"return_url"` // with the single-use code in its fragment
}

// DenyRequest ends a registration for good.
type DenyRequest struct {
	Ticket string `json:"ticket"`
}

// StatusRequest asks whether the return leg has come; the assertion is by the node's key, with the
// registration's id as subject.
type StatusRequest struct {
	RegistrationID models.RegistrationID `json:"registration_id"`
	Assertion      string                `json:"assertion"`
}

// StatusResponse tells the state and, once completed, the identity.
type StatusResponse struct {
	State    models.RegistrationState `json:"state"`
	Why      models.EndedWhy          `json:"why,omitempty"` // it has ended without an identity
	Identity *Identity                `json:"identity,omitempty"`
	Now      time.Time                `json:"now"`
}

// Identity is what a registered node is to the hub, and how it knows the hub's signatures.
type Identity struct {
	HubID        string           `json:"hub_id"`
	Organization string           `json:"organization"`
	ClusterID    models.ClusterID `json:"cluster_id"`
	DisplayName  string           `json:"display_name"`
	NodeID       models.NodeID    `json:"node_id"`
	Role         models.NodeRole  `json:"role"`
	HubKey       JWK              `json:"hub_key"` // signs statements and permits
	Fence        models.Fence     `json:"fence"`   // the cluster's highest; smaller ones are refused
}

// TicketsRequest asks for join tickets; only the publisher may.
type TicketsRequest struct {
	Members []models.FQDN `json:"members"`
}

// TicketsResponse has one short-lived ticket per member.
type TicketsResponse struct {
	Tickets []JoinTicket `json:"tickets"`
}

// JoinTicket lets one member join with a key of its own.
type JoinTicket struct {
	FQDN      models.FQDN `json:"fqdn"`
	Ticket    string      `json:"ticket"`
	ExpiresAt time.Time   `json:"expires_at"`
}

// JoinRequest is a subscriber's claim.
type JoinRequest struct {
	Ticket string `json:"ticket"`
	Claim  string `json:"claim"`
}

// JoinResponse is the subscriber's identity.
type JoinResponse struct {
	Identity Identity `json:"identity"`
}

// TokenRequest is an RFC 7523 client assertion, used once.
type TokenRequest struct {
	Assertion string `json:"client_assertion"`
}

// TokenResponse is an access token of 10 minutes that is bound to the node's key (cnf.jkt).
type TokenResponse struct {
	AccessToken string    `json:"access_token"`
	TokenType   string    `json:"token_type"` // "DPoP"
	ExpiresIn   int       `json:"expires_in"` // seconds
	Now         time.Time `json:"now"`
}

// PollRequest is what a node says of itself. A repeated one changes nothing.
type PollRequest struct {
	Protocol      int              `json:"protocol"`
	ClientVersion string           `json:"client_version"`
	Version       models.Version   `json:"version"`
	Step          models.Step      `json:"step"`
	StepPercent   int              `json:"step_percent,omitempty"`
	Permit        *PermitReport    `json:"permit,omitempty"`
	HighestFence  models.Fence     `json:"highest_fence"`
	Journal       *JournalEntry    `json:"journal,omitempty"`
	Health        models.Health    `json:"health"`
	HealthDetail  string           `json:"health_detail,omitempty"`
	Maintenance   bool             `json:"maintenance,omitempty"` // as the node was last told
	Denied        []models.Version `json:"denied,omitempty"`
	FactsDigest   string           `json:"facts_digest,omitempty"`
	Facts         []models.Fact    `json:"facts,omitempty"` // when the hub asked
	// Packages are all packages by name as of FactsDigest, when the hub asked: facts name only the
	// first of many.
	Packages *models.Packages `json:"packages,omitempty"`
	BootID   string           `json:"boot_id"`
	Counter  uint64           `json:"counter"`
	Clock    time.Time        `json:"clock"`
	// Orchestrating: a procedure or a download runs on this node, or is about to.
	Orchestrating bool `json:"orchestrating,omitempty"`
	// ByHand is the work that was done without a permit while the hub was away (R33).
	ByHand []HandReport `json:"by_hand,omitempty"`
}

// PermitReport says how far the node is with its permit; an outcome ends it (R20).
type PermitReport struct {
	ID      models.PermitID `json:"id"`
	Fence   models.Fence    `json:"fence"`
	Outcome models.Outcome  `json:"outcome,omitempty"`
	Detail  string          `json:"detail,omitempty"`
}

// JournalEntry is the node's open journal entry; a hub that knows less adopts it (R34).
type JournalEntry struct {
	Permit    models.PermitID `json:"permit"`
	Fence     models.Fence    `json:"fence"`
	Version   models.Version  `json:"version"`
	Confirmed bool            `json:"confirmed"`
}

// PollResponse is the hub's answer.
type PollResponse struct {
	Protocol    int             `json:"protocol"`
	Now         time.Time       `json:"now"` // the hub's clock (R35)
	NextPollMS  int64           `json:"next_poll_ms"`
	Decision    Decision        `json:"decision"`
	Permit      *Permit         `json:"permit,omitempty"`
	PermitEnded models.PermitID `json:"permit_ended,omitempty"` // the reported permit is not open (any more)
	Maintenance bool            `json:"maintenance,omitempty"`
	SendFacts   bool            `json:"send_facts,omitempty"`
	// SendPackages depends on nothing but what the node has said of itself (R14).
	SendPackages bool `json:"send_packages,omitempty"`
	// ForgetDenied: an admin's retry cleared the node's deny list up to here (R28).
	ForgetDenied []models.Version `json:"forget_denied,omitempty"`
	// PermitOpen names who holds the cluster's open permit: told to a node that orchestrates.
	PermitOpen models.FQDN `json:"permit_open,omitempty"`
	// ByHandHeard are the ids of the reports that need not be sent again.
	ByHandHeard []string `json:"by_hand_heard,omitempty"`
}

// Decision is what a node may see of the hub's decision (R14).
type Decision struct {
	Verb     models.Verb   `json:"verb"`
	Reason   models.Reason `json:"reason"`
	Subject  string        `json:"subject,omitempty"`
	Earliest *time.Time    `json:"earliest,omitempty"`
}

// Permit is an offered or confirmed permit as its node sees it.
type Permit struct {
	ID        models.PermitID    `json:"id"`
	Kind      models.PermitKind  `json:"kind"`
	State     models.PermitState `json:"state"`
	Fence     models.Fence       `json:"fence"`
	Version   models.Version     `json:"version"`
	Digest    string             `json:"digest"` // lower-case hex SHA-256
	Size      int64              `json:"size"`
	NotBefore time.Time          `json:"not_before"`
	StartBy   time.Time          `json:"start_by"`
	// Signed is a JWS by the hub's key (typ "permit+jwt") over PermitClaims.
	Signed string `json:"signed"`
}

// PermitClaims is what the hub signs for one node.
type PermitClaims struct {
	Permit    models.PermitID `json:"permit"`
	Node      models.NodeID   `json:"node"`
	Fence     models.Fence    `json:"fence"`
	Version   models.Version  `json:"version"`
	Digest    string          `json:"digest"`
	Size      int64           `json:"size"`
	NotBefore int64           `json:"nbf"`
	NotAfter  int64           `json:"exp"` // start-by; a confirmed permit has no end by time
}

// ConfirmRequest is the one call that must get an answer before a service is touched (R20).
type ConfirmRequest struct {
	Fence  models.Fence `json:"fence"`
	BootID string       `json:"boot_id"`
	Poll   PollRequest  `json:"poll"` // the node's state at this moment
}

// ConfirmResponse allows the first stop within StopWithinMS on the same boot, or says why not.
type ConfirmResponse struct {
	Confirmed    bool          `json:"confirmed"`
	Reason       models.Reason `json:"reason,omitempty"`
	Subject      string        `json:"subject,omitempty"`
	StopWithinMS int64         `json:"stop_within_ms,omitempty"` // 60 s
	Now          time.Time     `json:"now"`
}

// Problem is an RFC 9457 problem document.
type Problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Code       string `json:"code"`
	Detail     string `json:"detail"`
	Field      string `json:"field,omitempty"`
	RetryAfter int    `json:"retry_after,omitempty"`
	TrackingID string `json:"tracking_id"`
	// Statement is a JWS by the hub's key (typ "statement+jwt") over StatementClaims. Only with a
	// valid one does a node forget its registration (R6).
	Statement string `json:"statement,omitempty"`
}

// StatementClaims says that a node is deregistered.
type StatementClaims struct {
	Node    models.NodeID    `json:"node"`
	Cluster models.ClusterID `json:"cluster"`
	Says    string           `json:"says"` // "deregistered" or "removed" or "replaced"
	At      int64            `json:"at"`
	// KeyThumb limits the statement to one key, so that an old one cannot unseat a later key.
	KeyThumb string `json:"jkt"`
}
