package enroll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
)

// ErrStatement is returned when the hub has said, signed, that this node is no longer registered
// (R6).
var ErrStatement = errors.New("the hub has stated that this node is no longer registered")

// renewBefore is how long before its end an access token is renewed.
const renewBefore = time.Minute

// replicaSkew is how far the clocks of a hub's replicas may be apart.
const replicaSkew = time.Minute

// Poll asks the hub, and checks the hub's signature on a permit before it answers.
func (e *Enrollment) Poll(ctx context.Context, r wire.PollRequest) (wire.PollResponse, error) {
	var answer wire.PollResponse
	if err := e.call(ctx, wire.PathPoll, r, &answer); err != nil {
		return wire.PollResponse{}, err
	}
	if answer.Permit != nil {
		if err := e.checkPermit(*answer.Permit, answer.Now); err != nil {
			return wire.PollResponse{}, err
		}
	}
	return answer, nil
}

// Confirm is the one call that must be answered before a service is touched (R20).
func (e *Enrollment) Confirm(ctx context.Context, id models.PermitID, r wire.ConfirmRequest) (
	wire.ConfirmResponse, error) {
	var answer wire.ConfirmResponse
	err := e.call(ctx, wire.PathPermits+string(id)+"/confirm", r, &answer)
	return answer, err
}

// Local asks for a permit for work by hand, and checks the hub's signature on it (R33).
func (e *Enrollment) Local(ctx context.Context, r wire.LocalRequest) (wire.LocalResponse, error) {
	var answer wire.LocalResponse
	if err := e.call(ctx, wire.PathLocal, r, &answer); err != nil {
		return wire.LocalResponse{}, err
	}
	if answer.Permit != nil {
		if err := e.checkPermit(*answer.Permit, answer.Now); err != nil {
			return wire.LocalResponse{}, err
		}
	}
	return answer, nil
}

// CloudView shows the hub what this node orchestrates, or takes back what it shows.
func (e *Enrollment) CloudView(ctx context.Context, r wire.CloudViewRequest) (
	wire.CloudViewResponse, error) {
	var answer wire.CloudViewResponse
	err := e.call(ctx, wire.PathCloudView, r, &answer)
	return answer, err
}

// Bundle asks the depot; the deadline covers the head of the answer.
func (e *Enrollment) Bundle(ctx context.Context, digest string, header http.Header) (
	*http.Response, error) {
	var res *http.Response
	err := e.proved(ctx, func(p prover) error {
		var err error
		//nolint:bodyclose // the caller reads it
		res, err = e.client.open(ctx, wire.PathBundles+digest, p, header)
		return err
	})
	return res, err
}

// Tickets asks the hub for one join ticket per member; only a publisher gets any. It hands on none
// that its own hub has not signed: a subscriber knows the hub's key by it.
func (e *Enrollment) Tickets(ctx context.Context, members []models.FQDN) ([]wire.JoinTicket, error) {
	var answer wire.TicketsResponse
	err := e.call(ctx, wire.PathTickets, wire.TicketsRequest{Members: members}, &answer)
	if err != nil {
		return nil, err
	}
	identity := e.Identity()
	if identity == nil {
		return nil, errors.New("this node is not registered")
	}
	for _, t := range answer.Tickets {
		if err := verifyHub(t.Ticket, wire.TypeJoin, identity.HubKey, &struct{}{}); err != nil {
			return nil, err
		}
	}
	return answer.Tickets, nil
}

// Join makes a subscriber a member with a key of its own.
func (e *Enrollment) Join(ctx context.Context, ticket string) error {
	if err := e.free(); err != nil {
		return err
	}
	claim, err := e.claim(ticket)
	if err != nil {
		return err
	}
	var answer wire.JoinResponse
	err = e.client.post(ctx, wire.PathJoin, "", wire.JoinRequest{Ticket: ticket, Claim: claim},
		&answer)
	if err != nil {
		return err
	}
	return e.adopt(answer.Identity, wire.TypeJoin, ticket)
}

// stated is ErrStatement when the refusal carries the hub's signed word about this node and its
// present key; everything else only makes a node back off.
func (e *Enrollment) stated(err error) error {
	var r *Refusal
	identity := e.Identity()
	if identity == nil || !errors.As(err, &r) || r.Problem.Statement == "" {
		return nil
	}
	var claims wire.StatementClaims
	if verifyHub(r.Problem.Statement, wire.TypeStatement, identity.HubKey, &claims) != nil {
		return nil //nolint:nilerr // not the hub's word
	}
	key, err := loadKey(e.o.Dir, keyFile)
	if err != nil || claims.Node != identity.NodeID || claims.KeyThumb != key.Thumbprint() {
		return nil //nolint:nilerr // not about this node
	}
	switch claims.Says {
	case "deregistered", "removed", "replaced":
		return fmt.Errorf("%w: %s", ErrStatement, claims.Says)
	}
	return nil
}

// checkPermit wants the hub's signature over what the answer says, for this node. The end of an
// offer is judged by the hub's own time; a confirmed permit has none (R20).
func (e *Enrollment) checkPermit(p wire.Permit, hubNow time.Time) error {
	identity := e.Identity()
	if identity == nil {
		return errors.New("this node is not registered")
	}
	var signed wire.PermitClaims
	if err := verifyHub(p.Signed, wire.TypePermit, identity.HubKey, &signed); err != nil {
		return err
	}
	if signed.Permit != p.ID || signed.Node != identity.NodeID || signed.Fence != p.Fence ||
		signed.Digest != p.Digest || signed.Size != p.Size || signed.Version != p.Version {
		return errors.New("cannot accept the permit: its signature is over something else")
	}
	if hubNow.Add(replicaSkew).Unix() < signed.NotBefore {
		return errors.New("cannot accept the permit: its time has not come")
	}
	if p.State == models.PermitOffered && hubNow.Unix() > signed.NotAfter {
		return errors.New("cannot accept the permit: its start-by has passed")
	}
	return nil
}
