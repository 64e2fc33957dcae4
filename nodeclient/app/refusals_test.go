package app_test

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
	"unicode"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/authkeys"
	"connecthub/nodeclient/control/conntest"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/vos/onboard"
)

var update = flag.Bool("update", false, "write docs/control-errors.md")

const refusalsPage = "../../docs/control-errors.md"

const refusalsHead = `# Errors of the control node

Why a command of the control node or of a VOS machine is not done, in the session's language (` + "`--language`" + `, or the
environment's). Each is said on standard error, with exit code 1. Where two commands refuse for one reason with other words, both stand here. A name in braces,
or … , is what the refusal is about. Written from the sources by ` + "`go test ./nodeclient/app -run Refusal -update`" + `.
`

// spoken is a refusal with its sentences.
type spoken struct{ code, en, ja string }

func TestR31EveryRefusalOfACommandStandsOnThePageInBothLanguages(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	page.WriteString(refusalsHead)
	for _, part := range []struct {
		title string
		all   []spoken
	}{
		{"Commands", commandRefusals(t)},
		{"Compatibility, paths and requirements", table(compat.Codes(), func(c compat.Code, l string) string {
			return compat.Refusal{Code: c, Machine: "{machine}", Product: "{product}", Has: "{has}", Needs: "{needs}",
				Instead: "{to}"}.Sentence(l)
		})},
		{"Connection test", table(conntest.Codes(), func(c conntest.Code, l string) string {
			return conntest.Hint{Code: c, Subject: "{subject}", File: "{file}"}.Sentence(l)
		})},
		{"Lines of authorized_keys", table(authkeys.Rules(), func(r authkeys.Rule, l string) string {
			return authkeys.Problem{Rule: r, Subject: "{subject}"}.Sentence(l)
		})},
		{"Onboarding", table(onboard.Codes(), func(c onboard.Code, l string) string {
			return (&onboard.Refusal{Code: c, About: "{0}|{1}|{2}"}).Sentence(l)
		})},
		{"Procedures", table(target.Codes(), func(c, l string) string {
			return reasons(c).Sentence(l)
		})},
		{"VOS machines", table(vosapi.Codes(), func(c vosapi.Code, l string) string {
			return (&vosapi.Refusal{Code: c, Detail: "{detail}"}).Sentence(l)
		})},
	} {
		fmt.Fprintf(&page, "\n## %s\n\n| code | English | 日本語 |\n|---|---|---|\n", part.title)
		for _, r := range part.all {
			if len(r.en) < 8 || !strings.ContainsFunc(r.ja, japanese) {
				t.Errorf("%s has no sentence in both languages: %q %q", r.code, r.en, r.ja)
			}
			fmt.Fprintf(&page, "| `%s` | %s | %s |\n", r.code, r.en, r.ja)
		}
	}
	if *update {
		if err := os.WriteFile(refusalsPage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(refusalsPage); err != nil || string(got) != page.String() {
		t.Errorf("docs/control-errors.md is stale: go test ./nodeclient/app -run Refusal -update (%v)", err)
	}
}

// reasons is a reason whose parts are named; exit_ takes its number.
func reasons(code string) target.Reason {
	return target.Because(code, "{0}", "{1}", "{2}", "{3}")
}

func japanese(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) }

func table[C ~string](codes []C, sentence func(C, string) string) []spoken {
	all := make([]spoken, 0, len(codes))
	for _, c := range codes {
		all = append(all, spoken{string(c), sentence(c, "en"), sentence(c, "ja")})
	}
	return inOrder(all)
}

func inOrder(all []spoken) []spoken {
	clean := strings.NewReplacer("|", `\|`, "\n", " ")
	for i, r := range all {
		all[i] = spoken{r.code, clean.Replace(r.en), clean.Replace(r.ja)}
	}
	slices.SortFunc(all, func(a, b spoken) int { return strings.Compare(a.code+"\x00"+a.en, b.code+"\x00"+b.en) })
	return slices.Compact(all)
}

var verb = regexp.MustCompile(`%[-+#0-9.]*[a-z]`)

// commandRefusals reads every console.Refuse of the sources.
func commandRefusals(t *testing.T) []spoken {
	t.Helper()
	var all []spoken
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !refuses(call.Fun) || len(call.Args) < 3 {
				return true
			}
			var parts [3]string
			for i := range parts {
				if parts[i], ok = constant(call.Args[i]); !ok {
					t.Errorf("%s: a refusal's code and sentences are constants", fset.Position(call.Args[i].Pos()))
					return true
				}
			}
			all = append(all, spoken{parts[0], verb.ReplaceAllString(parts[1], "…"), verb.ReplaceAllString(parts[2], "…")})
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return inOrder(all)
}

// refuses says whether a function is console.Refuse, from within or without its package.
func refuses(fun ast.Expr) bool {
	switch fun := fun.(type) {
	case *ast.SelectorExpr:
		pkg, ok := fun.X.(*ast.Ident)
		return ok && (pkg.Name == "console" || pkg.Name == "words") && fun.Sel.Name == "Refuse"
	case *ast.Ident:
		return fun.Name == "Refuse"
	}
	return false
}

// constant puts literals together that stand on several lines.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, ok := constant(e.X)
		right, also := constant(e.Y)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}
