//go:build proof

// Package proof_test proves the journal's promise on a whole installation: every reader reads every committed entry
// exactly once, in one order, whatever breaks.
package proof_test

import (
	"os"
	"testing"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// A replica is a process of its own, so that it can be killed: this program, started with the address of the database.
const databaseVariable = "PROOF_DATABASE_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(databaseVariable); url != "" {
		os.Exit(runReplica(url))
	}
	storetest.Main(m)
}
