package httpapi

import (
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
)

// MaxBodyBytes is how many bytes of a body every operation takes.
const MaxBodyBytes = leastBodyLimit

// BodyLimit is how many bytes a body of the schema may have.
func BodyLimit(schema *openapi3.Schema) int { return int(bodyLimit(schema)) }

// Routes are the routes that the server has, whatever they come from.
func (s *Server) Routes() []*echo.Route { return s.echo.Routes() }
