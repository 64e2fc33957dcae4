// Package connecthub_test holds the map of the repository as data and fails when the tree leaves
// it. It knows where things are and which arrows between packages are allowed, nothing of what
// they do.
package connecthub_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

const module = "connecthub"

// packageMap is the map: each package and what it may import of ours and of others. "std" stands
// for the standard library and is always allowed. A trailing "/…" allows a whole subtree. The two
// app packages are composition roots: they may import anything of their side.
var packageMap = map[string]string{
	"models":                  "",
	"models/inventory":        "models github.com/goccy/go-yaml/…",
	"models/compat":           "models models/inventory",
	"models/manifest":         "models",
	"models/wire":             "models",
	"models/store":            "models models/store/… gorm.io/… github.com/jackc/pgx/… github.com/pressly/goose/… github.com/google/uuid github.com/mattn/go-sqlite3",
	"models/store/migrations": "",
	"models/store/storetest":  "models models/store models/store/… github.com/jackc/pgx/… gorm.io/…",

	"scheduler":         "models scheduler/window github.com/robfig/cron/v3",
	"scheduler/window":  "",
	"scheduler/rollout": "models scheduler/window",

	"hub/audit":                "models models/store hub/keys github.com/golang-jwt/jwt/v5",
	"hub/seal":                 "models",
	"hub/keys":                 "models models/wire hub/seal github.com/golang-jwt/jwt/v5",
	"hub/fleet":                "models models/manifest models/store models/wire scheduler/window scheduler/rollout hub/audit hub/depot hub/keys github.com/golang-jwt/jwt/v5 github.com/google/uuid",
	"hub/identity":             "models models/store scheduler/window golang.org/x/crypto/argon2 github.com/go-webauthn/webauthn/…",
	"hub/oidc":                 "models models/store hub/identity hub/seal github.com/coreos/go-oidc/… golang.org/x/oauth2 golang.org/x/time/rate",
	"hub/identity/passkeytest": "github.com/fxamacker/cbor/v2",

	"hub/blob":     "models",
	"hub/software": "models models/store hub/blob",
	"hub/depot":    "models models/manifest models/store hub/audit hub/blob github.com/klauspost/compress/…",

	"handlers":                       "models models/wire github.com/labstack/echo/… github.com/google/uuid github.com/prometheus/… golang.org/x/time/rate",
	"handlers/adminapi":              "models models/wire handlers handlers/adminapi/gen hub/audit hub/fleet hub/identity hub/oidc hub/depot hub/software scheduler/window github.com/labstack/echo/… github.com/getkin/kin-openapi/… github.com/oapi-codegen/runtime/…",
	"handlers/adminapi/gen":          "github.com/labstack/echo/… github.com/oapi-codegen/runtime/… github.com/getkin/kin-openapi/…",
	"handlers/adminapi/client":       "github.com/oapi-codegen/runtime/…",
	"handlers/nodeapi":               "models models/wire handlers hub/fleet github.com/labstack/echo/…",
	"handlers/binaries":              "models handlers hub/software github.com/labstack/echo/… golang.org/x/time/rate",
	"handlers/binaries/binariestest": "models models/store models/store/storetest handlers handlers/binaries hub/software",
	"handlers/depotapi":              "models models/wire handlers hub/fleet hub/depot github.com/labstack/echo/…",

	"server":        "server/app",
	"server/config": "models scheduler/window github.com/alecthomas/kong",
	"server/app":    "models models/… scheduler scheduler/… hub/… handlers handlers/… frontend server/config github.com/…/… golang.org/x/…",
	"frontend":      "",

	"nodeclient":                           "nodeclient/app",
	"nodeclient/app":                       "models models/compat models/inventory models/wire models/manifest scheduler/window nodeclient/… github.com/alecthomas/kong golang.org/x/…",
	"nodeclient/agent":                     "models models/wire models/manifest nodeclient/byhand nodeclient/fetch nodeclient/host nodeclient/host/… nodeclient/journal nodeclient/trust",
	"nodeclient/byhand":                    "models models/wire nodeclient/atomicfile",
	"nodeclient/enroll":                    "models models/wire nodeclient/atomicfile nodeclient/proxy github.com/golang-jwt/jwt/v5 golang.org/x/crypto/argon2",
	"nodeclient/proxy":                     "nodeclient/atomicfile golang.org/x/net/http/httpproxy",
	"nodeclient/localweb":                  "models models/compat models/inventory models/wire nodeclient/enroll nodeclient/agent nodeclient/proxy nodeclient/control/keys nodeclient/control/vosapi nodeclient/control/onboarding golang.org/x/time/rate",
	"nodeclient/control/catalogue":         "models/compat nodeclient/atomicfile",
	"nodeclient/control/download":          "nodeclient/atomicfile nodeclient/control/catalogue nodeclient/control/logs nodeclient/control/repository nodeclient/control/settings nodeclient/fetch",
	"nodeclient/control/gate":              "golang.org/x/sys/unix",
	"nodeclient/control/replica":           "models nodeclient/atomicfile nodeclient/control/keys nodeclient/control/machines nodeclient/control/remote nodeclient/control/settings",
	"nodeclient/control/turn":              "models nodeclient/control/gate nodeclient/control/procedure nodeclient/control/replica nodeclient/enroll",
	"nodeclient/control/selfupgrade":       "models nodeclient/atomicfile nodeclient/host nodeclient/host/bundle",
	"nodeclient/control/permits":           "models nodeclient/atomicfile nodeclient/control/gate nodeclient/journal",
	"nodeclient/control/console":           "models nodeclient/control/gate nodeclient/control/permits nodeclient/enroll github.com/alecthomas/kong golang.org/x/sys/unix golang.org/x/term",
	"nodeclient/control/commands":          "models models/compat models/inventory nodeclient/atomicfile nodeclient/control/… nodeclient/enroll nodeclient/host nodeclient/host/bundle nodeclient/journal nodeclient/vos nodeclient/vos/… scheduler/window golang.org/x/crypto/ssh",
	"nodeclient/control/keys":              "models nodeclient/atomicfile golang.org/x/crypto/ssh",
	"nodeclient/control/jobs":              "nodeclient/control/settings scheduler/window",
	"nodeclient/control/nightly":           "models/inventory nodeclient/control/… nodeclient/enroll",
	"nodeclient/control/logs":              "",
	"nodeclient/control/authkeys":          "nodeclient/control/keys golang.org/x/crypto/ssh",
	"nodeclient/control/cloudview":         "models models/inventory models/wire nodeclient/atomicfile nodeclient/control/conntest nodeclient/control/gate nodeclient/control/machines nodeclient/control/procedure nodeclient/control/settings",
	"nodeclient/control/conntest":          "models models/inventory nodeclient/atomicfile nodeclient/control/authkeys nodeclient/control/keys nodeclient/control/remote nodeclient/control/target nodeclient/control/vosapi nodeclient/control/windriver golang.org/x/crypto/ssh",
	"nodeclient/control/sshport":           "nodeclient/control/remote nodeclient/control/settings",
	"nodeclient/control/mail":              "nodeclient/atomicfile nodeclient/control/settings github.com/wneessen/go-mail",
	"nodeclient/control/machines":          "models/inventory nodeclient/atomicfile",
	"nodeclient/control/remote":            "nodeclient/atomicfile github.com/pkg/sftp golang.org/x/crypto/ssh",
	"nodeclient/control/mail/mailtest":     "",
	"nodeclient/control/target":            "models/compat nodeclient/control/remote nodeclient/control/vosapi",
	"nodeclient/control/windriver":         "models/compat nodeclient/control/remote nodeclient/control/target",
	"nodeclient/control/vosdriver":         "nodeclient/control/remote nodeclient/control/target nodeclient/control/vosapi",
	"nodeclient/control/procedure":         "models/compat models/inventory nodeclient/atomicfile nodeclient/control/target nodeclient/journal",
	"nodeclient/control/conduct":           "nodeclient/control/procedure nodeclient/control/target",
	"nodeclient/control/deployment":        "models/compat models/inventory nodeclient/atomicfile nodeclient/control/… golang.org/x/crypto/ssh",
	"nodeclient/control/conduct/standtest": "models/inventory nodeclient/control/remote/sftptest golang.org/x/crypto/ssh",
	"nodeclient/control/remote/sftptest":   "github.com/pkg/sftp golang.org/x/crypto/ssh",
	"nodeclient/control/repository":        "models/compat nodeclient/control/catalogue nodeclient/control/settings nodeclient/fetch",
	"nodeclient/control/settings":          "nodeclient/atomicfile",
	"nodeclient/control/wayout":            "nodeclient/control/settings nodeclient/proxy",
	"nodeclient/control/onboarding":        "models models/compat models/inventory nodeclient/control/gate nodeclient/control/keys nodeclient/control/logs nodeclient/control/machines nodeclient/control/remote nodeclient/control/settings nodeclient/control/sshport nodeclient/control/vosapi golang.org/x/crypto/ssh",
	"nodeclient/control/vosapi":            "models/compat models/inventory",
	"nodeclient/vos":                       "models models/compat models/inventory nodeclient/atomicfile nodeclient/control/remote nodeclient/control/vosapi nodeclient/host nodeclient/host/… nodeclient/vos/words github.com/pkg/sftp golang.org/x/crypto/ssh golang.org/x/sys/unix",
	"nodeclient/vos/onboard":               "models models/compat models/inventory models/wire nodeclient/atomicfile nodeclient/control/remote nodeclient/control/vosapi nodeclient/vos nodeclient/vos/trust",
	"nodeclient/vos/trust":                 "nodeclient/atomicfile nodeclient/vos/words",
	"nodeclient/vos/words":                 "",
	"nodeclient/vos/vostest":               "models/compat nodeclient/host/bundle nodeclient/host/hosttest golang.org/x/crypto/ssh",

	"nodeclient/journal":    "models nodeclient/atomicfile",
	"nodeclient/atomicfile": "",
	"nodeclient/fetch":      "models nodeclient/atomicfile",
	"nodeclient/host":       "models models/manifest nodeclient/host/… nodeclient/atomicfile",
	"nodeclient/host/…":     "models models/manifest nodeclient/host nodeclient/host/… nodeclient/atomicfile github.com/klauspost/compress/…",
}

// outside are folders whose programs serve development and demonstration; no product package may
// import them, and the map does not bind what they import.
var outside = []string{"tools", "deploy", "docs", ".ci", "frontend/node_modules", ".run", "bin", ".git"}

// mayTellTime are the only packages that may say time.Now: time is an argument everywhere else.
var mayTellTime = map[string]bool{"server/app": true, "nodeclient/app": true}

type sourceFile struct {
	path, pkg string
	test      bool
	ast       *ast.File
	fset      *token.FileSet
}

func sources(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			for _, o := range outside {
				if path == o {
					return filepath.SkipDir
				}
			}
			if path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || filepath.Dir(path) == "." {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, sourceFile{path: path, pkg: filepath.Dir(path),
			test: strings.HasSuffix(path, "_test.go"), ast: f, fset: fset})
		return nil
	})
	if err != nil {
		t.Fatalf("cannot read the tree: %v", err)
	}
	return files
}

// allowance finds the map's line for a package, the most particular first.
func allowance(pkg string) (string, bool) {
	if line, ok := packageMap[pkg]; ok {
		return line, true
	}
	for dir := pkg; dir != "."; dir = filepath.Dir(dir) {
		if line, ok := packageMap[dir+"/…"]; ok {
			return line, true
		}
	}
	return "", false
}

func allowed(line, path string) bool {
	for word := range strings.FieldsSeq(line) {
		if word == path {
			return true
		}
		if pattern, ok := strings.CutSuffix(word, "/…"); ok {
			if path == pattern || strings.HasPrefix(path, pattern+"/") {
				return true
			}
			if head, tail, ok := strings.Cut(pattern, "/…"); ok && tail == "" &&
				strings.HasPrefix(path, head+"/") {
				return true
			}
		}
	}
	return false
}

func TestEveryImportFollowsTheMap(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		line, known := allowance(f.pkg)
		if !known {
			t.Errorf("%s: package %s is not on the map in arch_test.go", f.path, f.pkg)
			continue
		}
		if f.test {
			continue // a test may reach for what it needs; what ships may not
		}
		for _, spec := range f.ast.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			own, isOwn := strings.CutPrefix(path, module+"/")
			if !isOwn && !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
				continue // standard library
			}
			if isOwn {
				path = own
			}
			if !allowed(line, path) {
				t.Errorf("%s imports %s; the map allows %s only: %s", f.path, path, f.pkg, line)
			}
		}
	}
}

func TestTimeIsAnArgument(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		if f.test || mayTellTime[f.pkg] {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if isSelector(n, "time", "Now") || isSelector(n, "time", "Since") ||
				isSelector(n, "time", "Until") {
				t.Errorf("%s: only the app packages tell the time", f.fset.Position(n.Pos()))
			}
			return true
		})
	}
}

func TestNothingHappensBehindAnInit(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: no init()", f.fset.Position(fn.Pos()))
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		said[f.pkg] = said[f.pkg] || f.ast.Doc != nil
	}
	for pkg, ok := range said {
		if !ok {
			t.Errorf("package %s has no comment", pkg)
		}
	}
}

func TestOnlyMainProgramsEndTheProcess(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		if f.test || f.ast.Name.Name == "main" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if isSelector(n, "os", "Exit") || isSelector(n, "log", "Fatal") ||
				isSelector(n, "log", "Fatalf") {
				t.Errorf("%s: only main packages end the process", f.fset.Position(n.Pos()))
			}
			return true
		})
	}
}

func TestOnlyConfigReadsTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		if f.test || f.pkg == "server/config" || f.pkg == "nodeclient/app" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if isSelector(n, "os", "Getenv") || isSelector(n, "os", "LookupEnv") {
				t.Errorf("%s: only config reads the environment", f.fset.Position(n.Pos()))
			}
			return true
		})
	}
}

func TestTestsDoNotSleep(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		if !f.test {
			continue
		}
		synctest := false
		for _, spec := range f.ast.Imports {
			synctest = synctest || spec.Path.Value == `"testing/synctest"`
		}
		if synctest {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if isSelector(n, "time", "Sleep") {
				t.Errorf("%s: wait on a signal or use testing/synctest", f.fset.Position(n.Pos()))
			}
			return true
		})
	}
}

func isSelector(n ast.Node, pkg, name string) bool {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == pkg
}

func TestTheGivenLibrariesAreDirectRequirementsAtTheirMajors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`github\.com/labstack/echo/v4 v4\.`,
		`gorm\.io/gorm v1\.`,
		`gorm\.io/driver/sqlite v1\.`,
		`gorm\.io/driver/postgres v1\.`,
		`github\.com/golang-jwt/jwt/v5 v5\.`,
		`github\.com/robfig/cron/v3 v3\.`,
	} {
		line := regexp.MustCompile(`(?m)^\s*(?:require )?` + want + `\S*$`)
		if !line.Match(text) {
			t.Errorf("go.mod has no direct requirement %s", want)
		}
	}
}

func TestTheNamedFoldersAndFilesExist(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"server", "nodeclient", "models", "handlers", "scheduler",
		"frontend", "go.mod", "go.sum", "Dockerfile", "hub", "README.md", "ARCHITECTURE.md",
		"CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "docs/protocol.md", "docs/states.md",
		"docs/errors.md", "docs/dependencies.md", "docs/adr", ".ci/run"} {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestTheArchitecturePageShowsTheMap(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for pkg := range packageMap {
		if !strings.Contains(string(page), "`"+pkg+"`") {
			missing = append(missing, pkg)
		}
	}
	sort.Strings(missing)
	for _, pkg := range missing {
		t.Errorf("ARCHITECTURE.md does not name `%s`", pkg)
	}
}

// Every rule has a test that bears its number.
func TestEveryRuleHasATestThatBearsItsNumber(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	number := regexp.MustCompile(`R([0-9]{1,2})`)
	for _, f := range sources(t) {
		if !f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(fn.Name.Name, "Test") {
				continue
			}
			for _, m := range number.FindAllStringSubmatch(fn.Name.Name, -1) {
				found["R"+m[1]] = true
			}
		}
	}
	for _, rule := range []string{"R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10",
		"R11", "R12", "R13", "R14", "R15", "R16", "R17", "R18", "R19", "R20", "R21", "R22", "R23",
		"R24", "R25", "R26", "R27", "R28", "R29", "R30", "R31", "R32", "R34", "R35"} {
		if !found[rule] {
			t.Errorf("no test bears the number of %s", rule)
		}
	}
}
