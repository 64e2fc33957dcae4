package enroll_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/enroll"
)

// live polls every 30 s for a while.
func (h *realHub) live(poll func() error, d time.Duration) error {
	for range int(d / (30 * time.Second)) {
		if err := poll(); err != nil {
			return err
		}
		h.clock.Advance(30 * time.Second)
	}
	return nil
}

func TestANodeGetsANewKeyWhenItsKeyIsOld(t *testing.T) {
	t.Parallel()
	h := newRealHub(t, 1)
	dir := h.node("cc-pub.example.com")
	e := h.open(dir, 0, rotation)
	before := h.stored(dir).KeyThumb
	old, err := os.ReadFile(filepath.Join(dir, "node.key"))
	h.must(err)
	h.must(h.live(func() error { return h.poll(e, 1) }, rotation+15*time.Minute))
	after := h.stored(dir)
	fresh, err := os.ReadFile(filepath.Join(dir, "node.key"))
	h.must(err)
	if after.KeyThumb == before || string(fresh) == string(old) {
		t.Error("the key is the old one")
	}
	if _, err := os.Stat(filepath.Join(dir, "node.key.next")); !os.IsNotExist(err) {
		t.Errorf("the next key lies about: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "node.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode: %v %v", info, err)
	}
	if h.audited(dir, "key_rotated") == 0 {
		t.Error("nobody can read of it")
	}
}

// TestAnInterruptedRotationIsFinished cuts a rotation at each place where it can be cut: before the
// hub hears of it, before its answer arrives, and when it arrives twice or much too late; the agent
// goes on, or is started again.
func TestAnInterruptedRotationIsFinished(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fate{"the request is lost": lostRequest,
		"the answer is lost": lostAnswer, "it comes twice": comesTwice,
		"it comes twice, the second is answered": comesTwiceLastAnswered, "it comes late": comesLate} {
		for _, restart := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := newRealHub(t, 1)
				dir := h.node("cc-pub.example.com")
				e := h.open(dir, 0, rotation)
				h.must(h.live(func() error { return h.poll(e, 1) }, rotation))
				h.net.fated(wire.PathKeys, f)
				for range 60 {
					_ = h.poll(e, 1)
					h.clock.Advance(30 * time.Second)
					if restart {
						e = h.open(dir, 0, rotation)
					}
				}
				h.net.mend()
				h.must(h.poll(e, 1))
				h.must(h.live(func() error { return h.poll(e, 1) }, 2*rotation))
				n := h.stored(dir)
				if n.Member != models.MemberActive || h.audited(dir, "key_rotated") < 2 {
					t.Errorf("the node is %s after %d rotations", n.Member, h.audited(dir, "key_rotated"))
				}
			})
		}
	}
}

// TestAMovedFolderIsNoCopy goes on elsewhere with what the old machine has left behind.
func TestAMovedFolderIsNoCopy(t *testing.T) {
	t.Parallel()
	h := newRealHub(t, 1)
	dir := h.node("cc-pub.example.com")
	old := h.open(dir, 0, rotation)
	h.must(h.live(func() error { return h.poll(old, 1) }, 20*time.Minute))
	moved := h.open(h.copyOf(dir), 0, rotation)
	h.must(h.live(func() error { return h.poll(moved, 1) }, 3*rotation))
	if n := h.stored(dir); n.Member != models.MemberActive {
		t.Errorf("the node is %s", n.Member)
	}
}

func TestAKeyThatOthersMayReadIsNotUsed(t *testing.T) {
	t.Parallel()
	h := newRealHub(t, 1)
	dir := h.node("cc-pub.example.com")
	h.must(h.poll(h.open(dir, 0, rotation), 1))
	for path, mode := range map[string]os.FileMode{dir: 0o755, filepath.Join(dir, "node.key"): 0o640} {
		info, err := os.Stat(path)
		h.must(err)
		h.must(os.Chmod(path, mode))
		if err := h.poll(h.open(dir, 0, rotation), 1); err == nil ||
			!strings.Contains(err.Error(), "may be read by others") {
			t.Errorf("%s with mode %o: %v", path, mode, err)
		}
		h.must(os.Chmod(path, info.Mode().Perm()))
	}
	h.must(h.poll(h.open(dir, 0, rotation), 1))
}

// TestR6ADeregisteredNodeForgetsItsCredential is told by the hub itself, with a key that it has
// rotated since it was registered.
func TestR6ADeregisteredNodeForgetsItsCredential(t *testing.T) {
	t.Parallel()
	h := newRealHub(t, 1)
	dir := h.node("cc-pub.example.com")
	e := h.open(dir, 0, rotation)
	h.must(h.live(func() error { return h.poll(e, 1) }, rotation+15*time.Minute))
	stale := h.copyOf(dir)
	cluster := h.stored(dir).ClusterID
	h.must(h.fleets[0].Deregister(t.Context(), h.admin, cluster, "cc-pub.example.com"))
	if err := h.poll(e, 2); !errors.Is(err, enroll.ErrStatement) {
		t.Fatalf("the next request: %v", err)
	}
	h.must(e.Forget("deregistered"))
	for _, name := range []string{"node.key", "node.key.next", "identity.json", "credential.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if e.Said() != "deregistered" || e.Identity() != nil {
		t.Errorf("the node says %q", e.Said())
	}
	if err := h.poll(h.open(stale, 0, rotation), 3); !errors.Is(err, enroll.ErrStatement) {
		t.Errorf("a copy: %v", err)
	}
}
