package op

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Misbehaviour is one way in which a provider can be wrong or hostile.
type Misbehaviour string

// What a client must notice.
const (
	WrongNonce         Misbehaviour = "wrong_nonce"
	NoNonce            Misbehaviour = "no_nonce"
	WrongAudience      Misbehaviour = "wrong_audience"
	MoreAudiences      Misbehaviour = "more_audiences" // without saying to whom it was given
	WrongParty         Misbehaviour = "wrong_azp"
	WrongIssuer        Misbehaviour = "wrong_issuer"
	Unsigned           Misbehaviour = "alg_none"
	SharedSecret       Misbehaviour = "alg_hs256"        // keyed with the public key
	ClientSecret       Misbehaviour = "alg_hs256_client" // keyed with the client's secret
	WrongKey           Misbehaviour = "wrong_key"
	OtherPayload       Misbehaviour = "other_payload" // signed, then changed
	Expired            Misbehaviour = "expired"
	FutureIssued       Misbehaviour = "future_iat"
	OldIssued          Misbehaviour = "old_iat"
	NotYet             Misbehaviour = "not_yet"
	UnverifiedEmail    Misbehaviour = "unverified_email"
	SilentEmail        Misbehaviour = "silent_email" // says nothing of its verification
	NoEmail            Misbehaviour = "no_email"
	EmailInUserInfo    Misbehaviour = "email_in_userinfo" // legitimate
	UserInfoOfAnother  Misbehaviour = "userinfo_of_another"
	NoSubject          Misbehaviour = "no_subject"
	WrongTokenHash     Misbehaviour = "wrong_at_hash"
	StaleAuthTime      Misbehaviour = "stale_auth_time"
	NoAuthTime         Misbehaviour = "no_auth_time"
	FutureAuthTime     Misbehaviour = "future_auth_time"
	NoIDToken          Misbehaviour = "no_id_token"
	WrongIssParameter  Misbehaviour = "wrong_iss_parameter"
	NoIssParameter     Misbehaviour = "no_iss_parameter"
	IgnoresPrompt      Misbehaviour = "ignores_prompt" // lets in whoever is signed in already
	DiscoveryOfAnother Misbehaviour = "discovery_of_another"
	ForeignEndpoints   Misbehaviour = "foreign_endpoints"
	PlainEndpoints     Misbehaviour = "plain_endpoints"
	NoS256             Misbehaviour = "no_s256"
	WeakAlgorithms     Misbehaviour = "weak_algorithms"
	HugeDiscovery      Misbehaviour = "huge_discovery"
	HugeKeys           Misbehaviour = "huge_keys"
	HugeToken          Misbehaviour = "huge_token"
	SlowDiscovery      Misbehaviour = "slow_discovery"
	SlowKeys           Misbehaviour = "slow_keys"
	SlowToken          Misbehaviour = "slow_token"
	TokenElsewhere     Misbehaviour = "token_elsewhere" // the token endpoint redirects
	Down               Misbehaviour = "down"
)

// Misbehave replaces how it misbehaves; nothing: it behaves.
func (p *Provider) Misbehave(odd ...Misbehaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.odd = slices.Clone(odd)
}

func (p *Provider) is(m Misbehaviour) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.odd, m)
}

// longest is how long a slow provider takes at most; a client gives up before.
const longest = 20 * time.Second

// stall waits until the caller has given up.
func (p *Provider) stall(r *http.Request, m Misbehaviour) {
	if !p.is(m) {
		return
	}
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
	case <-timer.C:
	}
}

// control is POST /control {"misbehave": ["expired"], "rotate": true}.
func (p *Provider) control(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Misbehave []Misbehaviour `json:"misbehave"`
		Rotate    bool           `json:"rotate"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.Misbehave(body.Misbehave...)
	if body.Rotate {
		if err := p.Rotate(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}
