package nodeapi_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// BenchmarkIdlePoll is the usual poll over keep-alive TLS through every handler, token and proof
// included, beside a bare echo handler that checks one signature and answers the same bytes.
func BenchmarkIdlePoll(b *testing.B) {
	w := newWorld(b)
	_, nodes := w.register("Tokyo", pubName, subName)
	n := nodes[0]
	n.poll()
	body, err := json.Marshal(n.request())
	must(b, err)
	same := w.call(http.MethodPost, wire.PathPoll, n.token, json.RawMessage(body)).Body.Bytes()
	public := n.key.Public().(ed25519.PublicKey)
	bare := echo.New()
	bare.POST(wire.PathPoll, func(c echo.Context) error {
		var scratch wire.ProofScratch
		p, ok := wire.ReadProof(c.Request().Header.Get(wire.HeaderProof), &scratch)
		if !ok || !ed25519.Verify(public, p.Signed, p.Signature[:]) {
			return echo.ErrUnauthorized
		}
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, same)
	})
	b.Run("bare", func(b *testing.B) { hammer(b, w, bare, n.token, body) })
	b.Run("poll", func(b *testing.B) { hammer(b, w, w.echo, n.token, body) })
}

func hammer(b *testing.B, w *world, h http.Handler, token string, body []byte) {
	server := httptest.NewTLSServer(h)
	defer server.Close()
	client := server.Client()
	proofs := w.presigned(b, server.URL, token)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
				server.URL+wire.PathPoll, bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
			r.Header.Set(echo.HeaderAuthorization, "DPoP "+token)
			r.Header.Set(wire.HeaderProof, <-proofs)
			answer, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, answer.Body)
			if err != nil || answer.StatusCode != http.StatusOK {
				b.Errorf("answered %d, %v", answer.StatusCode, err)
			}
			if err := answer.Body.Close(); err != nil {
				b.Error(err)
			}
		}
	})
}

// presigned are proofs for as many polls as the benchmark makes.
func (w *world) presigned(b *testing.B, base, token string) <-chan string {
	proofs := make(chan string, b.N)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, base+wire.PathPoll, nil)
	for range b.N {
		w.prove(r, token)
		proofs <- r.Header.Get(wire.HeaderProof)
	}
	return proofs
}

// BenchmarkHandler is the same without a network.
func BenchmarkHandler(b *testing.B) {
	w := newWorld(b)
	_, nodes := w.register("Tokyo", pubName, subName)
	n := nodes[0]
	n.poll()
	body, err := json.Marshal(n.request())
	must(b, err)
	proofs := w.presigned(b, "https://example.com", n.token)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, wire.PathPoll,
			bytes.NewReader(body))
		r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
		r.Header.Set(echo.HeaderAuthorization, "DPoP "+n.token)
		r.Header.Set(wire.HeaderProof, <-proofs)
		answer := httptest.NewRecorder()
		w.echo.ServeHTTP(answer, r)
		if answer.Code != http.StatusOK {
			b.Fatal(answer.Code, answer.Body)
		}
	}
}

// BenchmarkLoad reads 5,000 clusters of two nodes into the roster: a cold start.
func BenchmarkLoad(b *testing.B) {
	w := newWorld(b)
	w.populate(b, 5000)
	for b.Loop() {
		must(b, w.fleet.Load(b.Context()))
	}
}

// populate stores that many clusters of two nodes.
func (w *world) populate(t testing.TB, clusters int) {
	t.Helper()
	now := w.clock.Now()
	for first := 0; first < clusters; first += 500 {
		must(t, w.store.Update(t.Context(), func(tx *store.Tx) error {
			s := tx.In(w.admin.Organization)
			for i := first; i < min(first+500, clusters); i++ {
				name := fmt.Sprintf("cluster-%d", i)
				c := models.Cluster{DisplayName: name, NameKey: name, Channel: "stable",
					FQDN: models.FQDN(name + ".example.com"), RegisteredAt: now, Zone: "Asia/Tokyo",
					RegularTime: "03:00", RegularDays: 127, RegularMinutes: 120,
					EmergencyTime: "03:00", EmergencyMinutes: 120, ScheduleVersion: 1,
					ScheduleFrom: now}
				if err := s.CreateCluster(&c); err != nil {
					return err
				}
				for j, role := range []models.NodeRole{models.Publisher, models.Subscriber} {
					n := benchNode(c, j, role, now)
					if err := s.CreateNode(&n); err != nil {
						return err
					}
				}
			}
			return nil
		}))
	}
}

func benchNode(c models.Cluster, i int, role models.NodeRole, now time.Time) models.Node {
	n := models.Node{ClusterID: c.ID, Name: models.FQDN(fmt.Sprintf("n%d.%s", i, c.FQDN)),
		Role: role, Member: models.MemberActive, KeyThumb: rand.Text(),
		PublicKey: `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		JoinedAt:  &now, Version: "1.0.0", ClientVersion: "1.0.0", Protocol: 1,
		Step: models.StepIdle, Health: models.Healthy, BootID: rand.Text(), SeenAt: &now,
		IntervalSeconds: 300, PolledSince: true, FactsDigest: rand.Text()}
	for j := range 8 {
		n.Facts = append(n.Facts, models.Fact{Name: fmt.Sprintf("package:name-%d", j), Value: "1.2.3"})
	}
	return n
}
