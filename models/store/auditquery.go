package store

import (
	"time"

	"connecthub/models"
)

// AuditQuery bounds a list of audit records.
type AuditQuery struct {
	ClusterID models.ClusterID // empty: of the whole organization
	Before    models.AuditID   // empty: from the newest
	Limit     int              // at most 200, which is the default
}

// Audit lists records in the order in which they were made, newest first.
func (s *Scope) Audit(q AuditQuery) ([]models.AuditRecord, error) {
	var conditions []where
	if q.ClusterID != "" {
		conditions = append(conditions, is("cluster_id", q.ClusterID))
	}
	if q.Before != "" {
		conditions = append(conditions, before("id", q.Before))
	}
	return list[models.AuditRecord](s.handle, by("id").newestFirst(), bounded(q.Limit),
		conditions...)
}

// AuditHas says whether the cluster has a record of the action about that target.
func (s *Scope) AuditHas(cluster models.ClusterID, action, target string) (bool, error) {
	found, err := takeAny[models.AuditRecord](s.handle, is("cluster_id", cluster),
		is("action", action), is("target_id", target))
	return found != nil, err
}

// AuditFilter says which records somebody looks for. What is empty does not count.
type AuditFilter struct {
	From, To  time.Time // from From on, before To
	ActorID   string
	Actor     string   // part of the actor's name or address, in any case
	Actions   []string // one of them
	Target    string   // part of the target's name, or its id
	ClusterID models.ClusterID
	// Text is part of a name, an address or a tracking id; TextActions are the actions whose
	// sentences hold it too.
	Text        string
	TextActions []string
	// Below is the record to go on after: older ones only.
	Below *AuditPlace
	Limit int // at most 200, which is the default
}

// AuditPlace is where a record stands in a list.
type AuditPlace struct {
	At       time.Time
	Sequence int64
}

// FindAudit lists what the filter lets through, newest first.
func (s *Scope) FindAudit(f AuditFilter) ([]models.AuditRecord, error) {
	return list[models.AuditRecord](s.handle, by("at", "sequence").newestFirst(),
		bounded(f.Limit), f.conditions()...)
}

func (f AuditFilter) conditions() []where {
	conditions := []where{atLeast("at", f.From.UTC()), before("at", f.To.UTC())}
	if f.Below != nil {
		conditions = append(conditions, atMost("at", f.Below.At),
			either(before("at", f.Below.At), before("sequence", f.Below.Sequence)))
	}
	if f.ActorID != "" {
		conditions = append(conditions, is("actor_id", f.ActorID))
	}
	if f.Actor != "" {
		conditions = append(conditions, either(holds("actor_name", f.Actor),
			holds("actor_email", f.Actor)))
	}
	if f.Actions != nil {
		conditions = append(conditions, oneOf("action", f.Actions...))
	}
	if f.Target != "" {
		conditions = append(conditions, either(holds("target_name", f.Target),
			is("target_id", f.Target)))
	}
	if f.ClusterID != "" {
		conditions = append(conditions, is("cluster_id", f.ClusterID))
	}
	if f.Text != "" {
		parts := []where{holds("actor_name", f.Text), holds("actor_email", f.Text),
			holds("target_name", f.Text), holds("address", f.Text), is("tracking_id", f.Text)}
		if len(f.TextActions) > 0 {
			parts = append(parts, oneOf("action", f.TextActions...))
		}
		conditions = append(conditions, either(parts...))
	}
	return conditions
}
