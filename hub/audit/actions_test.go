package audit_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"connecthub/hub/audit"
)

// wordsInTheCode finds the action of every audit record that the use cases make: what is given to a
// field Action, to a parameter action, or to a constant of type Action.
func wordsInTheCode(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	fset := token.NewFileSet()
	packages := make(map[string][]*ast.File)
	read := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") ||
			strings.HasSuffix(path, "_test.go") || filepath.Base(filepath.Dir(path)) == "audit" {
			return err
		}
		file, err := parser.ParseFile(fset, path, nil, 0)
		packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], file)
		return err
	}
	const nouns = "../../models" // their methods make changes for every use case
	if err := errors.Join(filepath.WalkDir("..", read), filepath.WalkDir(nouns, read)); err != nil {
		t.Fatal(err)
	}
	ofNouns := takers(packages[nouns])
	for _, files := range packages {
		takes := takers(files)
		for name, place := range ofNouns {
			if _, own := takes[name]; !own {
				takes[name] = place
			}
		}
		for _, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				for _, e := range actionsIn(n, takes) {
					lit, ok := e.(*ast.BasicLit)
					if !ok || lit.Kind != token.STRING {
						continue
					}
					word, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Error(err)
					}
					found[word] = fset.Position(lit.Pos()).String()
				}
				return true
			})
		}
	}
	return found
}

// takers are the functions that have a parameter action, and its place.
func takers(files []*ast.File) map[string]int {
	takes := make(map[string]int)
	for _, file := range files {
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			place := 0
			for _, field := range fn.Type.Params.List {
				for _, name := range field.Names {
					if name.Name == "action" {
						takes[fn.Name.Name] = place
					}
					place++
				}
			}
		}
	}
	return takes
}

func actionsIn(n ast.Node, takes map[string]int) (values []ast.Expr) {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Action" {
			values = append(values, n.Value)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			field, isField := left.(*ast.SelectorExpr)
			name, isName := left.(*ast.Ident)
			if (isField && field.Sel.Name == "Action" || isName && name.Name == "action") &&
				i < len(n.Rhs) {
				values = append(values, n.Rhs[i])
			}
		}
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if place, ok := takes[name]; ok && place < len(n.Args) {
			values = append(values, n.Args[place])
		}
	case *ast.ValueSpec:
		kind, typed := n.Type.(*ast.Ident)
		if typed && kind.Name == "Action" || strings.HasPrefix(n.Names[0].Name, "action") {
			values = append(values, n.Values...)
		}
	}
	return values
}

func TestR30EveryActionHasItsWordsInBothLanguages(t *testing.T) {
	t.Parallel()
	used, known := wordsInTheCode(t), audit.Actions()
	if len(used) < 40 {
		t.Fatalf("only %d actions were found in the code", len(used))
	}
	for word, where := range used {
		if _, ok := known[word]; !ok {
			t.Errorf("%s: action %q is not in the table of hub/audit/actions.go", where, word)
		}
	}
	form := regexp.MustCompile(`^[A-Z][A-Za-z-]*( [A-Za-z-]+)+$`)
	said := make(map[string]string)
	for word := range known {
		if _, ok := used[word]; !ok {
			t.Errorf("action %q is in the table and nowhere in the code", word)
		}
		en, ja := audit.Text(word, "en"), audit.Text(word, "ja")
		if !form.MatchString(en) || ja == "" || ja == en || strings.HasSuffix(ja, "。") {
			t.Errorf("%s: %q, %q", word, en, ja)
		}
		for _, text := range []string{en, ja} {
			if other, ok := said[text]; ok {
				t.Errorf("%s and %s are both %q", word, other, text)
			}
			said[text] = word
		}
	}
	for _, c := range audit.Categories() {
		if c.Name("en") == string(c) || c.Name("ja") == c.Name("en") {
			t.Errorf("category %s has no name", c)
		}
	}
}
