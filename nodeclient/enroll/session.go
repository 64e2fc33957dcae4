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

// Bundle asks the depot; the deadline covers the head of the answer.
func (e *Enrollment) Bundle(ctx context.Context, digest string, header http.Header) (
	*http.Response, error) {
	token, err := e.accessToken(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		e.client.base+wire.PathBundles+digest, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the depot: %w", err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "DPoP "+token)
	res, err := e.client.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the depot: %w", err)
	}
	return res, nil
}

// Tickets asks the hub for one join ticket per member; only a publisher gets any.
func (e *Enrollment) Tickets(ctx context.Context, members []models.FQDN) ([]wire.JoinTicket, error) {
	var answer wire.TicketsResponse
	err := e.call(ctx, wire.PathTickets, wire.TicketsRequest{Members: members}, &answer)
	return answer.Tickets, err
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
	err = e.client.post(ctx, wire.PathJoin, "", "", wire.JoinRequest{Ticket: ticket, Claim: claim},
		&answer)
	if err != nil {
		return err
	}
	return e.adopt(answer.Identity)
}

// call sends a message as the registered node; a refused token is renewed once.
func (e *Enrollment) call(ctx context.Context, path string, in, out any) error {
	for try := 0; ; try++ {
		token, err := e.accessToken(ctx)
		if err != nil {
			return err
		}
		err = e.client.post(ctx, path, token, "", in, out)
		if err == nil {
			return nil
		}
		if stated := e.stated(err); stated != nil {
			return stated
		}
		var r *Refusal
		if try > 0 || !errors.As(err, &r) || r.Problem.Status != http.StatusUnauthorized {
			return err
		}
		e.mu.Lock()
		e.token = ""
		e.mu.Unlock()
	}
}

// accessToken is a good token, renewed a minute before its end by this node's monotonic clock.
func (e *Enrollment) accessToken(ctx context.Context) (string, error) {
	e.mu.Lock()
	identity, token, end := e.identity, e.token, e.tokenEnd
	e.mu.Unlock()
	if identity == nil {
		return "", errors.New("this node is not registered")
	}
	now := e.o.Now()
	if token != "" && now.Before(end) {
		return token, nil
	}
	key, err := loadKey(e.o.Dir)
	if err != nil {
		return "", err
	}
	assertion, err := key.assertion(string(identity.NodeID), now)
	if err != nil {
		return "", err
	}
	var answer wire.TokenResponse
	err = e.client.post(ctx, wire.PathToken, "", "", wire.TokenRequest{Assertion: assertion}, &answer)
	if err != nil {
		if stated := e.stated(err); stated != nil {
			return "", stated
		}
		return "", err
	}
	life := time.Duration(answer.ExpiresIn) * time.Second
	e.mu.Lock()
	defer e.mu.Unlock()
	e.token, e.tokenEnd = answer.AccessToken, now.Add(max(life-renewBefore, life/2))
	return answer.AccessToken, nil
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
	key, err := loadKey(e.o.Dir)
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
