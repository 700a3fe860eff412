package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

const (
	healthcheckTimeout = 3 * time.Second
	maxProblem         = 64 << 10
)

func healthcheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the server on this machine (SUPPORT_ADDR) whether it is ready",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(0)
			if err != nil {
				return err
			}
			return checkHealth(cmd.Context(), cfg.Addr)
		},
	}
}

func checkHealth(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return settingsError{err}
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	address := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/readyz"}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return err
	}
	// The server is on this machine, so a proxy (HTTP_PROXY) is not on the way.
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	if err != nil {
		return fmt.Errorf("no server responds at %s, the address in SUPPORT_ADDR; \"support serve\" starts one: %w", addr, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	var problem struct {
		Detail string `json:"detail"`
	}
	_ = json.NewDecoder(io.LimitReader(response.Body, maxProblem)).Decode(&problem) // Another server may send anything.
	return fmt.Errorf("the server at %s is not ready: status %d. %s", addr, response.StatusCode, problem.Detail)
}
