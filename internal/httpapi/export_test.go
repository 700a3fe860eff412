package httpapi

import "github.com/labstack/echo/v4"

// Routes are the routes that the server has, whatever they come from.
func (s *Server) Routes() []*echo.Route { return s.echo.Routes() }
