package adminapi_test

import (
	"testing"

	"connecthub/models/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }
