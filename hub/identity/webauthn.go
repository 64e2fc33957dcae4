package identity

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"connecthub/models"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// newParty is the relying party of the console's address; nil where WebAuthn allows none: an
// address without a name.
func newParty(publicURL string) *webauthn.WebAuthn {
	u, err := url.Parse(publicURL)
	if err != nil || u.Hostname() == "" || protocol.ValidateRPID(u.Hostname()) != nil {
		return nil
	}
	party, err := webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: "Connect Hub",
		RPOrigins: []string{u.Scheme + "://" + u.Host}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey:      protocol.ResidentKeyRequirementPreferred,
			UserVerification: protocol.VerificationPreferred},
		Timeouts: webauthn.TimeoutsConfig{
			Login:        webauthn.TimeoutConfig{Timeout: models.ChallengeTTL},
			Registration: webauthn.TimeoutConfig{Timeout: models.ChallengeTTL}}})
	if err != nil {
		return nil
	}
	return party
}

// WebAuthnID is the user handle.
func (p person) WebAuthnID() []byte { return []byte(p.user.ID) }

// WebAuthnName is what authenticators show.
func (p person) WebAuthnName() string { return p.user.Email }

// WebAuthnDisplayName is what authenticators show too.
func (p person) WebAuthnDisplayName() string { return p.user.Name }

// WebAuthnCredentials are the person's passkeys.
func (p person) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, 0, len(p.keys))
	for _, k := range p.keys {
		id, err := base64.RawURLEncoding.DecodeString(k.CredentialID)
		if err != nil {
			continue // never stored by this hub
		}
		c := webauthn.Credential{ID: id, PublicKey: k.PublicKey,
			Flags:         webauthn.CredentialFlags{BackupEligible: k.BackupEligible},
			Authenticator: webauthn.Authenticator{SignCount: uint32(k.SignCount)}} //nolint:gosec // it came from one
		for transport := range strings.SplitSeq(k.Transports, ",") {
			if transport != "" {
				c.Transport = append(c.Transport, protocol.AuthenticatorTransport(transport))
			}
		}
		all = append(all, c)
	}
	return all
}

// assertionOptions is what a browser needs to answer with a passkey, and what the check of it needs.
func (i *Identity) assertionOptions(p person) (options json.RawMessage, data []byte, err error) {
	if i.party == nil {
		return nil, []byte("{}"), nil // recovery codes only
	}
	assertion, session, err := i.party.BeginLogin(p)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot ask for a passkey: %w", err)
	}
	return marshalBoth(assertion.Response, session)
}

// creationOptions is what a browser needs to make a passkey, and what the check of it needs.
func (i *Identity) creationOptions(p person) (options json.RawMessage, data []byte, err error) {
	if i.party == nil {
		return nil, nil, models.Conflict("passkeys_unavailable", "")
	}
	var known []protocol.CredentialDescriptor
	for _, c := range p.WebAuthnCredentials() {
		known = append(known, c.Descriptor())
	}
	creation, session, err := i.party.BeginRegistration(p, webauthn.WithExclusions(known))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot ask for a new passkey: %w", err)
	}
	return marshalBoth(creation.Response, session)
}

func marshalBoth(response, session any) (options json.RawMessage, data []byte, err error) {
	options, err = json.Marshal(response)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot write a challenge: %w", err)
	}
	data, err = json.Marshal(session)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot write a challenge: %w", err)
	}
	return options, data, nil
}

// errCopiedKey says that a passkey counted backwards: there are two of it.
type errCopiedKey struct{ name string }

func (e *errCopiedKey) Error() string { return "the counter of a passkey went back" }

// checkAssertion finds the passkey that answered and its new counter.
func (i *Identity) checkAssertion(p person, data, credential []byte) (models.Passkey, int64, error) {
	if i.party == nil {
		return models.Passkey{}, 0, errors.New("passkeys cannot be used at this address")
	}
	session, err := sessionData(data)
	if err != nil {
		return models.Passkey{}, 0, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(credential)
	if err != nil {
		return models.Passkey{}, 0, fmt.Errorf("cannot read the passkey's answer: %w", err)
	}
	used, err := i.party.ValidateLogin(p, session, parsed)
	if err != nil {
		return models.Passkey{}, 0, fmt.Errorf("cannot accept the passkey's answer: %w", err)
	}
	id := base64.RawURLEncoding.EncodeToString(used.ID)
	for _, k := range p.keys {
		if k.CredentialID != id {
			continue
		}
		if used.Authenticator.CloneWarning {
			return models.Passkey{}, 0, &errCopiedKey{name: k.Name}
		}
		return k, int64(used.Authenticator.SignCount), nil
	}
	return models.Passkey{}, 0, errors.New("it is no passkey of this person")
}

// knownTransport keeps what the browser says of a passkey to the words that there are.
func knownTransport(t protocol.AuthenticatorTransport) bool {
	switch t {
	case protocol.USB, protocol.NFC, protocol.BLE, protocol.Internal, protocol.Hybrid,
		protocol.SmartCard:
		return true
	}
	return false
}

// checkCreation gives the passkey that a browser made.
func (i *Identity) checkCreation(p person, data, credential []byte) (models.Passkey, error) {
	refused := models.Invalid("invalid_passkey", "credential")
	if i.party == nil {
		return models.Passkey{}, models.Conflict("passkeys_unavailable", "")
	}
	session, err := sessionData(data)
	if err != nil {
		return models.Passkey{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(credential)
	if err != nil {
		return models.Passkey{}, refused
	}
	made, err := i.party.CreateCredential(p, session, parsed)
	if err != nil {
		return models.Passkey{}, refused
	}
	transports := make([]string, 0, len(made.Transport))
	for _, t := range made.Transport {
		if knownTransport(t) {
			transports = append(transports, string(t))
		}
	}
	return models.Passkey{UserID: p.user.ID,
		CredentialID: base64.RawURLEncoding.EncodeToString(made.ID), PublicKey: made.PublicKey,
		Transports:     strings.Join(transports, ","),
		BackupEligible: made.Flags.BackupEligible,
		SignCount:      int64(made.Authenticator.SignCount)}, nil
}
