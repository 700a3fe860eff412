//go:build !linux

package storetest

// memoryDir returns "": the server makes a folder among the temporary files.
func memoryDir() string { return "" }

func removeDir(string) error { return nil }
