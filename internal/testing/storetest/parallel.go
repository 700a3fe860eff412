//go:build !race

package storetest

// parallelPerCPU is the number of parallel tests per processor. Tests mostly wait: for the network, for the database,
// for timeouts of the product.
const parallelPerCPU = 4
