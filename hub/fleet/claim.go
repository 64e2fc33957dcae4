package fleet

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

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
func (f *Fleet) Inspect(ctx context.Context, a Actor, r wire.InspectRequest,
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
		answer = wire.InspectResponse{Organization: org.Name, Domain: org.Domain,
			RequestedBy: reg.RequestedBy, Kind: reg.Kind, DisplayName: reg.DisplayName,
			FQDN: reg.FQDN, ComparisonCode: code, CodeRequired: reg.CodeRequired,
			ExpiresAt: reg.ExpiresAt, Now: now}
		return f.bind(tx, a, reg, thumb, code, now)
	})
	return answer, err
}

// bind notes whose page shows a registration; the same page again is no news (R3, R30).
func (f *Fleet) bind(tx *store.Tx, a Actor, reg models.Registration, thumb, code string,
	now time.Time,
) error {
	if reg.KeyThumb == thumb {
		return nil
	}
	if err := tx.In(reg.OrganizationID).BindRegistration(reg.ID, thumb, code, now); err != nil {
		return err
	}
	reg.KeyThumb = thumb
	a.Kind, a.Name = models.ActorNode, string(reg.FQDN)
	return f.recordRegistration(tx, a, reg, ActionRegistrationOpened)
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
		thumb := claim.Key.Thumbprint()
		err := f.bind(tx, a, reg, thumb, wire.ComparisonCode(t.secret, thumb), now)
		if err != nil {
			return err
		}
		reg.KeyThumb = thumb
		return f.use(tx, a, reg, store.Claimed{SecretHash: hashOf(t.secret), KeyThumb: thumb,
			At: now, ReturnBy: now.Add(models.ReturnTTL), ReturnCodeHash: hashText(code),
			Claim: stored})
	})
	if err != nil {
		return wire.ClaimResponse{}, err
	}
	return wire.ClaimResponse{RegistrationID: reg.ID,
		ReturnURL: f.o.PublicURL + "/register/return#code=" + code}, nil
}

// use is the one conditional update by which a registration is claimed, and its record (R2, R3).
func (f *Fleet) use(tx *store.Tx, a Actor, reg models.Registration, c store.Claimed) error {
	err := tx.In(reg.OrganizationID).ClaimRegistration(reg.ID, c)
	if errors.Is(err, store.ErrUnchanged) {
		return &models.Refusal{Kind: models.KindGone, Code: "registration_used"}
	}
	if err != nil {
		return err
	}
	a.Kind, a.Name = models.ActorNode, string(reg.FQDN)
	return f.recordRegistration(tx, a, reg, ActionRegistrationClaimed)
}

// newCode is a fresh 256-bit single-use code.
func newCode() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readClaim checks the signature of a claim, that it is about this ticket, and its form.
func (f *Fleet) readClaim(ticket, text string) (storedClaim, error) {
	claim, err := f.parseClaim(text)
	if err != nil {
		return storedClaim{}, err
	}
	if claim.Claim.TicketHash != hashText(ticket) {
		return storedClaim{}, invalidClaim("ticket_hash")
	}
	return claim, nil
}

// parseClaim checks the signature of a claim and its form; what it is about, its caller.
func (f *Fleet) parseClaim(text string) (storedClaim, error) {
	var token claimToken
	key, err := keys.VerifyOwn(text, keys.Want{Type: wire.TypeClaim, Now: f.now(), NoExpiry: true,
		Leeway: clockSlack}, &token)
	if err != nil {
		return storedClaim{}, invalidClaim("signature")
	}
	claim := token.Claim
	if name, err := models.ParseFQDN(string(claim.FQDN)); err != nil || name != claim.FQDN {
		return storedClaim{}, invalidClaim("fqdn")
	}
	if !models.NodeRole(claim.Role).Valid() {
		return storedClaim{}, invalidClaim("role")
	}
	if claim.Protocol < 1 || claim.Protocol < wire.Protocol-1 {
		return storedClaim{}, models.Conflict("protocol_too_old", "")
	}
	if !validVersion(claim.Version) || !word(claim.ClientVersion) {
		return storedClaim{}, invalidClaim("version")
	}
	if err := f.newEnough(claim); err != nil {
		return storedClaim{}, err
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

// newEnough refuses a product or an agent that is older than this hub takes in.
func (f *Fleet) newEnough(c wire.Claim) error {
	if c.Version.Less(f.o.MinVersion) {
		return models.Conflict("node_too_old", string(f.o.MinVersion))
	}
	if clientVersion(c.ClientVersion).Less(f.o.MinClient) {
		return models.Conflict("client_too_old", string(f.o.MinClient))
	}
	return nil
}

// clientVersion is the release of an agent's version, such as 1.4.0 of "v1.4.0-12-gabc1234".
func clientVersion(text string) models.Version {
	release, _, _ := strings.Cut(strings.TrimPrefix(text, "v"), "-")
	return models.Version(release)
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
	role := models.NodeRole(c.Claim.Role)
	switch reg.Kind {
	case models.RegisterCluster:
		if role != models.Publisher {
			return models.Conflict("not_publisher", "")
		}
	case models.RegisterReplacement:
		if err := sameRole(tx, reg, role); err != nil {
			return err
		}
	}
	return keyIsFree(tx, thumb)
}

// sameRole lets only a machine of the member's own role take its place (R32).
func sameRole(tx *store.Tx, reg models.Registration, role models.NodeRole) error {
	member, err := tx.In(reg.OrganizationID).NodeByID(reg.NodeID)
	if err != nil {
		return notFound(err)
	}
	if member.Role == role {
		return nil
	}
	if member.Role == models.Publisher {
		return models.Conflict("role_publisher", string(member.Name))
	}
	return models.Conflict("role_subscriber", string(member.Name))
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
		if errors.Is(err, store.ErrUnchanged) {
			return &models.Refusal{Kind: models.KindGone, Code: "registration_used"}
		}
		if err != nil {
			return err
		}
		a.Kind, a.Name = models.ActorNode, string(reg.FQDN)
		return f.recordRegistration(tx, a, reg, ActionRegistrationDenied)
	})
}
