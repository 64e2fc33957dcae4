package machines_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/machines"
)

const crashDir = "CONNECTHUB_TEST_IMPORT_DIR"

// TestMain is also the process that imports without end until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		s := machines.Open(dir, time.Now)
		for {
			now, err := s.Current()
			if err == nil {
				_, err = s.Import(numbered(now.Number+1), now.Number, "crash", "test")
			}
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			fmt.Println(now.Number + 1)
		}
	}
	os.Exit(m.Run())
}

// numbered is a large inventory that tells its version.
func numbered(n int) []byte {
	text := inventory.Format(inventory.Empty())
	return append(text, []byte(fmt.Sprintf("# %d %s\n", n, strings.Repeat("x", 60<<10)))...)
}

func at(s string) func() time.Time {
	t, err := time.Parse(time.RFC3339, s)
	return func() time.Time {
		if err != nil {
			panic(err)
		}
		return t
	}
}

func TestANewNodeHasTheDefaultDeploymentType(t *testing.T) {
	t.Parallel()
	v, err := machines.Open(t.TempDir(), time.Now).Current()
	if err != nil || v.Number != 0 || !bytes.Contains(v.Text, []byte(`deploymentType: "UCCE-2000-Agents"`)) {
		t.Errorf("%+v %v", v, err)
	}
	if _, found := inventory.Parse(v.Text); len(found) > 0 {
		t.Errorf("its own export cannot be imported: %v", found)
	}
}

func TestTheLastTenVersionsAreKeptByteForByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := machines.Open(dir, at("2026-03-01T12:00:00+09:00"))
	var texts [][]byte
	for n := range 13 {
		text := []byte(fmt.Sprintf("# 版 %d <&>\n%s\n\n", n, inventory.Format(inventory.Empty())))
		texts = append(texts, text)
		v, err := s.Import(text, n, "admin", "sftp://h/inventory.conf")
		if err != nil || v.Number != n+1 {
			t.Fatalf("%d: %+v %v", n, v, err)
		}
	}
	all, err := machines.Open(dir, time.Now).Versions()
	if err != nil || len(all) != machines.Kept {
		t.Fatalf("%d %v", len(all), err)
	}
	for i, v := range all {
		if v.Number != 13-i || !bytes.Equal(v.Text, texts[12-i]) || v.By != "admin" ||
			v.From != "sftp://h/inventory.conf" || v.Time.Format(time.RFC3339) != "2026-03-01T03:00:00Z" {
			t.Errorf("%d: %+v", i, v)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "inventory.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func TestABrokenInventoryChangesNothing(t *testing.T) {
	t.Parallel()
	s := machines.Open(t.TempDir(), time.Now)
	good := inventory.Format(inventory.Empty())
	if _, err := s.Import(good, 0, "admin", "x"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "a: b\n", strings.ReplaceAll(string(good), "\n", "\r\n"),
		strings.Replace(string(good), "PG: {}", "PG:", 1), strings.Repeat("#", inventory.MaxBytes+1)} {
		_, err := s.Import([]byte(bad), 1, "admin", "x")
		var found inventory.Problems
		if !errors.As(err, &found) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	if v, err := s.Current(); err != nil || v.Number != 1 || !bytes.Equal(v.Text, good) {
		t.Errorf("%+v %v", v, err)
	}
}

func TestAnImportOverSomebodyElsesIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, good := machines.Open(dir, time.Now), inventory.Format(inventory.Empty())
	if _, err := s.Import(good, 0, "first", "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := machines.Open(dir, time.Now).Import(good, 0, "second", "x"); !errors.Is(err, machines.ErrChanged) {
		t.Errorf("%v", err)
	}
	if v, err := s.Current(); err != nil || v.By != "first" {
		t.Errorf("%+v %v", v, err)
	}
}

func TestADamagedFileIsNeverTakenForANewNode(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{", `{"versions":[{"number":2},{"number":1}]}`, `{"other":1}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "inventory.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := machines.Open(dir, time.Now)
		if v, err := s.Current(); err == nil {
			t.Errorf("%s: %+v", text, v)
		}
		if _, err := s.Import(inventory.Format(inventory.Empty()), 0, "a", "b"); err == nil {
			t.Errorf("%s was replaced", text)
		}
	}
}

// A process that imports without end is killed anywhere: what it reported stays, whole.
func TestAKilledImportLeavesAWholeInventory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 10 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var reported int
		for range 3 {
			if _, err := fmt.Fscanln(out, &reported); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Process.Kill()
		for {
			var later int
			if n, _ := fmt.Fscanln(out, &later); n == 0 {
				break
			}
			reported = later
		}
		_ = cmd.Wait()
		v, err := machines.Open(dir, time.Now).Current()
		if err != nil || v.Number < reported || v.Number > reported+1 ||
			!bytes.Equal(v.Text, numbered(v.Number)) {
			t.Fatalf("reported %d, found %d: %v", reported, v.Number, err)
		}
	}
}

// Between write and rename the new file lies beside the old one, which still counts.
func TestAHalfWrittenImportIsNotSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, good := machines.Open(dir, time.Now), inventory.Format(inventory.Empty())
	if _, err := s.Import(good, 0, "first", "x"); err != nil {
		t.Fatal(err)
	}
	fresh, err := json.Marshal(map[string]any{"versions": []machines.Version{{Number: 2, Text: numbered(2)}}})
	if err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(dir, ".inventory.json-1.part")
	for _, text := range [][]byte{fresh, fresh[:len(fresh)/2], nil} {
		if err := os.WriteFile(part, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Current(); err != nil || v.Number != 1 || !bytes.Equal(v.Text, good) {
			t.Errorf("%+v %v", v, err)
		}
	}
}

func TestTheDiffTellsWhatComesAndGoes(t *testing.T) {
	t.Parallel()
	before := "1\n2\n3\n4\n5\n6\n7\n8\n9\n"
	after := "1\n2\n3\nfour\n5\n6\n7\n8\n9\n10"
	want := "@@ line 2 @@\n 2\n 3\n-4\n+four\n 5\n 6\n@@ line 8 @@\n 8\n 9\n+10 (no line end)\n"
	if got := machines.Diff([]byte(before), []byte(after)); got != want {
		t.Errorf("%s", got)
	}
	if got := machines.Diff([]byte(before), []byte(before)); got != "" {
		t.Errorf("%s", got)
	}
	long := bytes.Repeat([]byte("a\n"), 2500)
	if got := machines.Diff(long, nil); strings.Count(got, "\n") != 2501 {
		t.Errorf("%d lines", strings.Count(got, "\n"))
	}
	if !slices.Contains(strings.Split(machines.Diff(nil, []byte("x\n")), "\n"), "+x") {
		t.Error("a first line is not shown")
	}
}
