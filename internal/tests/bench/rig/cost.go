package rig

import (
	"context"
	"time"
)

// Cost is what a process and the database use for some work.
type Cost struct {
	// CPU is the time of the process, and DatabaseCPU that of PostgreSQL.
	CPU, DatabaseCPU time.Duration
	// Statements is 0 where PostgreSQL does not count them.
	Statements int64
	// WALBytes and Size are by how much the log and the database have grown, in bytes.
	WALBytes, Size int64
}

// Cost does some work, and returns what a process and the database use in the meantime. Without a process, it is the database's alone.
func (r *Rig) Cost(ctx context.Context, p *Process, work func() error) (Cost, error) {
	before, err := r.Database.counters(ctx)
	if err != nil {
		return Cost{}, err
	}
	if before.CPU, err = p.CPU(); err != nil {
		return Cost{}, err
	}
	if err := work(); err != nil {
		return Cost{}, err
	}
	cpu, err := p.CPU()
	if err != nil {
		return Cost{}, err
	}
	after, err := r.Database.counters(ctx)
	after.CPU = cpu
	return after.minus(before), err
}

// Plus returns the cost of both.
func (c Cost) Plus(more Cost) Cost {
	return Cost{
		CPU: c.CPU + more.CPU, DatabaseCPU: c.DatabaseCPU + more.DatabaseCPU,
		Statements: c.Statements + more.Statements, WALBytes: c.WALBytes + more.WALBytes, Size: c.Size + more.Size,
	}
}

func (c Cost) minus(before Cost) Cost {
	return Cost{
		CPU: c.CPU - before.CPU, DatabaseCPU: c.DatabaseCPU - before.DatabaseCPU,
		Statements: c.Statements - before.Statements, WALBytes: c.WALBytes - before.WALBytes, Size: c.Size - before.Size,
	}
}
