package adminapi_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"connecthub/handlers/adminapi"
	"connecthub/models"
)

var update = flag.Bool("update", false, "write docs/roles.md anew")

const rolesPage = "../../docs/roles.md"

const rolesHead = `# Who may do what

Three roles: a **full admin** changes things in its organization, a **read-only admin** looks at them (but not at the audit log), a
**release engineer** belongs to the vendor's organization and owns the releases. At least one full admin who can sign in always
stays in an organization. A role that is taken, and a person or an organization that is disabled, is out with the very next request:
sessions end, API tokens are revoked. A password that the hub's operator resets takes every session, API token, download key and identity
token of its person with it: somebody else may have known the old one. Who changes the own password ends every other session, and is
offered to revoke the rest as well; a change for no special reason stops no program.

*Again*: the session must have been confirmed within the last 5 minutes, by the password and, where the person has one, the passkey, or at
the organization's provider; signing in counts. Otherwise the answer is ` + "`step_up_required`" + `. *Token*: the scope with which a personal API token
passes, if its person's role may; a dash is for sessions alone. *Bare*: passes without the second factor that the organization demands
(otherwise ` + "`second_factor_required`" + `): what is needed to add one.

This page is written from the one table in ` + "`handlers/adminapi/access.go`" + `, by which the API's guard goes and from which the console takes
what it shows (` + "`permissions`" + ` in ` + "`GET /session`" + `): ` + "`go test ./handlers/adminapi -run RolesPage -update`" + `.

| operation | what it does | full admin | read-only admin | release engineer | again | token | bare |
|---|---|---|---|---|---|---|---|
`

func rolesText(t *testing.T) string {
	t.Helper()
	doc, err := adminapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	summaries := map[string]string{}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			summaries[op.OperationID] = strings.ReplaceAll(op.Summary, "|", "\\|")
		}
	}
	access := adminapi.Access()
	var operations []string
	for operation := range access {
		operations = append(operations, operation)
	}
	slices.Sort(operations)
	var page strings.Builder
	page.WriteString(rolesHead)
	for _, operation := range operations {
		who := access[operation]
		may := func(role models.Role) string {
			switch {
			case who.Anyone:
				return "anyone"
			case who.May(role):
				return "yes"
			}
			return ""
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s | %s | %s | %s | %s |\n", operation,
			summaries[operation], may(models.FullAdmin), may(models.ReadOnlyAdmin),
			may(models.ReleaseEngineer), yes(who.StepUp), scopeText(who), yes(who.Bare))
	}
	return page.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func scopeText(w adminapi.Who) string {
	switch {
	case w.Anyone:
		return ""
	case w.Scope == "" || w.StepUp:
		return "–"
	}
	return "`" + string(w.Scope) + "`"
}

func TestTheRolesPageIsTheTable(t *testing.T) {
	t.Parallel()
	want := rolesText(t)
	if *update {
		if err := os.WriteFile(rolesPage, []byte(want), 0o644); err != nil { //nolint:gosec // a page of the docs
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(rolesPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/roles.md differs from the table: go test ./handlers/adminapi -run RolesPage -update")
	}
}
