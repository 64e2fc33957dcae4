package depot_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"connecthub/hub/depot"
	"connecthub/models"
	"connecthub/models/manifest"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

var errBroken = errors.New("the line broke")

func open(t *testing.T) (*depot.Depot, string) {
	t.Helper()
	s, dir := storetest.SQLite(t), t.TempDir()
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.Hub().CreateOrganization(&models.Organization{Name: "Vendor", NameKey: "vendor",
			Zone: "UTC", Language: "en", Vendor: true, CreatedAt: storetest.Start()})
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := depot.New(depot.Options{Store: s, Dir: dir, Now: storetest.Start,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return d, dir
}

func engineer() models.Actor {
	return models.Actor{Kind: models.ActorUser, Role: models.ReleaseEngineer, Name: "Vera"}
}

func bundle(t *testing.T, change func(*manifest.Manifest)) []byte {
	t.Helper()
	second := manifest.Duration(time.Second)
	m := manifest.Manifest{Format: manifest.Format, Name: "sample", Version: "2.0.0",
		Services: []manifest.Service{{Name: "s", Command: []string{"bin/s"}, Ports: []string{"p"},
			Stop: manifest.Stop{Signal: "TERM", Deadline: second},
			Health: manifest.Health{TCP: "p", Interval: second, Timeout: second,
				ReadyWithin: second, Failures: 1}}}}
	change(&m)
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed(t, manifest.ManifestName, raw)
}

func packed(t *testing.T, name string, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(z)
	err = archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body)),
		Typeflag: tar.TypeReg})
	_, failed := archive.Write(body)
	if err := errors.Join(err, failed, archive.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestABundleIsKeptByItsDigestAndDescribedByItsHead(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	raw := bundle(t, func(m *manifest.Manifest) {
		m.Order = manifest.SubscribersFirst
		m.Requires = manifest.Requirements{DiskBytes: 7, MinVersion: "1.0.0",
			Packages: []manifest.Package{{Name: "openssl"}}}
	})
	r, err := d.Publish(t.Context(), engineer(), depot.NewRelease{Kind: models.Regular},
		bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	if r.Digest != hex.EncodeToString(sum[:]) || r.Size != int64(len(raw)) ||
		r.Version != "2.0.0" || r.Order != models.SubscribersFirst || r.Channel != "stable" ||
		r.Requirements.DiskBytes != 7 || r.Requirements.Packages[0] != "openssl" {
		t.Errorf("the release is %+v", r)
	}
	f, err := d.Open(r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if kept, err := io.ReadAll(f); err != nil || !bytes.Equal(kept, raw) {
		t.Errorf("%d bytes were kept, %v", len(kept), err)
	}
	_, err = d.Publish(t.Context(), engineer(), depot.NewRelease{Kind: models.Emergency},
		bytes.NewReader(raw))
	refused(t, err, "version_taken")
}

func TestWhatIsRefusedLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	d, dir := open(t)
	good := bundle(t, func(*manifest.Manifest) {})
	for name, try := range map[string]struct {
		body io.Reader
		n    depot.NewRelease
		code models.Code
	}{
		"no archive":   {strings.NewReader("hello"), depot.NewRelease{Kind: models.Regular}, "invalid_bundle"},
		"no manifest":  {bytes.NewReader(packed(t, "x", nil)), depot.NewRelease{Kind: models.Regular}, "invalid_bundle"},
		"bad manifest": {bytes.NewReader(packed(t, manifest.ManifestName, []byte("{}"))), depot.NewRelease{Kind: models.Regular}, "invalid_bundle"},
		"no kind":      {bytes.NewReader(good), depot.NewRelease{}, "invalid_kind"},
		"bad channel":  {bytes.NewReader(good), depot.NewRelease{Kind: models.Regular, Channel: "A b"}, "invalid_channel"},
	} {
		_, err := d.Publish(t.Context(), engineer(), try.n, try.body)
		t.Log(name)
		refused(t, err, try.code)
	}
	broken := io.MultiReader(bytes.NewReader(good[:20]), failing{})
	_, err := d.Publish(t.Context(), engineer(), depot.NewRelease{Kind: models.Regular}, broken)
	if !errors.Is(err, errBroken) {
		t.Errorf("a broken line: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

func TestAReleaseGoesTheStatesThatAreAllowed(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	r, err := d.Publish(t.Context(), engineer(), depot.NewRelease{Kind: models.Regular, Draft: true},
		bytes.NewReader(bundle(t, func(*manifest.Manifest) {})))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		to   models.ReleaseState
		code models.Code
	}{
		{models.ReleasePaused, "invalid_release_state"}, {models.ReleasePublished, ""},
		{models.ReleaseDraft, "invalid_release_state"}, {models.ReleasePaused, ""},
		{models.ReleasePaused, ""}, {models.ReleasePublished, ""}, {models.ReleaseRecalled, ""},
		{models.ReleasePublished, "invalid_release_state"}, {"odd", "invalid_release_state"},
	} {
		got, err := d.SetState(t.Context(), engineer(), r.ID, step.to)
		if step.code != "" {
			refused(t, err, step.code)
			continue
		}
		if err != nil || got.State != step.to {
			t.Errorf("to %s: %s, %v", step.to, got.State, err)
		}
	}
	_, err = d.SetState(t.Context(), engineer(), "none", models.ReleasePublished)
	refused(t, err, "not_found")
}

func TestR29OnlyReleaseEngineersSeeReleases(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	admin := models.Actor{Kind: models.ActorUser, Role: models.FullAdmin}
	_, err := d.Releases(t.Context(), admin)
	refused(t, err, "forbidden")
	_, err = d.SetState(t.Context(), admin, "x", models.ReleaseRecalled)
	refused(t, err, "forbidden")
}

func TestADigestIsNoPath(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	for _, digest := range []string{"", "../hub.db", strings.Repeat("A", 64), strings.Repeat("0", 64)} {
		_, err := d.Open(digest)
		refused(t, err, "not_found")
	}
}

func refused(t *testing.T, err error, code models.Code) {
	t.Helper()
	refusal := &models.Refusal{Code: code}
	if err == nil || !refusal.Is(err) {
		t.Errorf("refused with %v, not %s", err, code)
	}
}
