package audit_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/hub/audit"
	"connecthub/models"
	"connecthub/models/store"
)

func (s *scene) query() audit.Query {
	return audit.Query{From: s.clock.Now().AddDate(0, -6, 0), To: s.clock.Now().AddDate(0, 6, 0)}
}

func refusedWith(t *testing.T, err error, code models.Code) {
	t.Helper()
	var r *models.Refusal
	if !errors.As(err, &r) || r.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestR30PagesHoldEveryRecordOnceNewestFirst(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, s *scene) {
		s.record(s.two, 30, admin(s.two), saved(0))
		at := s.clock.Now()
		s.must(s.store.Update(t.Context(), func(tx *store.Tx) error {
			for i := range 430 { // of many the instant is the same
				r := admin(s.one).Audit("", at.Add(time.Duration(i/50)*time.Millisecond), saved(i))
				r.OrganizationID = s.one.Organization.ID
				if err := tx.In(s.one.Organization.ID).AppendAudit(&r); err != nil {
					return err
				}
			}
			return nil
		}))
		q := s.query()
		q.Max = 37
		var places []int64
		for {
			page, err := s.audit.List(t.Context(), admin(s.one), q)
			s.must(err)
			for _, e := range page.Entries {
				if e.OrganizationID != s.one.Organization.ID {
					t.Fatalf("another organization's record: %+v", e)
				}
				places = append(places, e.Sequence)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		want := make([]int64, 430)
		for i := range want {
			want[i] = int64(430 - i)
		}
		if !slices.Equal(places, want) {
			t.Errorf("%d records: %v", len(places), places)
		}
		q = s.query()
		page, err := s.audit.List(t.Context(), admin(s.one), q)
		s.must(err)
		if len(page.Entries) != audit.DefaultPage {
			t.Errorf("a page has %d", len(page.Entries))
		}
		q.From, q.To = at.Add(time.Millisecond), at.Add(2*time.Millisecond)
		if page, err = s.audit.List(t.Context(), admin(s.one), q); err != nil || len(page.Entries) != 50 {
			t.Errorf("%d records of one instant, %v", len(page.Entries), err)
		}
	})
}

func TestR30FiltersFindByWhoWhatAndWhom(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, s *scene) {
		ada, bob := admin(s.one), admin(s.one)
		bob.UserID, bob.Name, bob.Email, bob.Address = "bob", "Bob 100%", "BOB@acme.example", "198.51.100.9"
		bob.TrackingID = "track-bob"
		s.record(s.one, 2, ada, saved(1))
		s.record(s.one, 3, bob, models.Change{Action: "signed_in", TargetKind: "user", TargetID: "bob",
			TargetName: "bob@acme.example"})
		s.record(s.one, 4, bob, models.Change{Action: "cluster_registered", TargetKind: "cluster",
			TargetID: "c9", TargetName: "Osaka_West", Cluster: "c9"})
		for name, want := range map[string]struct {
			change func(q *audit.Query)
			found  int
		}{
			"nothing":            {func(*audit.Query) {}, 9},
			"a person":           {func(q *audit.Query) { q.ActorID = "bob" }, 7},
			"part of an address": {func(q *audit.Query) { q.Actor = "bob@ACME" }, 7},
			"a percent sign":     {func(q *audit.Query) { q.Actor = "0%" }, 7},
			"a sign as it is":    {func(q *audit.Query) { q.Actor = "B%b" }, 0},
			"a category":         {func(q *audit.Query) { q.Categories = []audit.Category{audit.SignIn} }, 3},
			"two categories": {func(q *audit.Query) {
				q.Categories = []audit.Category{audit.SignIn, audit.Schedules}
			}, 5},
			"an action":         {func(q *audit.Query) { q.Actions = []string{"signed_in"} }, 3},
			"an action of none": {func(q *audit.Query) { q.Actions = []string{"x' OR '1'='1"} }, 0},
			"both, disagreeing": {func(q *audit.Query) {
				q.Actions, q.Categories = []string{"signed_in"}, []audit.Category{audit.Schedules}
			}, 0},
			"a target":           {func(q *audit.Query) { q.Target = "osaka_w" }, 4},
			"a target's id":      {func(q *audit.Query) { q.Target = "c9" }, 4},
			"a cluster":          {func(q *audit.Query) { q.ClusterID = "c9" }, 4},
			"what it is called":  {func(q *audit.Query) { q.Text = "was registered" }, 4},
			"in Japanese":        {func(q *audit.Query) { q.Text = "サインイン" }, 3},
			"a network address":  {func(q *audit.Query) { q.Text = "198.51.100." }, 7},
			"a tracking id":      {func(q *audit.Query) { q.Text = "track-bob" }, 7},
			"text nobody wrote":  {func(q *audit.Query) { q.Text = "0) OR (1=1" }, 0},
			"who and what":       {func(q *audit.Query) { q.Actor, q.Text = "ada", "updated" }, 2},
			"who and what, none": {func(q *audit.Query) { q.Actor, q.ClusterID = "ada", "c9" }, 0},
		} {
			q := s.query()
			want.change(&q)
			page, err := s.audit.List(t.Context(), ada, q)
			s.must(err)
			if len(page.Entries) != want.found {
				t.Errorf("%s: %d records, want %d", name, len(page.Entries), want.found)
			}
		}
	})
}

func TestR30AQueryThatCannotBeMeantIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, "sqlite:"+t.TempDir()+"/hub.db")
	now := s.clock.Now()
	for code, changes := range map[models.Code][]func(q *audit.Query){
		"invalid_period": {func(q *audit.Query) { q.To = q.From }, func(q *audit.Query) { *q = audit.Query{} },
			func(q *audit.Query) { q.From, q.To = now, now.AddDate(1, 0, 0).Add(time.Microsecond) }},
		"invalid_category": {func(q *audit.Query) { q.Categories = []audit.Category{"x"} }},
		"invalid_max":      {func(q *audit.Query) { q.Max = 201 }, func(q *audit.Query) { q.Max = -1 }},
		"invalid_cursor": {func(q *audit.Query) { q.Cursor = "?" }, func(q *audit.Query) { q.Cursor = "YQ" },
			func(q *audit.Query) { q.Cursor = "YS4" }},
		"invalid_filter": {func(q *audit.Query) { q.Text = strings.Repeat("x", 2000) },
			func(q *audit.Query) { q.Actor = "a\x00" }, func(q *audit.Query) { q.Target = "a\xff" }},
	} {
		for _, change := range changes {
			q := s.query()
			change(&q)
			_, err := s.audit.List(t.Context(), admin(s.one), q)
			refusedWith(t, err, code)
			refusedWith(t, s.audit.Each(t.Context(), admin(s.one), q, func([]audit.Entry) error {
				t.Error("rows came all the same")
				return nil
			}), code)
		}
	}
	q := s.query()
	q.From, q.To = now, now.AddDate(1, 0, 0)
	if _, err := s.audit.List(t.Context(), admin(s.one), q); err != nil {
		t.Errorf("just one year: %v", err)
	}
	for _, role := range []models.Role{models.ReadOnlyAdmin, models.ReleaseEngineer, ""} {
		somebody := admin(s.one)
		somebody.Role = role
		_, err := s.audit.List(t.Context(), somebody, q)
		refusedWith(t, err, "forbidden")
		refusedWith(t, s.audit.Each(t.Context(), somebody, q, nil), "forbidden")
	}
}

func TestR29WhoIsOfAnotherOrganizationIsNamedByThatAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t, "sqlite:"+t.TempDir()+"/hub.db")
	vera := models.Actor{Kind: models.ActorUser, UserID: "vera-id", Name: "Vera", Email: "vera@vendor.example",
		Role: models.ReleaseEngineer, Organization: "vendor-id", Address: "192.0.2.77", UserAgent: "VeraAgent"}
	root := models.Actor{Kind: models.ActorCommand, Name: "root-of-hub", Organization: s.one.Organization.ID}
	s.record(s.one, 1, vera, saved(1))
	s.record(s.one, 1, root, saved(2))
	s.record(s.one, 1, models.Actor{Kind: models.ActorHub, Name: "hub"}, saved(3))
	s.record(s.one, 1, admin(s.one), saved(4))
	for language, names := range map[string][]string{
		"en": {"Ada", "hub", "Hub operator", "Vendor"}, "ja": {"Ada", "hub", "ハブの運用者", "ベンダー"}} {
		reader := admin(s.one)
		reader.Language = language
		page, err := s.audit.List(t.Context(), reader, s.query())
		s.must(err)
		var table bytes.Buffer
		rows := audit.NewCSV(&table, language)
		s.must(s.audit.Each(t.Context(), reader, s.query(), rows.Write))
		shown := fmt.Sprintf("%+v", page.Entries) + table.String()
		for _, secret := range []string{"vera", "Vera", "vendor-id", "192.0.2.77", "root-of-hub", "release_engineer"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%s is shown", secret)
			}
		}
		for i, e := range page.Entries {
			if e.ActorName != names[i] {
				t.Errorf("%s, want %s", e.ActorName, names[i])
			}
		}
		if own := page.Entries[0]; own.ActorEmail != "ada@acme.example" ||
			own.ActorOrganization != s.one.Organization.Name || own.Address != "203.0.113.7" {
			t.Errorf("%+v", own)
		}
	}
	if got := s.verified(s.one, nil); got.Fault != nil {
		t.Error(got.Fault)
	}
}

func TestR30AnExportHoldsAtMost20000RecordsAndBeginsNoFormula(t *testing.T) {
	t.Parallel()
	s := newScene(t, "sqlite:"+t.TempDir()+"/hub.db")
	evil := []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "　＝1", "＋1", "－1", "＠a",
		"=HYPERLINK(\"http://x\")", "plain", "a,\"b\"\r\nc", "東京"}
	for i, name := range evil {
		a := admin(s.one)
		a.Name, a.UserAgent = name, name
		s.record(s.one, 1, a, models.Change{Action: "schedules_saved", TargetName: evil[len(evil)-1-i]})
	}
	var out bytes.Buffer
	s.must(s.audit.Each(t.Context(), admin(s.one), s.query(), audit.NewCSV(&out, "ja").Write))
	text, ok := strings.CutPrefix(out.String(), "\ufeff")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !ok || len(rows) != 1+len(evil) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if got := strings.Join(rows[0][:15], " "); got != "timestamp action_text tracking_id event_category "+
		"actor_id actor_name actor_email actor_org_id actor_org_name actor_user_agent actor_ip "+
		"target_type target_id target_name target_org_id" {
		t.Errorf("columns %s", got)
	}
	for _, row := range rows[1:] {
		for _, cell := range row {
			first := strings.TrimLeft(cell, " \u3000")
			if first != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(first)[0]) {
				t.Errorf("a cell begins a formula: %q", cell)
			}
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", row[0]); err != nil || !strings.Contains(row[1], "更新") {
			t.Errorf("%v", row)
		}
	}
	if rows[1][5] != "東京" || rows[3][5] != "plain" || rows[len(evil)][5] != "'=1+1" {
		t.Errorf("%v", rows[1:])
	}
	s.record(s.one, audit.MaxExport, admin(s.one), saved(1))
	found, most := 0, 0
	s.must(s.audit.Each(t.Context(), admin(s.one), s.query(), func(entries []audit.Entry) error {
		found, most = found+len(entries), max(most, len(entries))
		return nil
	}))
	if found != audit.MaxExport || most > audit.MaxPage {
		t.Errorf("%d records, %d at once", found, most)
	}
}
