package api_test

import (
	"testing"

	"github.com/supportbackend/support/internal/testing/contracttest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m, contracttest.CheckCoverage) }
