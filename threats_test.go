package connecthub_test

import (
	"go/ast"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEachThreatHasATestThatExists holds docs/threats.md: every row of its tables names a test, a
// proof or a browser test, and each of them is in the tree.
func TestEachThreatHasATestThatExists(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/threats.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, proofs := make(map[string]bool), proofsOfTheTree(t)
	for _, f := range sources(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test && fn.Recv == nil {
				tests[fn.Name.Name] = true
			}
		}
	}
	name := regexp.MustCompile("`(Test[A-Za-z0-9]+)`|proof ([0-9.]+[0-9a-z-]*)|`(frontend/e2e/[^`]+)`")
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || strings.HasPrefix(strings.TrimSpace(cells[0]), "-") || strings.TrimSpace(cells[0]) == "#" {
			continue
		}
		rows++
		named := name.FindAllStringSubmatch(cells[4], -1)
		if len(named) == 0 {
			t.Errorf("%s has no test", cells[0])
		}
		for _, m := range named {
			_, err := os.Stat(m[3])
			if m[1] != "" && !tests[m[1]] || m[2] != "" && !proofs[m[2]] || m[3] != "" && err != nil {
				t.Errorf("%s names %s, which does not exist", cells[0], m[0])
			}
		}
	}
	if rows < 40 {
		t.Errorf("only %d threats were found on the page", rows)
	}
}

// proofsOfTheTree are the numbers of the figures that something prints.
func proofsOfTheTree(t *testing.T) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	number := regexp.MustCompile(`"proof ([0-9.]+[0-9a-z-]*) `)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range number.FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
