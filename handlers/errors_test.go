package handlers_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"connecthub/models"
)

var update = flag.Bool("update", false, "write docs/errors.md anew")

const errorsPage = "../docs/errors.md"

const errorsHead = `# Refusals

Every refusal of the hub is a problem document (RFC 9457, ` + "`application/problem+json`" + `):

` + "```json" + `
{"type": "/api/docs#error-invalid_fqdn", "title": "Not accepted", "status": 400, "code": "invalid_fqdn",
 "detail": "This is not a fully qualified domain name. …", "field": "fqdn",
 "tracking_id": "019aa0c4-…"}
` + "```" + `

` + "`code`" + ` is stable: programs decide by it. ` + "`detail`" + ` is for people, in English or Japanese as
` + "`Accept-Language`" + ` asks. ` + "`tracking_id`" + ` is also in the hub's log and in the header
` + "`Tracking-ID`" + `. ` + "`field`" + `, ` + "`retry_after`" + ` (seconds) and ` + "`statement`" + ` (signed, for a node that has been
deregistered) are there where they say something. What does not exist and what belongs to another
organization are the same answer.

| kind | status |
|---|---|
| the input is wrong | 400 (415 for the media type, 405 for the method) |
| nobody is signed in, or the credential is void | 401 |
| signed in, but not this | 403 |
| not there, or not yours | 404 |
| the state does not allow it now | 409 |
| was valid once | 410 |
| too large | 413 |
| too many | 429 |
| the hub's own failure | 500 |
| not now | 503 |

This table is written from ` + "`models/refusals.go`" + ` by ` + "`go test ./handlers -run Errors -update`" + `; ` + "`{subject}`" + ` is what
the refusal is about.

| code | English | 日本語 |
|---|---|---|
`

func errorsText() string {
	codes := models.Codes()
	slices.Sort(codes)
	var page strings.Builder
	page.WriteString(errorsHead)
	for _, code := range codes {
		r := &models.Refusal{Code: code, Subject: "{subject}"}
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", code, r.Sentence("en"), r.Sentence("ja"))
	}
	return page.String()
}

func TestErrorsPageHoldsEveryCode(t *testing.T) {
	t.Parallel()
	want := errorsText()
	if *update {
		if err := os.WriteFile(errorsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(errorsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/errors.md is stale: go test ./handlers -run Errors -update")
	}
}

func TestR31ErrorsOfTheSourceAreTheErrorsOfThePage(t *testing.T) {
	t.Parallel()
	known, words := map[string]bool{}, usage{codes: map[string]string{}, all: map[string]bool{}}
	for _, code := range models.Codes() {
		known[string(code)] = true
	}
	for _, dir := range []string{"hub", "handlers", "models", "scheduler", "server", "nodeclient"} {
		words.readDir(t, filepath.Join("..", dir))
	}
	for code, where := range words.codes {
		if !known[code] {
			t.Errorf("%s refuses with %q, which no page explains", where, code)
		}
	}
	for code := range known {
		if !words.all[code] {
			t.Errorf("nothing refuses with %q", code)
		}
	}
}

// usage is which codes the sources refuse with, and every word that could be one.
type usage struct {
	codes map[string]string // to where
	all   map[string]bool
}

func (u usage) readDir(t *testing.T, dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") ||
			strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".gen.go") {
			return err
		}
		return u.readFile(path)
	})
	if err != nil {
		t.Fatal(err)
	}
}

var codeWord = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

func (u usage) readFile(path string) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		return err
	}
	table := strings.HasSuffix(path, "models/refusals.go")
	// what the control node's commands refuse with stands in docs/control-errors.md
	commands := strings.Contains(path, "nodeclient/control/") || strings.Contains(path, "nodeclient/vos/")
	note := func(e ast.Expr) {
		if word, ok := literal(e); ok {
			u.codes[word] = fset.Position(e.Pos()).String()
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if makesRefusal(n.Fun) && len(n.Args) > 0 {
				note(n.Args[0])
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" && !commands {
				note(n.Value)
			}
		case *ast.BasicLit:
			if word, ok := literal(n); ok && !table {
				u.all[word] = true
			}
		case *ast.Ident:
			if n.Name == "CodeInternal" && !table {
				u.all[string(models.CodeInternal)] = true
			}
		}
		return true
	})
	return nil
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	word, err := strconv.Unquote(lit.Value)
	return word, err == nil && codeWord.MatchString(word)
}

func makesRefusal(fun ast.Expr) bool {
	name := ""
	switch fun := fun.(type) {
	case *ast.SelectorExpr:
		if pkg, ok := fun.X.(*ast.Ident); !ok || pkg.Name != "models" {
			return false
		}
		name = fun.Sel.Name
	case *ast.Ident:
		name = fun.Name
	}
	return name == "Invalid" || name == "Conflict" || name == "Unauthorized"
}
