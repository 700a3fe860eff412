//go:build !linux

package storetest

// memoryDir returns "": the server keeps its files among the temporary ones.
func memoryDir() string { return "" }
