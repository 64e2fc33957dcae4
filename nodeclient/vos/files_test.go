package vos_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/vos/vostest"
)

// raw is a connection without the manners of a control node.
func (c *control) raw() *ssh.Client {
	c.t.Helper()
	client, err := ssh.Dial("tcp", c.target.Address(), &ssh.ClientConfig{User: c.target.User,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(c.signer)}, HostKeyCallback: ssh.FixedHostKey(c.target.HostKey.PublicKey())})
	if err != nil {
		c.t.Fatalf("%v\n%s", err, c.target.Log())
	}
	c.t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestAControlNodesKeyRunsNothingButTheConstants(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	c := newControl(t, x)
	client := c.raw()
	marker := filepath.Join(t.TempDir(), "was-here")
	for _, command := range []string{"touch " + marker, "sh -c 'touch " + marker + "'", vosapi.Command + "; touch " + marker,
		vosapi.Command + "\ntouch " + marker, "$(touch " + marker + ")", "", " " + vosapi.Command, "scp -t /tmp", "CONNECTHUB-VOS"} {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		s.Stdin = strings.NewReader(`{"protocol":1,"verb":"ping"}`)
		if out, err := s.Output(command); err == nil || len(out) > 0 {
			t.Errorf("%q: %v %s", command, err, out)
		}
		_ = s.Close()
	}
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 20, 80, ssh.TerminalModes{}); err == nil {
		t.Error("a terminal was given")
	}
	if _, err := client.Dial("tcp", "127.0.0.1:22"); err == nil {
		t.Error("a connection was forwarded")
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a command ran")
	}
	for _, refused := range []vosapi.Request{{Verb: vosapi.PutKeys, Keys: &[]vosapi.Key{}}} {
		c.refused(refused, vosapi.NotAllowed)
	}
	if err := os.Rename(filepath.Join(x.Dir, "vos.json"), filepath.Join(x.Dir, "gone")); err != nil {
		t.Fatal(err)
	}
	c.refused(vosapi.Request{Verb: vosapi.Ping}, vosapi.NotSetUp)
}

func announced(t *testing.T, size int) (text []byte, f *vosapi.File) {
	t.Helper()
	text = bytes.Repeat([]byte("0123456789abcdef"), size/16)
	sum := sha256.Sum256(text)
	return text, &vosapi.File{SHA256: vosapi.Digest(hex.EncodeToString(sum[:])), Size: int64(len(text))}
}

func TestAFileThatWasAnnouncedArrivesAndNothingElse(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	c := newControl(t, x)
	text, f := announced(t, 1<<20)
	files, err := sftp.NewClient(c.raw())
	if err != nil {
		t.Fatalf("%v\n%s", err, x.Log())
	}
	defer files.Close()
	part := "/" + string(f.SHA256) + ".part"
	if _, err := files.Create(part); err == nil {
		t.Error("what nobody announced can be written")
	}
	if p := c.ask(vosapi.Request{Verb: vosapi.PutFile, File: f}).Put; p.Path != "/"+string(f.SHA256) || p.Offset != 0 {
		t.Errorf("%+v", p)
	}
	for _, name := range []string{"/etc/passwd", "../../etc/passwd", "/" + string(f.SHA256), "/x", "/" + string(f.SHA256) + ".json",
		"/../vos.json", "/" + strings.ToUpper(string(f.SHA256)) + ".part"} {
		if w, err := files.OpenFile(name, os.O_WRONLY|os.O_CREATE); err == nil {
			t.Errorf("%s can be written", name)
			_ = w.Close()
		}
		if name == "/"+string(f.SHA256) {
			continue
		}
		if r, err := files.Open(name); err == nil {
			t.Errorf("%s can be read", name)
			_ = r.Close()
		}
		if files.Remove(name) == nil || files.Rename(name, "/y") == nil || files.Mkdir(name) == nil || files.Symlink("/etc", name) == nil {
			t.Errorf("%s can be changed", name)
		}
	}
	w, err := files.OpenFile(part, os.O_WRONLY|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text[:len(text)/2]); err != nil {
		t.Fatal(err)
	}
	if p := c.ask(vosapi.Request{Verb: vosapi.PutFile, File: f}).Put; p.Offset != int64(len(text)/2) {
		t.Errorf("%+v", p)
	}
	c.refused(vosapi.Request{Verb: vosapi.PutDone, File: f}, vosapi.Incomplete)
	if _, err := w.Write(append(text[len(text)/2:], 'x')); err == nil {
		t.Error("more than was announced can be written")
	}
	if err := w.Truncate(1 << 40); err == nil {
		t.Error("the file can be made longer than was announced")
	}
	if _, err := w.Seek(int64(len(text)/2), io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text[len(text)/2:]); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	for range 2 { // again changes nothing
		if p := c.ask(vosapi.Request{Verb: vosapi.PutDone, File: f}).Put; p.Path != "" {
			t.Errorf("%+v", p)
		}
	}
	if info, err := files.Stat("/" + string(f.SHA256)); err != nil || info.Size() != f.Size {
		t.Errorf("%v %v", info, err)
	}
}

func TestAFileThatIsSomethingElseIsRemoved(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	c := newControl(t, x)
	text, f := announced(t, 64<<10)
	c.ask(vosapi.Request{Verb: vosapi.PutFile, File: f})
	text[7] ^= 1
	name := filepath.Join(x.Dir, "incoming", string(f.SHA256))
	if err := os.WriteFile(name+".part", text, 0o600); err != nil {
		t.Fatal(err)
	}
	c.refused(vosapi.Request{Verb: vosapi.PutDone, File: f}, vosapi.WrongDigest)
	if _, err := os.Stat(name + ".part"); err == nil {
		t.Error("it is still there")
	}
	c.refused(vosapi.Request{Verb: vosapi.PutDone, File: f}, vosapi.NoFile)
	work := &vosapi.Work{Kind: vosapi.Install, SHA256: f.SHA256}
	c.refused(vosapi.Request{Verb: vosapi.Start, Operation: c.id(), Work: work}, vosapi.NoFile)
}

func TestTheDiskIsNeverFilled(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{KeepFree: "1000000GiB"})
	c := newControl(t, x)
	_, f := announced(t, 16)
	c.refused(vosapi.Request{Verb: vosapi.PutFile, File: f}, vosapi.NoSpace)
	if free := c.facts().DiskFree; free != 0 {
		t.Errorf("%d", free)
	}
	f.Size = vosapi.MaxFile + 1
	c.refused(vosapi.Request{Verb: vosapi.PutFile, File: f}, vosapi.TooLarge)
	// the room ends while the file arrives
	y := vostest.New(t, vostest.Options{})
	d := newControl(t, y)
	text, g := announced(t, 32<<10)
	d.ask(vosapi.Request{Verb: vosapi.PutFile, File: g})
	config := filepath.Join(y.Dir, "vos.json")
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	full := bytes.Replace(raw, []byte(`"keepFree": 0`), []byte(`"keepFree": 1000000000000000`), 1)
	if err := os.WriteFile(config, full, 0o600); err != nil {
		t.Fatal(err)
	}
	local := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(local, text, 0o600); err != nil {
		t.Fatal(err)
	}
	err = d.client.Copy(t.Context(), remote.Upload{Local: local, Remote: "/" + string(g.SHA256), SHA256: string(g.SHA256), Size: g.Size})
	if err == nil || fmt.Sprint(err) != remote.ErrDiskFull.Error() {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeInstalledIsRefusedBeforeAnythingIsDisturbed(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	c := newControl(t, x)
	c.install(vosapi.PatchInstall, vostest.Pack(t, "VVB", "12.6(1)ES4", false))
	bad := vostest.Pack(t, "VVB", "12.6(1)ES9", false)
	text, err := os.ReadFile(bad.Path)
	if err != nil {
		t.Fatal(err)
	}
	text = text[:len(text)/2]
	sum := sha256.Sum256(text)
	half := vostest.Bundle{Path: filepath.Join(t.TempDir(), "half"), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text))}
	if err := os.WriteFile(half.Path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		kind vosapi.Kind
		b    vostest.Bundle
		says vosapi.Code
	}{
		{vosapi.Install, vostest.Pack(t, "Finesse", "15.0(1)", false), vosapi.WrongProduct},
		{vosapi.Install, vostest.Pack(t, "VVB", "12.5(1)", false), vosapi.NotUpgrade},
		{vosapi.Install, vostest.Pack(t, "VVB", "12.6(1)ES8", false), vosapi.NotUpgrade},
		{vosapi.PatchInstall, vostest.Pack(t, "VVB", "12.6(1)ES3", false), vosapi.NotPatch},
		{vosapi.PatchInstall, vostest.Pack(t, "VVB", "12.6(2)ES9", false), vosapi.NotPatch},
		{vosapi.PatchInstall, vostest.Pack(t, "VVB", "12.6(2)", false), vosapi.NotPatch},
		{vosapi.PatchInstall, vostest.Pack(t, "VVB", "12.6(1)ES4", false), vosapi.Installed},
		{vosapi.PatchInstall, half, vosapi.BadBundle},
	} {
		c.put(one.b)
		o := c.ends(c.start(vosapi.Work{Kind: one.kind, SHA256: vosapi.Digest(one.b.SHA256)}))
		if o.State != vosapi.Failed || o.Code != one.says || o.Disturbing {
			t.Errorf("%s %s: %+v", one.kind, one.b.Version, o)
		}
	}
	next := vostest.Pack(t, "VVB", "15.0(1)", false)
	c.put(next)
	o := c.ends(c.start(vosapi.Work{Kind: vosapi.Install, SHA256: vosapi.Digest(next.SHA256), Version: version(t, "12.6(2)")}))
	if o.Code != vosapi.WrongVersion {
		t.Errorf("%+v", o)
	}
	if f := c.facts(); levels(f) != "12.6(1)ES4" || !f.Healthy || f.RestartNeeded {
		t.Errorf("%+v", f)
	}
	if left, err := os.ReadDir(filepath.Join(x.Dir, "incoming")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
