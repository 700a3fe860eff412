package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoopbackDebugAddressIsNotServedUnderOtherNames(t *testing.T) {
	t.Parallel()
	handler := onlyLocal((&App{}).Debug())
	for host, want := range map[string]int{
		"localhost": http.StatusOK, "LOCALHOST:6060": http.StatusOK, "127.0.0.1:6060": http.StatusOK, "[::1]:6060": http.StatusOK,
		"::1": http.StatusMisdirectedRequest, "rebound.example:6060": http.StatusMisdirectedRequest, "localhost.example": http.StatusMisdirectedRequest, "": http.StatusMisdirectedRequest,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/debug/pprof/cmdline", http.NoBody)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(t, want, w.Code, host)
	}
}
