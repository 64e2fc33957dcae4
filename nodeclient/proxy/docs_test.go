package proxy_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"connecthub/nodeclient/proxy"
)

const (
	documentFile = "../../docs/proxy.md"
	tableMark    = "-run Documented -update -->\n"
)

var update = flag.Bool("update", false, "write the table of docs/proxy.md anew")

// TestEveryCodeIsDocumented holds the table of docs/proxy.md to the sentences of the program.
func TestEveryCodeIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(documentFile)
	must(t, err)
	before, _, ok := strings.Cut(string(text), tableMark)
	if !ok {
		t.Fatalf("%s has no place for the table", documentFile)
	}
	codes := proxy.Codes()
	slices.Sort(codes)
	var table strings.Builder
	table.WriteString("\n| code | English | 日本語 |\n|---|---|---|\n")
	for _, code := range codes {
		r := proxy.Result{Code: code, Subject: "{subject}", Detail: "{detail}"}
		_, _ = fmt.Fprintf(&table, "| `%s` | %s | %s |\n", code, r.Sentence("en"), r.Sentence("ja"))
	}
	want := before + tableMark + table.String()
	if *update {
		must(t, os.WriteFile(documentFile, []byte(want), 0o644))
		return
	}
	if string(text) != want {
		t.Errorf("%s is stale; write it with: go test ./nodeclient/proxy %s", documentFile,
			strings.TrimSuffix(tableMark, " -->\n"))
	}
}
