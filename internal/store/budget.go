package store

import (
	"context"
	"fmt"
	"strings"
)

// Besides its pool, a replica listens on one connection and may need another, for example for a migration. PostgreSQL
// reserves some for administrators.
const (
	extraConns    = 2
	reservedConns = 5
)

// CheckBudget returns a warning when the replicas together may need more connections than the database allows, and ""
// otherwise. It counts replicas by the connected machines, so it misses further ones on the same machine and those yet
// to start.
//
// Behind a pooler, which limits connections itself, it warns instead about limits that the sessions lack, because a
// pooler does not accept them from clients.
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
