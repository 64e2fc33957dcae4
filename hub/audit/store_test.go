package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"connecthub/hub/audit"
	"connecthub/models"
)

func TestR30AChainIsSignedOnceItHasGrownOrWaited(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, s *scene) {
		sign := func() int {
			s.must(s.audit.SignCheckpoints(t.Context()))
			return len(s.checkpoints(s.one))
		}
		if n := sign(); n != 0 {
			t.Errorf("%d checkpoints of an empty log", n)
		}
		for i, step := range []struct {
			records int
			wait    time.Duration
			want    int
		}{
			{3, 0, 1}, // the first at once
			{0, time.Hour, 1},
			{10, 0, 2}, // the hour has passed
			{10, 0, 2},
			{0, 5 * time.Minute, 3},
			{499, 0, 3},
			{1, 0, 4},
		} {
			s.record(s.one, step.records, admin(s.one), saved(i))
			s.clock.Advance(step.wait)
			if n := sign(); n != step.want {
				t.Errorf("step %d: %d checkpoints, want %d", i, n, step.want)
			}
			s.must(s.audit.SignCheckpoints(t.Context())) // nothing new: nothing to sign
		}
		if got := s.verified(s.one, nil); got.Fault != nil || got.Last != 523 {
			t.Errorf("%+v %v", got, got.Fault)
		}
		if got := s.verified(s.two, nil); got.Fault != nil || got.Last != 0 {
			t.Errorf("an empty log: %+v", got)
		}
	})
}

func TestR30TheHubSignsNothingThatDoesNotFollowFromWhatItSigned(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, s *scene) {
		s.record(s.one, 10, admin(s.one), saved(1))
		s.record(s.two, 10, admin(s.two), saved(1))
		s.must(s.audit.SignCheckpoints(t.Context()))
		s.record(s.one, 5, admin(s.one), saved(2))
		s.record(s.two, 5, admin(s.two), saved(2))
		s.tamper(fmt.Sprintf("UPDATE audit_records SET actor_name = 'Eve' WHERE sequence = 12 AND "+
			"organization_id = '%s'", s.one.Organization.ID))
		s.clock.Advance(time.Hour)
		err := s.audit.SignCheckpoints(t.Context())
		var tampered *audit.Tampered
		if !errors.As(err, &tampered) || tampered.Fault.Sequence != 12 ||
			tampered.Fault.Organization != s.one.Organization.ID {
			t.Errorf("%v", err)
		}
		if n := len(s.checkpoints(s.one)); n != 1 {
			t.Errorf("%d checkpoints of the one that was tampered with", n)
		}
		if n := len(s.checkpoints(s.two)); n != 2 {
			t.Errorf("%d checkpoints of the other", n)
		}
	})
}

func TestR30WhatIsThirteenMonthsOldGoesAndTheRestStillVerifies(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, s *scene) {
		sign := func() {
			s.must(s.audit.SignCheckpoints(t.Context()))
		}
		for i := range 4 {
			s.record(s.one, 300, admin(s.one), saved(i))
			s.clock.Advance(time.Hour)
			sign()
		}
		old, err := s.audit.Checkpoints(t.Context(), s.one.Organization.ID)
		s.must(err)
		first := s.clock.Now()
		s.clock.Advance(first.AddDate(0, 13, 0).Sub(first) - 2*time.Hour - 20*time.Minute)
		s.must(s.audit.Prune(t.Context()))
		before := s.verified(s.one, old)
		if before.Fault != nil || before.First <= 1 || before.First > 900 || before.Last != 1200 {
			t.Fatalf("%+v %v", before, before.Fault)
		}
		s.record(s.one, 5, admin(s.one), saved(9))
		sign()
		s.clock.Advance(24 * time.Hour)
		s.must(s.audit.Prune(t.Context()))
		s.must(s.audit.Prune(t.Context()))
		after := s.verified(s.one, old)
		if after.Fault != nil || after.First != 1201 || after.Last != 1205 || after.Signed != 1205 {
			t.Fatalf("%+v %v", after, after.Fault)
		}
		for _, c := range s.checkpoints(s.one) {
			if c.Sequence <= 1200 {
				t.Errorf("checkpoint %d is left", c.Number)
			}
		}
		s.clock.Advance(500 * 24 * time.Hour)
		s.must(s.audit.Prune(t.Context()))
		if got := s.verified(s.one, old); got.Fault != nil || got.Last != 1205 || got.Old == 0 {
			t.Fatalf("all of it has gone: %+v %v", got, got.Fault)
		}
		s.record(s.one, 2, admin(s.one), saved(9))
		sign()
		if got := s.verified(s.one, nil); got.Fault != nil || got.First != 1206 || got.Last != 1207 {
			t.Fatalf("the chain goes on: %+v %v", got, got.Fault)
		}
		s.tamper(fmt.Sprintf("DELETE FROM audit_records WHERE organization_id = '%s' AND sequence = 1206",
			s.one.Organization.ID))
		if got := s.verified(s.one, nil); got.Fault == nil || got.Fault.Sequence != 1206 {
			t.Errorf("%+v", got.Fault)
		}
	})
}

func TestR30ThePurgeRemovesNoEvidence(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, s *scene) {
		s.record(s.one, 20, admin(s.one), saved(1))
		s.must(s.audit.SignCheckpoints(t.Context()))
		s.tamper(fmt.Sprintf("UPDATE audit_records SET action = 'x' WHERE sequence = 7 AND "+
			"organization_id = '%s'", s.one.Organization.ID))
		s.clock.Advance(500 * 24 * time.Hour)
		var tampered *audit.Tampered
		if err := s.audit.Prune(t.Context()); !errors.As(err, &tampered) || tampered.Fault.Sequence != 7 {
			t.Errorf("%v", err)
		}
		if got := s.verified(s.one, nil); got.Fault == nil || got.Fault.Sequence != 7 || got.First != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestR30CheckpointsThatWereKeptElsewhereFindWhatTheDatabaseCannot(t *testing.T) {
	t.Parallel()
	s := newScene(t, "sqlite:"+t.TempDir()+"/hub.db")
	s.record(s.one, 50, admin(s.one), saved(1))
	current, err := s.audit.Checkpoints(t.Context(), "")
	s.must(err)
	var file bytes.Buffer
	s.must(audit.WriteCheckpoints(&file, current))
	text := file.String()
	kept, err := s.audit.ReadCheckpoints(t.Context(), &file)
	s.must(err)
	if len(kept) != 1 || kept[0].Sequence != 50 {
		t.Fatalf("%+v", kept)
	}
	if got := s.verified(s.one, kept); got.Fault != nil {
		t.Fatal(got.Fault)
	}
	other := newScene(t, "sqlite:"+t.TempDir()+"/hub.db")
	for name, bad := range map[string]string{"not JSON": "{", "no statement": "{}",
		"another byte": strings.Replace(text, `"statement":"ey`, `"statement":"fy`, 1)} {
		if _, err := s.audit.ReadCheckpoints(t.Context(), strings.NewReader(bad)); !errors.Is(err, audit.ErrKept) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := other.audit.ReadCheckpoints(t.Context(), strings.NewReader(text)); !errors.Is(err, audit.ErrKept) {
		t.Errorf("another hub's: %v", err)
	}
	kept[0].Organization = "gone"
	results, err := s.audit.Verify(t.Context(), "", kept)
	s.must(err)
	if last := results[len(results)-1]; last.Fault == nil || last.Organization != "gone" {
		t.Errorf("%+v", results)
	}
}

func TestR30EveryFieldOfARecordIsCoveredByItsHash(t *testing.T) {
	t.Parallel()
	whole := someRecord("o", 3)
	whole.Chain(models.AuditHead{OrganizationID: "o", Sequence: 2, Hash: "h"})
	fields := fieldsOf(&whole)
	if len(fields) != 23 {
		t.Fatalf("%d fields; a new one needs another form of the hash", len(fields))
	}
	for name := range fields {
		changed := whole
		change(fieldsOf(&changed)[name])
		digest, known := changed.Digest()
		if name == "Hash" {
			continue // it is what the others make
		}
		if known && digest == whole.Hash {
			t.Errorf("%s can be changed unseen", name)
		}
	}
	a, b := whole, whole
	a.ActorName, a.ActorEmail = "ab", "c"
	b.ActorName, b.ActorEmail = "a", "bc"
	one, _ := a.Digest()
	two, _ := b.Digest()
	if one == two {
		t.Error("text can move from one field to the next unseen")
	}
}
