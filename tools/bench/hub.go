package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

const (
	clusters   = 5000
	pollers    = 16
	pollsEach  = 400 // of one node, in one round
	rounds     = 5   // of one set
	sets       = 3   // at most
	restFor    = 6 * time.Second
	maxRSS     = 150 // MiB
	maxStart   = 3 * time.Second
	leastRatio = 0.7
)

// poller is a node whose key the benchmark holds.
type poller struct {
	id      models.NodeID
	private ed25519.PrivateKey
}

// measureHub fills a database with 10,000 nodes, starts the shipped hub over it, looks at it at
// rest, and loads it with polls in turn with the baseline.
func measureHub(ctx context.Context) ([]figure, error) {
	dir, err := os.MkdirTemp("", "connecthub-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("filling a database with %d nodes …\n", 2*clusters)
	nodes, err := fill(ctx, dir)
	if err != nil {
		return nil, err
	}
	files, err := newBaselineFiles(dir)
	if err != nil {
		return nil, err
	}
	console, node := freePort(), freePort()
	hub := exec.CommandContext(ctx, "bin/server", "serve", "--data", dir, "--listen",
		console, "--node-listen", node, "--poll-near", "30s", "--node-cert", files.cert,
		"--node-key", files.key)
	log, err := os.Create(filepath.Join(dir, "hub.log"))
	if err != nil {
		return nil, err
	}
	hub.Stdout, hub.Stderr = log, log
	began := time.Now()
	if err := hub.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the hub: %w", err)
	}
	defer end(hub)
	if err := ready(ctx, "http://"+console+"/readyz"); err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	start := time.Since(began)
	time.Sleep(restFor)
	rss := resident(hub.Process.Pid)
	figures := []figure{
		{name: "cold start of the hub with 10,000 nodes", value: fmt.Sprintf("%.2f s", start.Seconds()),
			bound: "< 3 s", ok: start < maxStart},
		{name: "hub at rest with 10,000 nodes, resident", value: fmt.Sprintf("%d MiB", rss),
			bound: "< 150 MiB", ok: rss > 0 && rss < maxRSS},
	}
	polls, err := comparePolls(ctx, files, node, hub.Process.Pid, nodes)
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%w\n%s", err, text[max(0, len(text)-2000):])
	}
	return append(figures, polls...), nil
}

func fill(ctx context.Context, dir string) ([]poller, error) {
	s, err := store.Open(ctx, store.Options{DSN: filepath.Join(dir, "hub.db"), Now: time.Now})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	if _, _, err := s.Migrate(ctx); err != nil {
		return nil, err
	}
	org := models.Organization{Name: "Bench", NameKey: "bench", Zone: "UTC", Language: "en",
		CreatedAt: time.Now()}
	err = s.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Hub().CreateOrganization(&org); err != nil {
			return err
		}
		release := models.Release{Version: "1.0.0", Kind: models.Regular,
			State: models.ReleasePublished, Channel: "stable", Digest: strings.Repeat("ab", 32),
			Size: 1, Order: models.PublisherFirst, CreatedAt: time.Now()}
		return tx.Hub().CreateRelease(&release)
	})
	if err != nil {
		return nil, err
	}
	var all []poller
	const page = 250
	for from := 0; from < clusters; from += page {
		err := s.Update(ctx, func(tx *store.Tx) error {
			for i := from; i < from+page; i++ {
				keyed, err := oneCluster(tx.In(org.ID), i)
				if err != nil {
					return err
				}
				all = append(all, keyed...)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// oneCluster makes a cluster of two; the first few get a key that the benchmark holds.
func oneCluster(in *store.Scope, i int) ([]poller, error) {
	now := time.Now()
	opposite := now.UTC().Add(12 * time.Hour).Format("15:04")
	name := fmt.Sprintf("Cluster %d", i)
	fqdn := models.FQDN(fmt.Sprintf("pub.c%d.example.com", i))
	c := models.Cluster{DisplayName: name, NameKey: models.FoldName(name), FQDN: fqdn,
		Channel: "stable", RegisteredAt: now, Zone: "UTC", RegularTime: opposite, RegularDays: 127,
		RegularMinutes: 120, EmergencyTime: opposite, EmergencyMinutes: 120, ScheduleVersion: 1,
		ScheduleFrom: now.Add(-time.Hour)}
	if err := in.CreateCluster(&c); err != nil {
		return nil, err
	}
	var keyed []poller
	for j, role := range []models.NodeRole{models.Publisher, models.Subscriber} {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		jwk := wire.KeyOf(public)
		text, err := json.Marshal(jwk)
		if err != nil {
			return nil, err
		}
		n := models.Node{ClusterID: c.ID, Name: models.FQDN(fmt.Sprintf("n%d.c%d.example.com", j, i)),
			Role: role, Member: models.MemberActive, KeyThumb: jwk.Thumbprint(),
			PublicKey: string(text), JoinedAt: &now, Version: "1.0.0", Protocol: wire.Protocol,
			Step: models.StepIdle, Health: models.Healthy, SeenAt: &now, IntervalSeconds: 300,
			FactsDigest: "bench", Facts: []models.Fact{{Name: "disk_bytes", Value: "1"}}}
		if err := in.CreateNode(&n); err != nil {
			return nil, err
		}
		if i < pollers/2 {
			keyed = append(keyed, poller{id: n.ID, private: private})
		}
	}
	return keyed, nil
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	defer func() { _ = l.Close() }()
	return strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)
}

func ready(ctx context.Context, url string) error {
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(5 * time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("%s is not ready within 30 s", url)
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
}

// resident is a process's resident memory in MiB, or 0.
func resident(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib / 1024
		}
	}
	return 0
}

// cpu is the CPU time of a process so far.
func cpu(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}
