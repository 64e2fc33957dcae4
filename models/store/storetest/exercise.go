package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// suite is every promise of the store, as cases that both databases must pass.
func suite() []struct {
	name string
	run  func(t *testing.T, s *store.Store)
} {
	return []struct {
		name string
		run  func(t *testing.T, s *store.Store)
	}{
		{"an organization's name is taken in any case", organizationNames},
		{"there is one vendor", oneVendor},
		{"an address of a user is taken in the whole hub", userAddresses},
		{"a password and a lock-out reach one user", userChanges},
		{"a session ends with its user, its age or its idleness", sessions},
		{"a domain belongs to one organization", domains},
		{"a role changes from the one that was read", roles},
		{"sessions are listed, confirmed and ended one by one", sessionList},
		{"a passkey's counter moves once when 16 callers race", passkeys},
		{"a recovery code is used once when 64 callers race", recoveryCodes},
		{"a challenge is used once and in time when 64 callers race", challenges},
		{"an invitation is accepted once and in time when 64 callers race", invitations},
		{"an API token ends when it is revoked", apiTokens},
		{"R2 a claim counts at 14:59.999 and not at 15:00.000", claimInTime},
		{"R2 a ticket is used once when 64 callers race", claimRace},
		{"R3 a claim needs the secret and the bound key", claimBinding},
		{"R3 a return needs its session, its code and its time", completeBinding},
		{"R4 a new registration makes the old one worthless", supersede},
		{"a sweep ends what is late and nothing else", expire},
		{"an open registration can be cancelled, an ended one dismissed", cancelAndDismiss},
		{"a denial counts once and in time", deny},
		{"R3 a claimed registration is burned or refused once, and nothing leads out of it", burn},
		{"a comparison code that is wrong is counted once", comparisons},
		{"R32 a replacement ends with its member", replacements},
		{"a headless request is approved once when 16 callers race, and ended once", headless},
		{"a node's newer headless request makes its older one worthless", headlessAgain},
		{"attempts count until their time", attempts},
		{"R1 a display name is taken among the living", clusterNames},
		{"R5 a name is registered once in an organization", clusterFQDNs},
		{"R7 a search takes its text as it is", search},
		{"R13 a schedule is saved over the version that was read", schedules},
		{"R12 an upgrade is postponed once", postpone},
		{"R12 a postponement is taken back before its window opens", takeBack},
		{"a cluster keeps what was decided about it", clusterChanges},
		{"R6 a cluster is deregistered once", deregister},
		{"R21 a fence is given out once when 16 callers race", fenceRace},
		{"R34 a fence is adopted upwards only", adoptFence},
		{"a member's name and a node's key are taken", nodeNames},
		{"R29 a node cannot hang on another tenant's cluster", foreignNode},
		{"a node's row comes back as it went", nodeRoundTrip},
		{"R32 a member moves from where it is", memberStates},
		{"R32 a key is replaced once", nodeKeys},
		{"R32 one holder is the next when 16 callers race", generations},
		{"a key is rotated once when 8 callers race", rotations},
		{"R6 revocations are counted in their order, and who knows them", revocations},
		{"what a node tells is kept", nodeChanges},
		{"seen at moves forward only, in batches", seen},
		{"a version is released once in a channel", releases},
		{"a release moves from the state it is in", releaseStates},
		{"R19 a cluster has one rollout that has not ended", rollouts},
		{"R16 a cluster has one open permit", onePermit},
		{"R16 a cluster has one open permit when 64 callers race", permitRace},
		{"R20 a permit is confirmed once and ended once", permitLife},
		{"R21 a permit's fence was never given out before", permitFences},
		{"R30 audit records come newest first, bounded", audit},
		{"an assertion is spent once when 16 callers race", assertions},
		{"an organization has one OpenID Connect provider", oidcProviders},
		{"a state counts once, in its browser and its time, when 16 callers race", oidcStates},
		{"a subject is one person's, and a person has one", oidcSubjects},
		{"a path of the software repository has one file", softwareFiles},
		{"an agreement is published once and accepted once", eulas},
		{"a download token is rotated once when 16 callers race, and a restore voids it", downloadCredentials},
		{"what a cluster shows is kept while it is allowed, and a restore forgets it", cloudViews},
		{"a lease has one holder when 16 callers race", leaseRace},
		{"R34 a restored hub voids sessions, tickets and offers", restore},
		{"the hub's row is made once", hubState},
		{"the rows of a cluster come together", loadCluster},
		{"the rows of all clusters come page by page", loadAll},
		{"instants keep their order, their microseconds and UTC", instants},
		{"a message arrives after its commit, and only then", notify},
		{"a listener hears in order, and that he missed something", notifyOrder},
		{"a failed statement dooms its transaction", doomed},
		{"a refusal and a panic undo everything", undone},
		{"a view cannot write", viewWrites},
		{"a view is one snapshot", viewSnapshot},
		{"text that one database refuses is refused by both", badText},
		{"identifiers are unique and sort by birth", identifiers},
		{"a cancelled caller changes nothing", cancelled},
		{"R29 every method of a scope is blind to another tenant", foreignScope},
	}
}

// Exercise runs the suite and answers the number of its cases. Each case has a database of its own.
func Exercise(t *testing.T, open func(t testing.TB) *store.Store) int {
	t.Helper()
	cases := suite()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
	return len(cases)
}

// World is one tenant with a cluster of two nodes, and the vendor's release.
type World struct {
	Now          time.Time
	Organization models.Organization
	User         models.User
	Cluster      models.Cluster
	Publisher    models.Node
	Subscriber   models.Node
	Release      models.Release
	Rollout      models.Rollout
}

// Seed stores a World whose names end in suffix.
func Seed(t testing.TB, s *store.Store, suffix string) World {
	t.Helper()
	w := World{Now: Start()}
	update(t, s, func(tx *store.Tx) error {
		w.Organization = models.Organization{Name: "Acme" + suffix, Zone: "Asia/Tokyo",
			Language: "en", CreatedAt: w.Now}
		if err := tx.Hub().CreateOrganization(&w.Organization); err != nil {
			return err
		}
		in := tx.In(w.Organization.ID)
		w.User = models.User{Email: "admin@acme" + suffix + ".example", Name: "Admin",
			Role: models.FullAdmin, CreatedAt: w.Now}
		w.Cluster = NewCluster("Tokyo"+suffix, "cc-pub.example.com", w.Now)
		w.Release = models.Release{Version: "2.0.0", Kind: models.Regular,
			State: models.ReleasePublished, Channel: "stable" + suffix, Digest: "d" + suffix,
			CreatedAt: w.Now, PublishedAt: &w.Now}
		w.Cluster.Channel = w.Release.Channel
		return errors.Join(in.CreateUser(&w.User), in.CreateCluster(&w.Cluster),
			tx.Hub().CreateRelease(&w.Release))
	})
	update(t, s, func(tx *store.Tx) error {
		in := tx.In(w.Organization.ID)
		w.Publisher = NewNode(w.Cluster.ID, models.Publisher, "cc-pub.example.com", "kp"+suffix)
		w.Subscriber = NewNode(w.Cluster.ID, models.Subscriber, "cc-sub.example.com", "ks"+suffix)
		w.Rollout = models.Rollout{ClusterID: w.Cluster.ID, ReleaseID: w.Release.ID,
			Version: w.Release.Version, Kind: w.Release.Kind, State: models.RolloutActive,
			StartedAt: w.Now}
		return errors.Join(in.CreateNode(&w.Publisher), in.CreateNode(&w.Subscriber),
			in.CreateRollout(&w.Rollout))
	})
	return w
}

// NewCluster is a registered cluster with the default schedules.
func NewCluster(name string, fqdn models.FQDN, now time.Time) models.Cluster {
	return models.Cluster{DisplayName: name, FQDN: fqdn, Channel: "stable", RegisteredAt: now,
		Zone: "Asia/Tokyo", RegularTime: "03:00", RegularDays: 127, RegularMinutes: 120,
		EmergencyTime: "03:00", EmergencyMinutes: 120, ScheduleVersion: 1, ScheduleFrom: now,
		EmergencyFrom:    now,
		FenceIncarnation: 1}
}

// NewNode is an active member that has not polled yet.
func NewNode(c models.ClusterID, role models.NodeRole, name models.FQDN, key string) models.Node {
	joined := Start()
	return models.Node{ClusterID: c, Name: name, Role: role, Member: models.MemberActive,
		KeyThumb: key, JoinedAt: &joined, Version: "1.0.0", Step: models.StepIdle,
		Health: models.Healthy, IntervalSeconds: 30}
}

// NewPermit is an offered permit of the publisher with the fence given.
func (w World) NewPermit(fence models.Fence) models.Permit {
	return models.Permit{ClusterID: w.Cluster.ID, NodeID: w.Publisher.ID, RolloutID: w.Rollout.ID,
		ReleaseID: w.Release.ID, Kind: models.PermitUpgrade, State: models.PermitOffered,
		FenceIncarnation: fence.Incarnation, FenceCounter: fence.Counter, OfferedAt: w.Now,
		StartBy: w.Now.Add(time.Hour)}
}

// NewRegistration is a pending registration of the World's user.
func (w World) NewRegistration(fqdn models.FQDN, secret string) models.Registration {
	return models.Registration{Kind: models.RegisterCluster, DisplayName: "New", FQDN: fqdn,
		State: models.RegistrationPending, SecretHash: secret, UserID: w.User.ID,
		RequestedBy: w.User.Name, SessionHash: "session", CreatedAt: w.Now,
		ExpiresAt: w.Now.Add(models.RegistrationTTL)}
}

func update(t testing.TB, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := s.View(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// in runs fn in a write transaction of the World's tenant and answers its error.
func (w World) in(s *store.Store, fn func(in *store.Scope) error) error {
	return s.Update(context.Background(), func(tx *store.Tx) error {
		return fn(tx.In(w.Organization.ID))
	})
}

func hub(s *store.Store, fn func(h *store.Hub) error) error {
	return s.Update(context.Background(), func(tx *store.Tx) error { return fn(tx.Hub()) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func wantDuplicate(t testing.TB, err error, index store.Index) {
	t.Helper()
	if !store.IsDuplicate(err, index) || !errors.Is(err, store.ErrDuplicate) {
		t.Fatalf("got %v, want a duplicate in %s", err, index)
	}
}

func want[T comparable](t testing.TB, what string, got, expected T) {
	t.Helper()
	if got != expected {
		t.Fatalf("%s: got %v, want %v", what, got, expected)
	}
}

// race lets n callers begin at once and answers how many succeeded; others must fail with one of
// the refusals.
func race(t testing.TB, n int, call func(i int) error, refusals ...error) int {
	t.Helper()
	begin := make(chan struct{})
	results := make(chan error, n)
	for i := range n {
		go func() {
			<-begin
			results <- call(i)
		}()
	}
	close(begin)
	won := 0
	for range n {
		err := <-results
		if err == nil {
			won++
			continue
		}
		known := false
		for _, refusal := range refusals {
			known = known || errors.Is(err, refusal)
		}
		if !known {
			t.Errorf("a caller failed with %v", err)
		}
	}
	return won
}
