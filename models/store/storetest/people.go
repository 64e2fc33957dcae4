package storetest

import (
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

func organizationNames(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	err := hub(s, func(h *store.Hub) error {
		return h.CreateOrganization(&models.Organization{Name: " ACME ", CreatedAt: w.Now})
	})
	wantDuplicate(t, err, store.OrganizationName)
	must(t, hub(s, func(h *store.Hub) error {
		found, err := h.OrganizationByName("aCmE")
		want(t, "by name", found.ID, w.Organization.ID)
		return err
	}))
	must(t, hub(s, func(h *store.Hub) error {
		found, err := h.OrganizationByID(w.Organization.ID)
		want(t, "by id", found, w.Organization)
		return err
	}))
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.OrganizationByID("nobody")
		return err
	}), store.ErrNotFound)
}

func oneVendor(t *testing.T, s *store.Store) {
	make := func(name string) error {
		return hub(s, func(h *store.Hub) error {
			return h.CreateOrganization(&models.Organization{Name: name, Vendor: true,
				CreatedAt: Start()})
		})
	}
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.VendorOrganization()
		return err
	}), store.ErrNotFound)
	Seed(t, s, "")
	must(t, make("Vendor"))
	wantDuplicate(t, make("Another"), store.OneVendor)
	must(t, hub(s, func(h *store.Hub) error {
		found, err := h.VendorOrganization()
		want(t, "the vendor", found.Name, "Vendor")
		return err
	}))
	must(t, hub(s, func(h *store.Hub) error {
		all, err := h.Organizations()
		want(t, "organizations", len(all), 2)
		return err
	}))
}

func userAddresses(t *testing.T, s *store.Store) {
	a, b := Seed(t, s, "1"), Seed(t, s, "2")
	err := b.in(s, func(in *store.Scope) error {
		return in.CreateUser(&models.User{Email: "ADMIN@acme1.example", CreatedAt: b.Now})
	})
	wantDuplicate(t, err, store.UserEmail)
	must(t, hub(s, func(h *store.Hub) error {
		found, err := h.UserByEmail("Admin@Acme1.example")
		want(t, "by address", found.ID, a.User.ID)
		return err
	}))
	must(t, a.in(s, func(in *store.Scope) error {
		all, err := in.Users()
		want(t, "users of one", len(all), 1)
		return err
	}))
}

func userChanges(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	must(t, w.in(s, func(in *store.Scope) error { return in.SetPassword(w.User.ID, "hash", w.Now) }))
	must(t, w.in(s, func(in *store.Scope) error { return in.DisableUser(w.User.ID, w.Now) }))
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.DisableUser(w.User.ID, w.Now) }),
		store.ErrUnchanged)
	must(t, w.in(s, func(in *store.Scope) error {
		u, err := in.UserByID(w.User.ID)
		want(t, "password", u.PasswordHash, "hash")
		want(t, "disabled", u.DisabledAt != nil && u.DisabledAt.Equal(w.Now), true)
		return err
	}))
	must(t, w.in(s, func(in *store.Scope) error { return in.EnableUser(w.User.ID) }))
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.EnableUser(w.User.ID) }),
		store.ErrUnchanged)
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.SetPassword("nobody", "x", w.Now) }),
		store.ErrUnchanged)
}

func (w World) session(hash string, used time.Time) *models.Session {
	return &models.Session{IDHash: hash, UserID: w.User.ID, CreatedAt: w.Now, LastUsedAt: used,
		ExpiresAt: w.Now.Add(12 * time.Hour)}
}

func sessions(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	for _, name := range []string{"a", "b", "c"} {
		must(t, w.in(s, func(in *store.Scope) error { return in.CreateSession(w.session(name, w.Now)) }))
	}
	must(t, w.in(s, func(in *store.Scope) error {
		return in.TouchSession("a", w.Now.Add(time.Minute))
	}))
	exists := func(hash string) bool {
		err := hub(s, func(h *store.Hub) error {
			_, err := h.SessionByHash(hash)
			return err
		})
		return err == nil
	}
	must(t, hub(s, func(h *store.Hub) error {
		n, err := h.PurgeSessions(w.Now, w.Now)
		want(t, "idle ones", n, 2)
		return err
	}))
	want(t, "the touched one", exists("a"), true)
	want(t, "the idle one", exists("b"), false)
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateSession(w.session("d", w.Now)) }))
	must(t, w.in(s, func(in *store.Scope) error {
		n, err := in.DeleteSessionsOfUser(w.User.ID, "d")
		want(t, "other sessions", n, 1)
		return err
	}))
	must(t, w.in(s, func(in *store.Scope) error { return in.DeleteSession("d") }))
	must(t, w.in(s, func(in *store.Scope) error { return in.DeleteSession("d") }))
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateSession(w.session("e", w.Now)) }))
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.TouchSession("d", w.Now) }),
		store.ErrUnchanged)
	must(t, hub(s, func(h *store.Hub) error {
		n, err := h.PurgeSessions(w.Now.Add(12*time.Hour), w.Now.Add(-time.Hour))
		want(t, "expired ones", n, 1)
		return err
	}))
}

func audit(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	must(t, w.in(s, func(in *store.Scope) error {
		for i := range 250 {
			record := models.AuditRecord{At: w.Now, Action: "n" + string(rune('0'+i%10))}
			if i%50 == 0 {
				record.ClusterID = w.Cluster.ID
			}
			if err := in.AppendAudit(&record); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, w.in(s, func(in *store.Scope) error {
		page, err := in.Audit(store.AuditQuery{})
		want(t, "the default page", len(page), 200)
		want(t, "the newest", page[0].Action, "n9")
		want(t, "the next", page[1].Action, "n8")
		if err != nil {
			return err
		}
		rest, err := in.Audit(store.AuditQuery{Before: page[199].ID, Limit: 1000})
		want(t, "the rest", len(rest), 50)
		if err != nil {
			return err
		}
		of, err := in.Audit(store.AuditQuery{ClusterID: w.Cluster.ID, Limit: 3})
		want(t, "of the cluster", len(of), 3)
		return err
	}))
}

func assertions(t *testing.T, s *store.Store) {
	spend := func(int) error {
		return hub(s, func(h *store.Hub) error {
			return h.SpendAssertion("node/jti", Start().Add(time.Minute))
		})
	}
	want(t, "spent", race(t, 16, spend, store.ErrUnchanged), 1)
	wantErr(t, spend(0), store.ErrUnchanged)
	must(t, hub(s, func(h *store.Hub) error {
		n, err := h.PurgeAssertions(Start())
		want(t, "still fresh", n, 0)
		if err != nil {
			return err
		}
		n, err = h.PurgeAssertions(Start().Add(time.Minute))
		want(t, "expired", n, 1)
		return err
	}))
}

func hubState(t *testing.T, s *store.Store) {
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.HubState()
		return err
	}), store.ErrNotFound)
	var first models.HubState
	for range 2 {
		must(t, hub(s, func(h *store.Hub) error {
			state, err := h.InitHubState(Start())
			if first.HubID == "" {
				first = state
			}
			want(t, "the hub's row", state, first)
			return err
		}))
	}
	must(t, hub(s, func(h *store.Hub) error { return h.RaiseIncarnation(1, 2) }))
	wantErr(t, hub(s, func(h *store.Hub) error { return h.RaiseIncarnation(1, 2) }),
		store.ErrUnchanged)
}

func restore(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	must(t, w.in(s, func(in *store.Scope) error {
		if err := in.CreateSession(w.session("a", w.Now)); err != nil {
			return err
		}
		r := w.NewRegistration("new.example.com", "secret")
		if err := in.CreateRegistration(&r); err != nil {
			return err
		}
		p := w.NewPermit(models.Fence{Incarnation: 1, Counter: 1})
		if err := in.CreatePermit(&p); err != nil {
			return err
		}
		n := w.Publisher
		n.PolledSince = true
		return in.SaveNodeState(n)
	}))
	must(t, hub(s, func(h *store.Hub) error {
		n, err := h.VoidSessions()
		want(t, "sessions", n, 1)
		if err != nil {
			return err
		}
		n, err = h.VoidRegistrations(w.Now)
		want(t, "registrations", n, 1)
		if err != nil {
			return err
		}
		n, err = h.WithdrawOffers("the hub was restored", w.Now)
		want(t, "offers", n, 1)
		if err != nil {
			return err
		}
		return h.HoldAllClusters()
	}))
	must(t, hub(s, func(h *store.Hub) error {
		rows, err := h.LoadCluster(w.Cluster.ID)
		want(t, "held", rows.Cluster.AwaitPolls, true)
		want(t, "no permit", rows.Permit == nil, true)
		want(t, "no poll since", rows.Nodes[0].PolledSince, false)
		return err
	}))
	must(t, w.in(s, func(in *store.Scope) error { return in.EndAwaitPolls(w.Cluster.ID) }))
}
