//go:build !race

package storetest

// parallelPerCPU is how many tests run at a time for each processor. Most of a test is waiting: for the network, for the
// database, for a time that the product promises.
const parallelPerCPU = 4
