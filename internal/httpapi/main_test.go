package httpapi_test

import (
	"testing"

	"github.com/supportbackend/support/internal/httpapi/apitest"
	"github.com/supportbackend/support/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m, apitest.CheckCoverage) }
