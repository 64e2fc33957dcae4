package frontend_test

import (
	"io/fs"
	"strings"
	"testing"

	"connecthub/frontend"
)

func TestThereIsAlwaysAPageToServe(t *testing.T) {
	t.Parallel()
	page, err := fs.ReadFile(frontend.FS(), "index.html")
	if err != nil {
		t.Fatalf("cannot read index.html: %v", err)
	}
	script := strings.Contains(string(page), `<script type="module"`)
	if script != frontend.Built() {
		t.Fatalf("Built() = %v, but the page loads the console: %v", frontend.Built(), script)
	}
}

func TestThePolicyLetsNothingInlineRun(t *testing.T) {
	t.Parallel()
	policy := frontend.ContentSecurityPolicy()
	for _, word := range []string{"unsafe-inline", "unsafe-eval", "*"} {
		if strings.Contains(policy, word) {
			t.Errorf("the policy says %s", word)
		}
	}
}
