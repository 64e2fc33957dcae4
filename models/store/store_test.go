package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"connecthub/models/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestBothDatabasesKeepEveryPromiseOfTheStore(t *testing.T) {
	var cases atomic.Int64
	var dialects atomic.Int64
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			if d.name == "postgres" {
				storetest.PostgresDSN(t) // skips here, once
			}
			cases.Add(int64(storetest.Exercise(t, d.open)))
			dialects.Add(1)
		})
	}
	if t.Failed() {
		t.Fatal("the conformance suite failed")
	}
	if dialects.Load() == 2 {
		fmt.Printf("proof 2.7 dialects=%d cases=%d failed=0\n", dialects.Load(), cases.Load())
	}
}
