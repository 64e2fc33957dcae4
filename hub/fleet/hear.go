package fleet

import (
	"slices"
	"time"
	"unicode/utf8"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/scheduler/rollout"
)

// The limits of what a poll may say; the whole of it is bounded by wire.MaxBody.
const (
	maxWord   = 128
	maxDetail = 1024
	maxDenied = 64
)

// checkPoll refuses what no node of this protocol says.
func checkPoll(r *wire.PollRequest) error {
	bad := ""
	switch {
	case r.Protocol > wire.Protocol:
		bad = "protocol"
	case !word(r.ClientVersion):
		bad = "client_version"
	case !validVersion(r.Version):
		bad = "version"
	case !r.Step.Valid():
		bad = "step"
	case r.StepPercent < 0 || r.StepPercent > 100:
		bad = "step_percent"
	case !r.Health.Valid():
		bad = "health"
	case !text(r.HealthDetail, maxDetail):
		bad = "health_detail"
	case !word(r.BootID) || r.BootID == "":
		bad = "boot_id"
	case r.Counter > 1<<62:
		bad = "counter"
	case len(r.Denied) > maxDenied || slices.ContainsFunc(r.Denied, notVersion):
		bad = "denied"
	case !word(r.FactsDigest):
		bad = "facts_digest"
	case len(r.Facts) > wire.MaxFacts || slices.ContainsFunc(r.Facts, badFact):
		bad = "facts"
	case r.Packages != nil && (r.FactsDigest == "" || !r.Packages.Names.Valid()):
		bad = "packages"
	case !checkPermitReport(r.Permit):
		bad = "permit"
	case len(r.ByHand) > wire.MaxByHand || slices.ContainsFunc(r.ByHand, badByHand):
		bad = "by_hand"
	case r.Journal != nil && (!word(string(r.Journal.Permit)) || !validVersion(r.Journal.Version)):
		bad = "journal"
	}
	if bad != "" {
		return &models.Refusal{Kind: models.KindInvalid, Code: "invalid_poll", Field: bad,
			Subject: bad}
	}
	return nil
}

func checkPermitReport(p *wire.PermitReport) bool {
	return p == nil || word(string(p.ID)) && text(p.Detail, maxDetail) &&
		(p.Outcome == "" || p.Outcome.Reportable())
}

func word(s string) bool { return text(s, maxWord) }

func text(s string, limit int) bool {
	if len(s) > limit {
		return false
	}
	for i := range len(s) {
		if s[i] == 0 || s[i] >= utf8.RuneSelf {
			return utf8.ValidString(s) && !slices.Contains([]byte(s), 0)
		}
	}
	return true
}

// validVersion: a node that has nothing installed yet says no version.
func validVersion(v models.Version) bool {
	if v == "" {
		return true
	}
	_, err := models.ParseVersion(string(v))
	return err == nil
}

func notVersion(v models.Version) bool { return v == "" || !validVersion(v) }

func badByHand(h wire.HandReport) bool {
	return h.ID == "" || !word(h.ID) || !h.What.Valid() || !h.Outcome.Reportable() ||
		!text(h.Detail, maxDetail) || !validVersion(h.From) || !validVersion(h.To)
}

func badFact(f models.Fact) bool {
	return f.Name == "" || !text(f.Name, wire.MaxFactSize) || !text(f.Value, wire.MaxFactSize)
}

// stale says whether a poll was overtaken by a later one of the same boot: it must change nothing.
func stale(n *models.Node, r *wire.PollRequest) bool {
	if r.BootID != n.BootID || r.Counter >= n.Counter || n.SeenAt == nil {
		return false
	}
	last := n.SeenAt.Add(time.Duration(n.SkewSeconds) * time.Second)
	return r.Clock.Before(last.Add(-2 * time.Second))
}

// hear writes into the node's row what it says of itself. News says whether any of it must be
// stored before the node is answered; the rest is stored in a batch.
func hear(n *models.Node, r *wire.PollRequest, active *models.Rollout, now time.Time) (news bool) {
	news = set(&n.Version, r.Version) || news
	if set(&n.ClientVersion, r.ClientVersion) {
		n.PackageNames, n.PackagesMore, n.PackagesDigest = nil, false, "" // it may not tell them any more
		news = true
	}
	news = set(&n.Protocol, r.Protocol) || news
	news = set(&n.Step, r.Step) || news
	news = set(&n.Health, r.Health) || news
	news = set(&n.HealthDetail, r.HealthDetail) || news
	news = set(&n.BootID, r.BootID) || news
	news = set(&n.HighestFence, r.HighestFence) || news
	news = set(&n.PolledSince, true) || news
	news = set(&n.Orchestrating, r.Orchestrating) || news
	news = set(&n.JournalPermit, journalOf(r).Permit) || news
	if len(r.Facts) > 0 && r.FactsDigest != n.FactsDigest {
		n.Facts, n.FactsDigest, news = slices.Clone(r.Facts), r.FactsDigest, true
	}
	if p := r.Packages; p != nil && r.FactsDigest != n.PackagesDigest {
		n.PackageNames, n.PackagesMore = slices.Clone(p.Names), p.More
		n.PackagesDigest, news = r.FactsDigest, true
	}
	for _, v := range r.Denied {
		if !n.Denies(v) && !retried(active, v) && len(n.Denied) < maxDenied {
			n.Denied, news = append(slices.Clone(n.Denied), v), true
		}
	}
	skew := int64(r.Clock.Sub(now).Round(time.Second) / time.Second)
	news = tooSkewed(skew) != tooSkewed(n.SkewSeconds) || n.SeenAt == nil || news
	n.SkewSeconds, n.Counter, n.StepPercent = skew, r.Counter, r.StepPercent
	n.SeenAt = &now
	return news
}

// retried says whether an admin let the nodes try the version again: a node that has not been told
// yet still names it.
func retried(active *models.Rollout, v models.Version) bool {
	return active != nil && active.State == models.RolloutActive && active.BlockedBy != "" &&
		active.Version == v
}

func tooSkewed(seconds int64) bool {
	limit := int64(rollout.MaxSkew / time.Second)
	return seconds > limit || seconds < -limit
}

func set[T comparable](field *T, value T) bool {
	if *field == value {
		return false
	}
	*field = value
	return true
}

func journalOf(r *wire.PollRequest) rollout.Journal {
	j := rollout.Journal{Highest: r.HighestFence, Boot: r.BootID}
	if e := r.Journal; e != nil {
		j.Permit, j.Fence, j.Version, j.Confirmed = e.Permit, e.Fence, e.Version, e.Confirmed
	}
	return j
}
