package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/httpapi/docs"
)

func newDocsSite() (*docs.Site, error) {
	var info struct{ Title, Version, Description string }
	if err := json.Unmarshal(api.InfoJSON, &info); err != nil {
		return nil, fmt.Errorf("httpapi: read the contract's info: %w", err)
	}
	return docs.New(docs.Contract{
		Title: info.Title, Version: info.Version, Description: info.Description, JSON: api.SpecJSON, YAML: api.SpecYAML,
	}, docsProblems())
}

func (s *Server) addDocs() error {
	site, err := docsSite()
	if err != nil {
		return err
	}
	page := &contract.Operation{Limited: true, Cost: 1}
	serve := echo.WrapHandler(site)
	limited := func(c echo.Context) error {
		if err := s.limit(c, page); err != nil {
			return err
		}
		return serve(c)
	}
	for _, path := range site.Routes() {
		s.echo.Match([]string{http.MethodGet, http.MethodHead}, path, limited)
	}
	return nil
}

// problemSettings are the settings that a problem depends on.
var problemSettings = map[apperr.Code][]string{
	apperr.InvalidToken:    {"EXPIRE_MINUTES", "JWT_SECRET", "JWT_SECRETS_ACCEPTED"},
	apperr.RateLimited:     {"SUPPORT_RATE_LIMIT", "SUPPORT_TRUSTED_PROXIES"},
	apperr.TooManyAttempts: {"SUPPORT_LOGIN_LIMIT", "SUPPORT_SIGNUP_LIMIT", "SUPPORT_TRUSTED_PROXIES"},
	apperr.AIQuota:         {"SUPPORT_AI_RUNNING", "SUPPORT_AI_PER_MINUTE", "SUPPORT_AI_PER_DAY"},
	apperr.AIDisabled:      {"GROQ_API_KEY"},
	apperr.AIMisconfigured: {"GROQ_API_KEY", "GROQ_API_URL", "GROQ_MODEL", "GROQ_DIALECT"},
	apperr.AINoAnswer:      {"GROQ_MAX_TOKENS"},
	apperr.AIOverloaded:    {"GROQ_FALLBACK_MODELS"},
	apperr.AIProtocol:      {"GROQ_API_URL", "GROQ_DIALECT"},
	apperr.AIStalled:       {"GROQ_SILENCE_TIMEOUT"},
	apperr.AITimeout:       {"GROQ_HEADER_TIMEOUT", "GROQ_TOTAL_TIMEOUT"},
	apperr.ServerBusy:      {"SUPPORT_AI_MAX_RUNNING"},
	apperr.TooManyStreams:  {"SUPPORT_MAX_STREAMS", "SUPPORT_STREAMS_PER_ACCOUNT"},
	apperr.DBBusy:          {"SUPPORT_DB_MAX_CONNS"},
	apperr.DBUnavailable:   {"DATABASE_URL"},
}

// docsProblems returns the problems for the documentation's pages.
func docsProblems() []docs.Problem {
	list := make([]docs.Problem, 0, len(problems))
	for code, kind := range problems {
		list = append(list, docs.Problem{
			Code: string(code), Title: kind.title, Status: kind.status, Retryable: kind.retryable, Settings: problemSettings[code],
		})
	}
	return list
}

// router registers HEAD along with GET; net/http omits the body by itself. Streams have no HEAD, because asking for
// headers must not start an answer.
type router struct {
	*echo.Echo
	gate *gate
}

func (r router) GET(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	if _, known := r.gate.operations[route{http.MethodHead, path}]; known {
		r.Echo.HEAD(path, h, m...)
	}
	return r.Echo.GET(path, h, m...)
}
