//go:build !linux

package storetest

// memoryDir returns "": the server uses the temporary directory.
func memoryDir() string { return "" }
