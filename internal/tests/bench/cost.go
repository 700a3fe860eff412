package main

import (
	"context"
	"time"
)

// cost is what a process and the database use for some work.
type cost struct {
	// cpu is the CPU time of the process, and databaseCPU that of PostgreSQL.
	cpu, databaseCPU time.Duration
	// walBytes and size are by how much the log and the database have grown, in bytes.
	statements, walBytes, size int64
}

// cost does some work, and returns what a process and the database use in the meantime. Without a process, it is the database's alone.
func (r *rig) cost(ctx context.Context, p *process, work func() error) (cost, error) {
	before, err := r.database.counters(ctx)
	if err != nil {
		return cost{}, err
	}
	if before.cpu, err = p.cpu(); err != nil {
		return cost{}, err
	}
	if err := work(); err != nil {
		return cost{}, err
	}
	cpu, err := p.cpu()
	if err != nil {
		return cost{}, err
	}
	after, err := r.database.counters(ctx)
	after.cpu = cpu
	return after.minus(before), err
}

func (c cost) plus(more cost) cost {
	return cost{
		cpu: c.cpu + more.cpu, databaseCPU: c.databaseCPU + more.databaseCPU,
		statements: c.statements + more.statements, walBytes: c.walBytes + more.walBytes, size: c.size + more.size,
	}
}

func (c cost) minus(before cost) cost {
	return cost{
		cpu: c.cpu - before.cpu, databaseCPU: c.databaseCPU - before.databaseCPU,
		statements: c.statements - before.statements, walBytes: c.walBytes - before.walBytes, size: c.size - before.size,
	}
}
