package wire

import (
	"time"

	"connecthub/models"
)

// HeadlessRequest begins a registration at the node's shell. The claim is by the node's key, and its
// ticket hash is the SHA-256 of the secret that stays on the node.
type HeadlessRequest struct {
	Claim string `json:"claim"`
	// Environment is the one that the node was set up for, if any.
	Environment string `json:"environment,omitempty"`
}

// HeadlessResponse is what the node prints, and how often it may ask.
type HeadlessResponse struct {
	UserCode        string    `json:"user_code"` // XXXX-XXXX
	ConsoleURL      string    `json:"console_url"`
	KeyFingerprint  string    `json:"key_fingerprint"`
	IntervalSeconds int       `json:"interval_seconds"`
	ExpiresAt       time.Time `json:"expires_at"`
	Now             time.Time `json:"now"`
}

// HeadlessPollRequest asks whether the code was approved.
type HeadlessPollRequest struct {
	Secret string `json:"secret"`
}

// HeadlessPollResponse tells it, and who approved what.
type HeadlessPollResponse struct {
	State models.HeadlessState `json:"state"`
	// SlowDown: the node asked too soon, and has to wait longer from now on.
	SlowDown        bool           `json:"slow_down,omitempty"`
	IntervalSeconds int            `json:"interval_seconds"`
	Offer           *HeadlessOffer `json:"offer,omitempty"` // once approved
	Now             time.Time      `json:"now"`
}

// HeadlessOffer is what the node's administrator accepts or refuses by name.
type HeadlessOffer struct {
	RegistrationID models.RegistrationID `json:"registration_id"`
	Organization   string                `json:"organization"`
	Domain         string                `json:"domain,omitempty"`
	RequestedBy    string                `json:"requested_by"`
	DisplayName    string                `json:"display_name"`
	ExpiresAt      time.Time             `json:"expires_at"`
}

// HeadlessAnswer accepts or refuses an offer; the assertion is by the node's key, with the
// registration's id as subject. What follows an acceptance is told as to any other registration.
type HeadlessAnswer struct {
	Secret         string                `json:"secret"`
	RegistrationID models.RegistrationID `json:"registration_id"`
	Accept         bool                  `json:"accept"`
	Assertion      string                `json:"assertion"`
}
