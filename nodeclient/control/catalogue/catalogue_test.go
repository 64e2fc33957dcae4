package catalogue_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/catalogue"
)

func version(t *testing.T, text string) compat.Version {
	t.Helper()
	v, err := compat.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// put places a file as a download does, and answers its entry.
func put(t *testing.T, dir, path, text string, v compat.Version) catalogue.File {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	f := catalogue.File{Path: path, Product: "VVB", Version: v, Kind: catalogue.KindOf(path, v),
		Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), Notes: "Fixes",
		Published: time.Unix(1, 0).UTC(), Since: time.Unix(2, 0).UTC()}
	local := catalogue.Local(dir, f.SHA256, path)
	if err := os.MkdirAll(filepath.Dir(local), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(local, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestACatalogueSaysWhereEveryFileIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := catalogue.Read(dir)
	if err != nil || len(c.Files) != 0 || !errors.Is(c.Check(), catalogue.ErrNothing) {
		t.Fatalf("%v %v", c, err)
	}
	es := put(t, dir, "vvb/12.6/vvb-es4.cop.sgn", "patch", version(t, "12.6(1)ES4"))
	mr := put(t, dir, "cvp/CVP-12.6.2.exe", "upgrade", version(t, "12.6(2)"))
	want := catalogue.Catalogue{At: time.Unix(3, 0).UTC(), Repository: "r", Restricted: true,
		Files: []catalogue.File{es, mr}}
	if err := catalogue.Write(dir, want); err != nil {
		t.Fatal(err)
	}
	c, err = catalogue.Read(dir)
	if err != nil || c.Check() != nil || len(c.Files) != 2 || c.Files[0].Path != mr.Path || !c.Restricted {
		t.Fatalf("%v %v", c, err)
	}
	for _, f := range c.Files {
		text, err := os.ReadFile(f.Local)
		if err != nil || string(text) != string(f.Kind) || !filepath.IsAbs(f.Local) ||
			filepath.Base(f.Local) != f.Name() {
			t.Errorf("%v %q %v", f, text, err)
		}
	}
}

func TestAPatchIsToldFromAnUpgrade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, version string
		want          catalogue.Kind
	}{
		{"a/CVP12.6-ES4.exe", "12.6(1)ES4", catalogue.Patch},
		{"a/ucos.keymanagement.v02.cop.sgn", "12.6(1)", catalogue.Patch},
		{"a/Finesse-15.0.iso", "15.0(1)", catalogue.Upgrade},
		{"a/Finesse-SU2.iso", "15.0(1)SU2", catalogue.Upgrade},
		{"a/Finesse-SU2-ES1.iso", "15.0(1)SU2ES1", catalogue.Patch},
	} {
		if got := catalogue.KindOf(c.path, version(t, c.version)); got != c.want {
			t.Errorf("%s %s is %s", c.path, c.version, got)
		}
	}
}

func TestACatalogueListsOnlyWhatIsThereAndInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := put(t, dir, "a/b.exe", "x", version(t, "12.6(1)"))
	for what, change := range map[string]func(*catalogue.File){
		"absent":        func(f *catalogue.File) { f.Path = "a/c.exe" },
		"another size":  func(f *catalogue.File) { f.Size++ },
		"a way out":     func(f *catalogue.File) { f.Path = "../b.exe" },
		"hidden":        func(f *catalogue.File) { f.Path = "a/.b.exe" },
		"no digest":     func(f *catalogue.File) { f.SHA256 = "../../x" },
		"upper case":    func(f *catalogue.File) { f.SHA256 = strings.ToUpper(f.SHA256) },
		"no product":    func(f *catalogue.File) { f.Product = "" },
		"no version":    func(f *catalogue.File) { f.Version = compat.Version{} },
		"another kind":  func(f *catalogue.File) { f.Kind = catalogue.Patch },
		"a long notice": func(f *catalogue.File) { f.Notes = strings.Repeat("x", 1<<17) },
	} {
		bad := good
		change(&bad)
		if err := catalogue.Write(dir, catalogue.Catalogue{At: time.Unix(3, 0), Files: []catalogue.File{bad}}); err == nil {
			t.Errorf("%s was listed", what)
		}
	}
	if err := catalogue.Write(dir, catalogue.Catalogue{Files: []catalogue.File{good, good}}); err == nil {
		t.Error("one path twice was listed")
	}
	if err := catalogue.Write(dir, catalogue.Catalogue{Files: slices.Repeat([]catalogue.File{good}, catalogue.MaxFiles+1)}); err == nil {
		t.Error("too many were listed")
	}
}

func TestACatalogueThatWasTamperedWithIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", `{"files":[{"path":"../x"}]}`, `{"more":1}`,
		`{"files":[{"path":"a","product":"VVB","version":"none","kind":"upgrade","sha256":""}]}`} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "control"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "control", "catalogue.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := catalogue.Read(dir); err == nil || len(c.Files) != 0 {
			t.Errorf("%q was read", text)
		}
	}
}
