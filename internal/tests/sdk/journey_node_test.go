//go:build node

package sdktest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/tests/sdk/npmtest"
)

// takesACustomerThrough runs a customer's journey in Node and in a page of another origin.
func takesACustomerThrough(t *testing.T, project npmtest.Project) {
	t.Helper()
	arguments := func(s *desk.Desk, email string) string {
		data, err := json.Marshal([]string{s.URL, email})
		require.NoError(t, err)
		return string(data)
	}
	t.Run("Node", func(t *testing.T) {
		t.Parallel()
		s := desk.New(t, desk.Options{})
		output := project.Node(t, nil, "main.js", "journey.js", arguments(s, "node@example.com"))
		require.JSONEq(t, `"logged out"`, output)
	})
	t.Run("browser", func(t *testing.T) {
		t.Parallel()
		browser := project.NewBrowser(t)
		s := desk.New(t, desk.Options{AllowedOrigins: []string{browser.Origin}})
		require.JSONEq(t, `"logged out"`, browser.Run(t, "journey.js", arguments(s, "browser@example.com")))
	})
	t.Run("tabs", func(t *testing.T) {
		t.Parallel()
		browser := project.NewBrowser(t)
		s := desk.New(t, desk.Options{AllowedOrigins: []string{browser.Origin}})
		require.JSONEq(t, `"logged out"`, browser.Run(t, "tabs.js", arguments(s, "tabs@example.com")))
	})
}
