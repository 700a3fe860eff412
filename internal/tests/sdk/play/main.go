// Command play serves the fixtures of sdktest to tests that are not written in Go:
//
//	go run ./internal/tests/sdk/play
//
// It prints its URL and ends when its standard input is closed, so that it does not outlive the test that started it.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	sdktest "github.com/supportbackend/support/internal/tests/sdk"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "play:", err)
		os.Exit(1)
	}
}

func run() error {
	fixtures, err := sdktest.Load()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // Listen returns immediately.
	if err != nil {
		return err
	}
	server := &http.Server{Handler: sdktest.NewServer(fixtures), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Fprintf(os.Stdout, "http://%s\n", listener.Addr())
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	return <-ended
}
