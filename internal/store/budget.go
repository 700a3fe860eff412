package store

import (
	"context"
	"fmt"
	"strings"
)

// Besides what its pool holds, a replica listens on one connection and may need another (for a migration, say), and
// PostgreSQL keeps some for its administrators.
const (
	extraConns    = 2
	reservedConns = 5
)

// CheckBudget returns a sentence when the replicas together may ask for more connections than the database takes, and
// an empty one when they may not. Replicas are counted by the machines that are connected at the moment, so several on one
// machine, and those that are yet to come, are not seen.
//
// Behind a pooler it is the pooler who counts connections. There it says instead which limits the sessions lack, because
// a pooler takes none from its clients.
func (s *Store) CheckBudget(ctx context.Context) (warning string, err error) {
	if s.pooler {
		return s.checkLimits(ctx)
	}
	budget, err := s.GetSessionBudget(ctx)
	if err != nil {
		return "", err
	}
	replicas := max(1, budget.Machines)
	need := replicas*(s.PoolStats().Max+extraConns) + reservedConns
	if need <= budget.MaxConnections {
		return "", nil
	}
	return fmt.Sprintf("%d replica(s) may need %d database connections, and max_connections is %d: lower SUPPORT_DB_MAX_CONNS",
		replicas, need, budget.MaxConnections), nil
}

func (s *Store) checkLimits(ctx context.Context) (warning string, err error) {
	missing, err := s.ListUnlimitedSettings(ctx)
	if err != nil || len(missing) == 0 {
		return "", err
	}
	return "the sessions have no " + strings.Join(missing, ", ") + ": set them with ALTER ROLE … SET (OPERATIONS.md, Poolers)", nil
}
