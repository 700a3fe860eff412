//go:build race

package storetest

// parallelPerCPU is smaller with the race detector, under which tests compute more than they wait.
const parallelPerCPU = 2
