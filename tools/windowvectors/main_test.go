package main

import (
	"bytes"
	"os"
	"testing"
)

func TestThePublishedVectorsAreFresh(t *testing.T) {
	t.Parallel()
	want, err := vectors()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/windows-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/windows-vectors.json is stale: go run ./tools/windowvectors")
	}
}
