package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"time"
)

var versionField = regexp.MustCompile(`"(version|VERSION)":\s*"[^"]*"`)

func replaceVersion(manifest []byte, version string) []byte {
	return versionField.ReplaceAll(manifest, []byte(`"$1": "`+version+`"`))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("cannot copy %s: %w", from, err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return fmt.Errorf("cannot copy %s: %w", from, err)
	}
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("cannot copy %s: %w", from, err)
	}
	return out.Close()
}

func quickClient() *http.Client { return &http.Client{Timeout: time.Second} }
