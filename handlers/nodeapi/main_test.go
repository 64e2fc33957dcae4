package nodeapi_test

import (
	"os"
	"testing"

	"connecthub/models/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// long says whether the tests run at their full size.
func long() bool { return os.Getenv("LONG") == "1" }
