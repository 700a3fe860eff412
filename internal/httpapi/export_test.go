package httpapi

import (
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// Routes are the routes that the server has, whatever they come from.
func (s *Server) Routes() []*echo.Route { return s.echo.Routes() }

// UnescapeHTML writes <, > and & as themselves in JSON text.
func UnescapeHTML(text []byte) []byte { return unescapeHTML(text) }

// HoldUntilRefused holds responses of a mebibyte for ever more callers, until one is refused.
func HoldUntilRefused() (held int, err error) {
	var d deliveries
	for i := byte(0); ; i++ {
		if _, err := d.hold(caller{user: uuid.UUID{i}}, 1<<20); err != nil {
			return d.total, err
		}
	}
}
