package fleet

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/keys"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// maxMembers bounds the nodes of one cluster.
const maxMembers = 32

// claimToken is a wire.Claim as its signature covers it.
type claimToken struct {
	jwt.RegisteredClaims
	wire.Claim
}

// storedClaim is a claim and the key that signed it, while the registration waits for its return.
type storedClaim struct {
	Claim wire.Claim `json:"claim"`
	Key   wire.JWK   `json:"key"`
}

// Inspect says what a ticket is about, and notes whose page shows it (R3).
func (f *Fleet) Inspect(ctx context.Context, _ Actor, r wire.InspectRequest,
) (wire.InspectResponse, error) {
	t, err := f.readTicket(r.Ticket)
	if err != nil {
		return wire.InspectResponse{}, err
	}
	if _, err := r.Key.Public(); err != nil {
		return wire.InspectResponse{}, invalidClaim("key")
	}
	var answer wire.InspectResponse
	err = f.o.Store.Update(ctx, func(tx *store.Tx) error {
		now := f.now()
		reg, err := claimable(tx, t)
		if err != nil {
			return err
		}
		if err := ended(reg, now); err != nil {
			return err
		}
		org, err := tx.Hub().OrganizationByID(reg.OrganizationID)
		if err != nil {
			return err
		}
		thumb := r.Key.Thumbprint()
		code := wire.ComparisonCode(t.secret, thumb)
		if err := tx.In(reg.OrganizationID).BindRegistration(reg.ID, thumb, code, now); err != nil {
			return err
		}
		answer = wire.InspectResponse{Organization: org.Name, RequestedBy: reg.RequestedBy,
			Kind: reg.Kind, DisplayName: reg.DisplayName, FQDN: reg.FQDN, ComparisonCode: code,
			ExpiresAt: reg.ExpiresAt, Now: now}
		return f.tell(tx, reg.OrganizationID, "", reg.ID)
	})
	return answer, err
}

// claimable finds the registration of a ticket; a secret that is not its own finds nothing.
func claimable(tx *store.Tx, t ticket) (models.Registration, error) {
	reg, err := tx.Hub().RegistrationByID(t.id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return reg, err
	}
	if err != nil || subtle.ConstantTimeCompare([]byte(reg.SecretHash),
		[]byte(hashOf(t.secret))) != 1 || reg.FQDN != t.fqdn {
		return reg, models.Invalid("invalid_ticket", "ticket")
	}
	return reg, nil
}

// Claim uses a ticket up, for the node that proves its key and states the name in it (R2, R3).
func (f *Fleet) Claim(ctx context.Context, a Actor, r wire.ClaimRequest,
) (wire.ClaimResponse, error) {
	t, err := f.readTicket(r.Ticket)
	if err != nil {
		return wire.ClaimResponse{}, err
	}
	claim, err := f.readClaim(r.Ticket, r.Claim)
	if err != nil {
		return wire.ClaimResponse{}, err
	}
	stored, err := json.Marshal(claim)
	if err != nil {
		return wire.ClaimResponse{}, err
	}
	code := newCode()
	var reg models.Registration
	err = f.o.Store.Update(ctx, func(tx *store.Tx) error {
		now := f.now()
		reg, err = claimable(tx, t)
		if err != nil {
			return err
		}
		if err := ended(reg, now); err != nil {
			return err
		}
		if err := mayClaim(tx, reg, claim); err != nil {
			return err
		}
		s := tx.In(reg.OrganizationID)
		thumb := claim.Key.Thumbprint()
		if reg.KeyThumb == "" {
			code := wire.ComparisonCode(t.secret, thumb)
			if err := s.BindRegistration(reg.ID, thumb, code, now); err != nil {
				return err
			}
		}
		err := s.ClaimRegistration(reg.ID, store.Claimed{SecretHash: hashOf(t.secret),
			KeyThumb: thumb, At: now, ReturnBy: now.Add(models.ReturnTTL),
			ReturnCodeHash: hashText(code), Claim: stored})
		if errors.Is(err, store.ErrUnchanged) {
			return &models.Refusal{Kind: models.KindGone, Code: "registration_used"}
		}
		if err != nil {
			return err
		}
		a.Kind, a.Name = models.ActorNode, string(claim.Claim.FQDN)
		return f.recordRegistration(tx, a, reg, ActionRegistrationClaimed)
	})
	if err != nil {
		return wire.ClaimResponse{}, err
	}
	return wire.ClaimResponse{RegistrationID: reg.ID,
		ReturnURL: f.o.PublicURL + "/register/return#code=" + code}, nil
}

// newCode is a fresh 256-bit single-use code.
func newCode() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readClaim checks the signature of a claim, that it is about this ticket, and its form.
func (f *Fleet) readClaim(ticket, text string) (storedClaim, error) {
	var token claimToken
	key, err := keys.VerifyOwn(text, keys.Want{Type: wire.TypeClaim, Now: f.now(), NoExpiry: true,
		Leeway: clockSlack}, &token)
	if err != nil {
		return storedClaim{}, invalidClaim("signature")
	}
	claim := token.Claim
	if claim.TicketHash != hashText(ticket) {
		return storedClaim{}, invalidClaim("ticket_hash")
	}
	if name, err := models.ParseFQDN(string(claim.FQDN)); err != nil || name != claim.FQDN {
		return storedClaim{}, invalidClaim("fqdn")
	}
	if !models.NodeRole(claim.Role).Valid() {
		return storedClaim{}, invalidClaim("role")
	}
	if claim.Protocol < 1 || claim.Protocol < wire.Protocol-1 {
		return storedClaim{}, models.Conflict("client_too_old", "")
	}
	if !validVersion(claim.Version) || !word(claim.ClientVersion) {
		return storedClaim{}, invalidClaim("version")
	}
	if len(claim.Members) > maxMembers {
		return storedClaim{}, invalidClaim("members")
	}
	for i, m := range claim.Members {
		if name, err := models.ParseFQDN(string(m)); err != nil || name != m ||
			slices.Contains(claim.Members[:i], m) {
			return storedClaim{}, invalidClaim("members")
		}
	}
	return storedClaim{Claim: claim, Key: key}, nil
}

func invalidClaim(what string) error {
	return &models.Refusal{Kind: models.KindInvalid, Code: "invalid_claim", Field: what,
		Subject: what}
}

// mayClaim asks R3 and R5 of a claim that is in time.
func mayClaim(tx *store.Tx, reg models.Registration, c storedClaim) error {
	if c.Claim.FQDN != reg.FQDN {
		return models.Conflict("wrong_fqdn", string(reg.FQDN))
	}
	thumb := c.Key.Thumbprint()
	if reg.KeyThumb != "" && reg.KeyThumb != thumb {
		return invalidClaim("key") // the comparison code covers another one
	}
	if reg.Kind == models.RegisterCluster && models.NodeRole(c.Claim.Role) != models.Publisher {
		return models.Conflict("not_publisher", "")
	}
	return keyIsFree(tx, thumb)
}

// keyIsFree refuses a key that the hub knows already: a node belongs to one cluster at a time (R5).
func keyIsFree(tx *store.Tx, thumb string) error {
	_, err := tx.Hub().NodeByKeyThumb(thumb)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return models.Conflict("node_registered_already", "")
}

// Deny ends a registration on the publisher's page.
func (f *Fleet) Deny(ctx context.Context, a Actor, r wire.DenyRequest) error {
	t, err := f.readTicket(r.Ticket)
	if err != nil {
		return err
	}
	return f.o.Store.Update(ctx, func(tx *store.Tx) error {
		now := f.now()
		reg, err := claimable(tx, t)
		if err != nil {
			return err
		}
		if err := ended(reg, now); err != nil {
			return err
		}
		err = tx.In(reg.OrganizationID).DenyRegistration(reg.ID, hashOf(t.secret), now)
		if err != nil {
			return err
		}
		a.Kind, a.Name = models.ActorNode, string(reg.FQDN)
		return f.recordRegistration(tx, a, reg, ActionRegistrationDenied)
	})
}
