package httpapi

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/httpapi/contract"
)

// gate checks requests in this order: caller and rate limit, Accept, parameters, body. An operation that is not in the
// contract, or that declares no security, does not exist.
type gate struct {
	operations map[route]*contract.Operation
	// templates are the paths as the contract writes them, by Echo's form of them.
	templates map[string]string
	// newMessage is the operation whose rules apply to every customer's message, from chat clients too.
	newMessage *contract.Operation
}

// route is a method and a path in Echo's form, such as /tickets/:ticket_id.
type route struct{ method, path string }

// newGate returns an error for an operation with an unknown role or scope.
func newGate(operations []*contract.Operation) (*gate, error) {
	g := &gate{operations: make(map[route]*contract.Operation), templates: make(map[string]string)}
	for _, op := range operations {
		if err := checkSecurity(op); err != nil {
			return nil, fmt.Errorf("httpapi: %s %s: %w", op.Method, op.Path, err)
		}
		path := echoPath(op.Path)
		g.templates[path] = op.Path
		g.operations[route{op.Method, path}] = op
		if op.ID == "createMessage" {
			g.newMessage = op
		}
		if op.Method == http.MethodGet && !op.Streams() {
			g.operations[route{http.MethodHead, path}] = op
		}
	}
	return g, nil
}

// checkSecurity returns an error if an operation's role is unknown, or the scope of one that is not public.
func checkSecurity(op *contract.Operation) error {
	role := auth.Role(op.Role)
	if role == "" {
		return nil
	}
	if !(auth.Actor{Role: role}).Has(role) {
		return fmt.Errorf("%q is not a role", role)
	}
	if len(op.Scopes) == 0 || slices.ContainsFunc(op.Scopes, func(s string) bool { return !auth.Scope(s).IsRequirable() }) {
		return fmt.Errorf("x-scope is %q and must be scopes, %s or %s", op.Scopes, auth.AnyScope, auth.NoScope)
	}
	return nil
}

// echoPath turns /tickets/{ticket_id} into /tickets/:ticket_id.
func echoPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// template returns the contract's form of an Echo path. It returns a path that is not in the contract unchanged.
func (g *gate) template(path string) string {
	return cmp.Or(g.templates[path], path)
}

// allow lists the methods of a path (RFC 9110, section 10.2.1).
func (g *gate) allow(path string) string {
	var methods []string
	for r := range g.operations {
		if r.path == path && r.method != http.MethodHead {
			methods = append(methods, r.method)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// methods lists the methods of all operations, and HEAD.
func (g *gate) methods() []string {
	var methods []string
	for r := range g.operations {
		methods = append(methods, r.method)
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// guard is the middleware that admits only requests that the contract allows.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		op, known := s.gate.operations[route{c.Request().Method, c.Path()}]
		if !known {
			if c.Request().Method == http.MethodOptions && s.gate.allow(c.Path()) != "" {
				return echo.ErrMethodNotAllowed // Echo would respond by itself.
			}
			// A page of the documentation, or an unknown path.
			return next(c)
		}
		if err := s.admit(c, op); err != nil {
			return err
		}
		switch {
		case op.Keyed && c.Request().Header.Get(contract.HeaderIdempotencyKey) != "":
			return s.once(c, op, next)
		case op.Versioned:
			return s.conditional(c, next)
		case op.Streams():
			return next(c)
		default:
			return s.deliver(c, next)
		}
	}
}

// admit returns an error if the request must be refused.
func (s *Server) admit(c echo.Context, op *contract.Operation) error {
	if err := s.meter(c, op); err != nil {
		return err
	}
	if err := op.CheckAccept(c.Request().Header.Values(echo.HeaderAccept)); err != nil {
		return err
	}
	if err := op.CheckParameters(c.Request(), c.Param); err != nil {
		return err
	}
	unread, err := op.CheckBody(c.Request())
	if unread {
		c.Response().Header().Set(echo.HeaderConnection, "close")
	}
	if apperr.Is(err, apperr.UnsupportedMediaType) {
		c.Response().Header().Set(echo.HeaderAccept, strings.Join(op.MediaTypes(), ", "))
	}
	return err
}
