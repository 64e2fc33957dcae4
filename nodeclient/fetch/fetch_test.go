package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/nodeclient/fetch"
)

// depot serves body with Range and ETag and can cut the connection after some bytes.
type depot struct {
	body   []byte
	etag   string
	cut    atomic.Int64 // 0 = whole
	served atomic.Int64
	hang   atomic.Bool
}

func (d *depot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", d.etag)
	if d.hang.Load() {
		w.Header().Set("Content-Length", strconv.Itoa(len(d.body)))
		_, _ = w.Write(d.body[:1000])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	}
	lw := &limited{ResponseWriter: w, d: d, left: d.cut.Load()}
	http.ServeContent(lw, r, "", time.Time{}, bytes.NewReader(d.body))
}

type limited struct {
	http.ResponseWriter
	d    *depot
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.d.cut.Load() > 0 {
		if l.left <= 0 {
			panic(http.ErrAbortHandler)
		}
		p = p[:min(int64(len(p)), l.left)]
		l.left -= int64(len(p))
	}
	n, err := l.ResponseWriter.Write(p)
	l.d.served.Add(int64(n))
	_ = http.NewResponseController(l.ResponseWriter).Flush()
	return n, err
}

type bundle struct {
	*depot
	src  fetch.Source
	want fetch.Want
	dst  string
}

func newDepot(t *testing.T, size int) *bundle {
	t.Helper()
	body := make([]byte, size)
	gen := rand.NewChaCha8([32]byte{1})
	_, _ = gen.Read(body)
	d := &depot{body: body, etag: `"one"`}
	srv := httptest.NewServer(d)
	t.Cleanup(srv.Close)
	return &bundle{depot: d, want: wanted(body), dst: filepath.Join(t.TempDir(), "bundle"),
		src: func(ctx context.Context, header http.Header) (*http.Response, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
			if err != nil {
				return nil, err
			}
			req.Header = header
			return srv.Client().Do(req)
		}}
}

func wanted(body []byte) fetch.Want {
	sum := sha256.Sum256(body)
	return fetch.Want{Digest: hex.EncodeToString(sum[:]), Size: int64(len(body))}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func TestAnInterruptedTransferGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	b := newDepot(t, 3<<20)
	b.cut.Store(1 << 20)
	tries := 0
	for {
		tries++
		err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{})
		if err == nil {
			break
		}
		if !errors.Is(err, fetch.ErrInterrupted) || exists(b.dst) || !exists(fetch.Part(b.dst)) {
			t.Fatalf("try %d: %v", tries, err)
		}
		if tries > 10 {
			t.Fatal("it never ends")
		}
	}
	got, err := os.ReadFile(b.dst)
	if err != nil || !bytes.Equal(got, b.body) {
		t.Fatalf("file differs: %v", err)
	}
	if served := b.served.Load(); served > int64(len(b.body))+1<<20 {
		t.Fatalf("%d bytes were served for a file of %d: nothing was resumed", served, len(b.body))
	}
	if exists(fetch.Part(b.dst)) || exists(fetch.Part(b.dst)+".etag") {
		t.Fatal("something was left behind")
	}
}

func TestAChangedFileIsFetchedAnewInsteadOfMixed(t *testing.T) {
	t.Parallel()
	b := newDepot(t, 2<<20)
	b.cut.Store(1 << 20)
	if err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{}); err == nil {
		t.Fatal("the cut was not noticed")
	}
	b.cut.Store(0)
	b.etag = `"two"`
	b.body = bytes.Repeat([]byte("new"), 500_000)
	b.want = wanted(b.body)
	if err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(b.dst); !bytes.Equal(got, b.body) {
		t.Fatal("file differs")
	}
}

func TestR25AWrongDigestLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newDepot(t, 1<<20)
	b.want.Digest = strings.Repeat("0", 64)
	err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{})
	if !errors.Is(err, fetch.ErrDigest) || exists(b.dst) || exists(fetch.Part(b.dst)) {
		t.Fatalf("got %v", err)
	}
}

// A power loss may leave a partial file of the right length with other bytes in it.
func TestADamagedPartialFileIsFetchedAnewInsteadOfRefused(t *testing.T) {
	t.Parallel()
	for _, kept := range []int64{1 << 20, 2 << 20} {
		b := newDepot(t, 2<<20)
		b.cut.Store(1 << 20)
		if err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{}); err == nil {
			t.Fatal("the cut was not noticed")
		}
		b.cut.Store(0)
		if err := os.WriteFile(fetch.Part(b.dst), make([]byte, kept), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{}); err != nil {
			t.Fatalf("%d bytes of zeros were kept: %v", kept, err)
		}
		if got, _ := os.ReadFile(b.dst); !bytes.Equal(got, b.body) {
			t.Fatal("file differs")
		}
	}
}

func TestMoreOrFewerBytesThanPermittedAreRefused(t *testing.T) {
	t.Parallel()
	b := newDepot(t, 1<<20)
	b.want.Size -= 5
	if err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{}); !errors.Is(err, fetch.ErrSize) {
		t.Fatalf("too long: %v", err)
	}
	b.want.Size += 10
	err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{})
	if !errors.Is(err, fetch.ErrInterrupted) || exists(b.dst) {
		t.Fatalf("too short: %v", err)
	}
}

func TestAFullDiskIsRefusedBeforeTheTransfer(t *testing.T) {
	t.Parallel()
	b := newDepot(t, 1<<20)
	err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{Reserve: 1 << 20,
		Free: func(string) (int64, error) { return 2<<20 - 1, nil }})
	if !errors.Is(err, fetch.ErrNoSpace) || b.served.Load() != 0 {
		t.Fatalf("got %v after %d bytes", err, b.served.Load())
	}
}

func TestAStalledTransferEndsAndKeepsItsBytes(t *testing.T) {
	t.Parallel()
	b := newDepot(t, 1<<20)
	b.hang.Store(true)
	err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{Stall: 100 * time.Millisecond})
	if !errors.Is(err, fetch.ErrStalled) || !exists(fetch.Part(b.dst)) {
		t.Fatalf("got %v", err)
	}
	b.hang.Store(false)
	if err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{}); err != nil {
		t.Fatal(err)
	}
}

func TestACancelledTransferTellsItsCause(t *testing.T) {
	t.Parallel()
	b := newDepot(t, 1<<20)
	b.hang.Store(true)
	ctx, cancel := context.WithCancelCause(t.Context())
	withdrawn := errors.New("withdrawn")
	err := fetch.To(ctx, b.src, b.dst, b.want, fetch.Options{
		Progress: func(int64, int64) { cancel(withdrawn) }})
	if !errors.Is(err, withdrawn) || !errors.Is(err, fetch.ErrInterrupted) {
		t.Fatalf("got %v", err)
	}
}

func TestARefusalKeepsItsStatusAndRetryAfter(t *testing.T) {
	t.Parallel()
	src := func(context.Context, http.Header) (*http.Response, error) {
		return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"7"}},
			Body: http.NoBody}, nil
	}
	err := fetch.To(t.Context(), src, filepath.Join(t.TempDir(), "b"), wanted([]byte("x")), fetch.Options{})
	var status *fetch.StatusError
	if !errors.As(err, &status) || status.Code != 503 || status.RetryAfter != 7*time.Second {
		t.Fatalf("got %v", err)
	}
}

func TestTheRateIsCapped(t *testing.T) {
	t.Parallel()
	b := newDepot(t, 300<<10)
	begin := time.Now()
	if err := fetch.To(t.Context(), b.src, b.dst, b.want, fetch.Options{BytesPerSecond: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 250*time.Millisecond {
		t.Fatalf("300 KiB at 1 MiB/s took only %s", took)
	}
}

func TestADiskThatFillsMeanwhileEndsTheTransfer(t *testing.T) {
	t.Parallel()
	const size = 80 << 20
	want := wanted(make([]byte, size))
	src := func(context.Context, http.Header) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{},
			Body: io.NopCloser(bytes.NewReader(make([]byte, size)))}, nil
	}
	dst := filepath.Join(t.TempDir(), "file")
	asked := 0
	err := fetch.To(t.Context(), src, dst, want, fetch.Options{Reserve: 1 << 20, Free: func(string) (int64, error) {
		if asked++; asked == 1 {
			return 1 << 30, nil
		}
		return 2 << 20, nil // others write
	}})
	if !errors.Is(err, fetch.ErrNoSpace) || asked != 2 || exists(dst) || exists(fetch.Part(dst)) {
		t.Errorf("asked %d times: %v", asked, err)
	}
}
