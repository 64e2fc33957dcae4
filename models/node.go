package models

import (
	"strconv"
	"strings"
	"time"
)

// NodeRole is a node's part in its cluster.
type NodeRole string

// The roles of nodes.
const (
	Publisher  NodeRole = "publisher"
	Subscriber NodeRole = "subscriber"
)

// Valid says whether r is one of the roles.
func (r NodeRole) Valid() bool { return r == Publisher || r == Subscriber }

// MemberState is a node's place in its cluster (R32).
type MemberState string

// The member states. Expected and quarantined members hold a rollout; waiting ones (joined after
// registration, not admitted), excluded ones (after an override) and removed ones do not count.
const (
	MemberExpected    MemberState = "expected"
	MemberWaiting     MemberState = "waiting"
	MemberActive      MemberState = "active"
	MemberQuarantined MemberState = "quarantined"
	MemberExcluded    MemberState = "excluded"
	MemberRemoved     MemberState = "removed"
)

// Valid says whether s is one of the member states.
func (s MemberState) Valid() bool {
	switch s {
	case MemberExpected, MemberWaiting, MemberActive, MemberQuarantined, MemberExcluded,
		MemberRemoved:
		return true
	}
	return false
}

// Health is what a node says of the services it runs.
type Health string

// The health words.
const (
	HealthUnknown Health = "unknown"
	Healthy       Health = "healthy"
	Unhealthy     Health = "unhealthy"
)

// Valid says whether h is one of the health words.
func (h Health) Valid() bool { return h == HealthUnknown || h == Healthy || h == Unhealthy }

// Step is where a node stands in an upgrade.
type Step string

// The steps in their order; rolling_back may follow any disruptive one (from draining on).
const (
	StepIdle        Step = "idle"
	StepFetching    Step = "fetching"
	StepVerified    Step = "verified"
	StepConfirming  Step = "confirming"
	StepDraining    Step = "draining"
	StepStopping    Step = "stopping"
	StepSwitching   Step = "switching"
	StepStarting    Step = "starting"
	StepChecking    Step = "checking"
	StepSoaking     Step = "soaking"
	StepRollingBack Step = "rolling_back"
)

// Steps lists every step in order.
func Steps() []Step {
	return []Step{StepIdle, StepFetching, StepVerified, StepConfirming, StepDraining, StepStopping,
		StepSwitching, StepStarting, StepChecking, StepSoaking, StepRollingBack}
}

// Valid says whether s is one of the steps.
func (s Step) Valid() bool {
	for _, t := range Steps() {
		if s == t {
			return true
		}
	}
	return false
}

// Disruptive says whether a node in this step may have a service down.
func (s Step) Disruptive() bool {
	switch s {
	case StepDraining, StepStopping, StepSwitching, StepStarting, StepChecking, StepSoaking,
		StepRollingBack:
		return true
	default:
		return false
	}
}

// MaxFacts is how many facts a node states; of more packages it names the first only.
const MaxFacts = 256

// The facts about packages: PackageFact + name has the version of one, PackagesFact the number of
// those that are installed.
const (
	PackageFact  = "package:"
	PackagesFact = "packages"
)

// Fact is one thing a node states about its machine, e.g. disk_bytes, memory_bytes, package:NAME.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Node is a member of a cluster. It keeps its row, and so its history, when its machine is replaced.
type Node struct {
	ID             NodeID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	ClusterID      ClusterID
	Name           FQDN // unique among the members of the cluster that are not removed
	Role           NodeRole
	Member         MemberState
	KeyThumb       string // RFC 7638 SHA-256 thumbprint of its key; empty while expected
	PublicKey      string // JWK
	JoinedAt       *time.Time
	// Generation counts the tokens that the node has asked for with its keys, and GenerationMark is
	// what it drew for the last one: of two copies only one can be the next.
	Generation     uint64
	GenerationMark string
	// ProvedIncarnation and ProvedAt are the life of the hub in which, and when, somebody has last
	// proved to hold the key: none since a restore until the node comes (R34).
	ProvedIncarnation uint64
	ProvedAt          *time.Time

	Version       Version // of the product
	ClientVersion string
	Protocol      int
	Step          Step
	StepPercent   int
	Health        Health
	HealthDetail  string
	BootID        string
	Counter       uint64 // of its polls on this boot
	SkewSeconds   int64  // node's clock less hub's clock
	FactsDigest   string
	Facts         []Fact `gorm:"serializer:json"`
	// PackageNames are all its packages, where its facts cannot name them; PackagesMore says that
	// even they are not all. They are as of PackagesDigest, the facts' digest of then.
	PackageNames   PackageSet
	PackagesMore   bool
	PackagesDigest string
	// Denied are the versions it rolled back from; they are not tried again until an admin says
	// so (R28).
	Denied        []Version `gorm:"serializer:json"`
	AdoptedOdd    Version   // a version that no release describes, adopted by an admin (R23)
	JournalPermit PermitID  // permit of its open journal entry, if any (R34)
	HighestFence  Fence     `gorm:"serializer:json"`

	SeenAt          *time.Time
	IntervalSeconds int  // the interval it was last told
	PolledSince     bool // has polled since the hub's last restore (R34)

	// Orchestrating: a procedure or a download runs on it, so that no node of its cluster stops.
	Orchestrating bool

	MaintenanceUntil  *time.Time // R22
	MaintenanceReason string

	// The last decision, for the admins (R24); never sent to the node (R14).
	Verb      Verb
	Reason    Reason
	Subject   string
	Earliest  *time.Time
	DecidedAt *time.Time
}

// InMaintenance says whether the node's maintenance mode has not run out (R22).
func (n Node) InMaintenance(now time.Time) bool {
	return n.MaintenanceUntil != nil && now.Before(*n.MaintenanceUntil)
}

// SilenceAfter is how long a node may be silent and still count as polling: three of its current
// intervals and 10 s (R17).
func (n Node) SilenceAfter() time.Duration {
	return 3*time.Duration(n.IntervalSeconds)*time.Second + 10*time.Second
}

// Polling says whether the node was seen within SilenceAfter (R17).
func (n Node) Polling(now time.Time) bool {
	return n.SeenAt != nil && now.Sub(*n.SeenAt) <= n.SilenceAfter()
}

// Denies says whether the node rolled back from v and nobody has said it may try again (R28).
func (n Node) Denies(v Version) bool {
	for _, d := range n.Denied {
		if d == v {
			return true
		}
	}
	return false
}

// NamesAllPackages says whether what its facts do not name is not installed. A node that does not
// count its packages names all of them if it could have named more.
func (n Node) NamesAllPackages() bool {
	named, counted := 0, ""
	for i := range n.Facts {
		switch name := n.Facts[i].Name; {
		case strings.HasPrefix(name, PackageFact):
			named++
		case name == PackagesFact:
			counted = n.Facts[i].Value
		}
	}
	if counted == "" {
		return len(n.Facts) < MaxFacts
	}
	number, err := strconv.Atoi(counted)
	return err == nil && number <= named
}
