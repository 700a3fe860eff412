//go:build race

package storetest

// parallelPerCPU is smaller with the race detector, because tests then compute more than they wait.
const parallelPerCPU = 2
