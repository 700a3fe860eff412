//go:build !linux

package storetest

// MemoryDir returns "": servers use the temporary directory.
func MemoryDir() string { return "" }
