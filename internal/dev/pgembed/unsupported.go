//go:build !linux && !darwin

package pgembed

import (
	"context"
	"fmt"
)

// Server is a running PostgreSQL server, which does not exist on this operating system.
type Server struct{}

// Start returns ErrUnsupported.
func Start(context.Context, Options) (*Server, error) {
	return nil, fmt.Errorf("pgembed: %w", ErrUnsupported)
}

// URL returns an empty string.
func (s *Server) URL(string) string { return "" }

// Dir returns an empty string.
func (s *Server) Dir() string { return "" }

// Version returns an empty string.
func (s *Server) Version() string { return "" }

// Stop does nothing.
func (s *Server) Stop() error { return nil }

// Done returns a channel that is never closed.
func (s *Server) Done() <-chan struct{} { return nil }
