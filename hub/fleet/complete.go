package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
	"connecthub/scheduler/rollout"
	"connecthub/scheduler/window"
)

// registrationShown is how long the card of an ended registration stays by itself.
const registrationShown = 24 * time.Hour

// become makes of a registration what it was for.
func (f *Fleet) become(tx *store.Tx, s *store.Scope, a Actor, r *models.Registration,
	now time.Time,
) error {
	var c storedClaim
	if err := json.Unmarshal(r.Claim, &c); err != nil {
		return fmt.Errorf("cannot read the stored claim: %w", err)
	}
	if err := keyIsFree(tx, c.Key.Thumbprint()); err != nil {
		return err
	}
	switch r.Kind {
	case models.RegisterCluster:
		return f.becomeCluster(tx, s, a, r, c, now)
	case models.RegisterReplacement:
		return f.becomeReplacement(tx, s, a, r, c, now)
	}
	return fmt.Errorf("cannot complete a registration of kind %q", r.Kind)
}

// becomeCluster stores a cluster with the default schedules (R8) and the members that the publisher
// has named (R32).
func (f *Fleet) becomeCluster(tx *store.Tx, s *store.Scope, a Actor, r *models.Registration,
	c storedClaim, now time.Time,
) error {
	org, err := s.Own()
	if err != nil {
		return err
	}
	if err := free(s, r.DisplayName, r.FQDN); err != nil {
		return err
	}
	zone, err := window.LoadZone(org.Zone)
	if err != nil {
		return fmt.Errorf("cannot use the organization's zone: %w", err)
	}
	row := models.Cluster{ID: store.NewID[models.ClusterID](tx), OrganizationID: org.ID,
		DisplayName: r.DisplayName, NameKey: models.FoldName(r.DisplayName), FQDN: r.FQDN,
		Channel: "stable", RegisteredAt: now, ScheduleVersion: 1, ScheduleFrom: now,
		EmergencyFrom: now, Suspended: org.DisabledAt != nil}
	setSchedules(&row, window.DefaultRule(zone), window.DefaultRule(zone))
	row.FenceIncarnation = f.incarnation()
	created := row
	if err := s.CreateCluster(&created); err != nil {
		return err
	}
	publisher, err := joined(newMember(tx, row, r.FQDN, models.Publisher), c, now)
	if err != nil {
		return err
	}
	r.ClusterID, r.NodeID = row.ID, publisher.ID
	if err := s.CreateNode(&publisher); err != nil {
		return err
	}
	for _, name := range c.Claim.Members {
		if name == r.FQDN {
			continue
		}
		n := newMember(tx, row, name, models.Subscriber)
		if err := s.CreateNode(&n); err != nil {
			return err
		}
	}
	record := a.Audit("", now, models.Change{Organization: org.ID, Cluster: row.ID,
		Action: string(ActionClusterRegistered), TargetKind: "cluster", TargetID: string(row.ID),
		TargetName: row.DisplayName, After: map[string]any{"fqdn": row.FQDN,
			"members": c.Claim.Members, "schedules": schedulesOf(row)}})
	return s.AppendAudit(&record)
}

func newMember(tx *store.Tx, c models.Cluster, name models.FQDN, role models.NodeRole) models.Node {
	return models.Node{ID: store.NewID[models.NodeID](tx), OrganizationID: c.OrganizationID,
		ClusterID: c.ID, Name: name, Role: role, Member: models.MemberExpected,
		Step: models.StepIdle, Health: models.HealthUnknown}
}

// joined is a member with the key and the version of its claim.
func joined(n models.Node, c storedClaim, now time.Time) (models.Node, error) {
	key, err := json.Marshal(c.Key)
	if err != nil {
		return n, err
	}
	n.Member, n.KeyThumb, n.PublicKey = models.MemberActive, c.Key.Thumbprint(), string(key)
	n.JoinedAt = &now
	n.Version, n.ClientVersion = c.Claim.Version, c.Claim.ClientVersion
	n.Protocol = c.Claim.Protocol
	return n, nil
}

// becomeReplacement gives one member a new key: the old one counts no more, fences and history stay
// (R32).
func (f *Fleet) becomeReplacement(tx *store.Tx, s *store.Scope, a Actor, r *models.Registration,
	c storedClaim, now time.Time,
) error {
	loaded, err := f.load(s, r.ClusterID)
	if err != nil {
		return err
	}
	w := &work{rows: loaded, now: now, actor: a, newID: f.newID(tx),
		loadedRollout: loaded.rollout, loadedPermit: loaded.permit}
	n := w.member(r.NodeID)
	if n == nil {
		return models.NotFound()
	}
	effects, err := rollout.Leave(w.snapshot(f.incarnation(), ""), n.ID, true, now)
	if err != nil {
		return err
	}
	w.apply(effects)
	old := n.KeyThumb
	fresh, err := joined(*n, c, now)
	if err != nil {
		return err
	}
	err = s.SetNodeKey(n.ID, old, store.Joined{KeyThumb: fresh.KeyThumb,
		PublicKey: fresh.PublicKey, At: now, Member: models.MemberActive})
	if err != nil {
		return err
	}
	fresh.SeenAt, fresh.BootID, fresh.Counter = nil, "", 0
	fresh.Step, fresh.StepPercent = models.StepIdle, 0
	fresh.Health, fresh.HealthDetail = models.HealthUnknown, ""
	fresh.JournalPermit, fresh.Denied, fresh.FactsDigest, fresh.Facts = "", nil, "", nil
	fresh.PackageNames, fresh.PackagesMore, fresh.PackagesDigest = nil, false, ""
	*n = fresh
	w.touchNode(n.ID)
	w.recordNode(ActionNodeReplaced, n, keyNote{old}, keyNote{fresh.KeyThumb})
	if err := f.revoke(tx, r.ClusterID); err != nil {
		return err
	}
	return w.persist(s)
}

// Status tells the node that has claimed how its registration stands, and who it is once it is
// completed. Only the key that claimed is told.
func (f *Fleet) Status(ctx context.Context, r wire.StatusRequest) (wire.StatusResponse, error) {
	var answer wire.StatusResponse
	by, err := f.readAssertion(r.Assertion)
	if err != nil {
		return answer, err
	}
	if by.Subject != string(r.RegistrationID) {
		return answer, models.Unauthorized("invalid_assertion")
	}
	err = f.o.Store.View(ctx, func(tx *store.Tx) error {
		reg, err := tx.Hub().RegistrationByID(r.RegistrationID)
		if err != nil {
			return notFound(err)
		}
		now := f.now()
		var c storedClaim
		if err := json.Unmarshal(reg.Claim, &c); err != nil {
			return models.NotFound() // nobody has claimed it
		}
		if !by.about(reg.ID, c.Key) {
			return models.NotFound() // as of one that does not exist (R29)
		}
		answer = wire.StatusResponse{State: reg.State, Why: reg.EndedWhy, Now: now}
		if reg.State == models.RegistrationClaimed && !reg.Completable(now) {
			answer.State, answer.Why = models.RegistrationExpired, models.EndedReturnMissing
		}
		if reg.State != models.RegistrationCompleted {
			return nil
		}
		node, err := tx.Hub().NodeByID(reg.NodeID)
		if err != nil {
			return notFound(err)
		}
		identity, err := f.identity(tx, node)
		answer.Identity = &identity
		return err
	})
	return answer, err
}

// about says whether an assertion is of this key and speaks of this registration.
func (a assertion) about(id models.RegistrationID, key wire.JWK) bool {
	return a.Subject == string(id) && a.thumb == key.Thumbprint()
}

// identity is what a registered node is to the hub.
func (f *Fleet) identity(tx *store.Tx, n models.Node) (wire.Identity, error) {
	org, err := tx.Hub().OrganizationByID(n.OrganizationID)
	if err != nil {
		return wire.Identity{}, err
	}
	c, err := tx.Hub().ClusterByID(n.ClusterID)
	if err != nil {
		return wire.Identity{}, err
	}
	return wire.Identity{HubID: f.hubID(), Organization: org.Name, ClusterID: c.ID,
		DisplayName: c.DisplayName, NodeID: n.ID, Role: n.Role, HubKey: f.o.Keys.Public(),
		Fence: c.Fence()}, nil
}

// keyNote says in an audit record which public key a node had or has.
type keyNote struct {
	KeyThumb string `json:"key_thumb"`
}
