package api_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	curlMethod = regexp.MustCompile(`-X (\w+)`)
	curlURL    = regexp.MustCompile(`"\$SUPPORT_BASE_URL(/[^"?]*)\??([^"]*)"`)
	curlBody   = regexp.MustCompile(`(?s)(?:--json|-d) '(.*?)'`)
	variable   = regexp.MustCompile(`\$[A-Z_]+`)
	inPath     = regexp.MustCompile(`\{\w+\}`)
)

// The commands in the guides call existing operations, with parameters and bodies that the contract allows.
func TestCommandsInGuidesMatchTheContract(t *testing.T) {
	t.Parallel()
	guides, err := filepath.Glob("../../httpapi/docs/guides/*.md")
	require.NoError(t, err)
	calls := 0
	for _, guide := range guides {
		text, err := os.ReadFile(guide)
		require.NoError(t, err)
		for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
			for _, command := range strings.Split("\n"+block[1], "\ncurl ")[1:] {
				checkCommand(t, guide, command)
				calls++
			}
		}
	}
	require.Greater(t, calls, 10)
}

func checkCommand(t *testing.T, guide, command string) {
	t.Helper()
	url, body := curlURL.FindStringSubmatch(command), curlBody.FindStringSubmatch(command)
	require.NotNil(t, url, "%s: %s", guide, command)
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	if named := curlMethod.FindStringSubmatch(command); named != nil {
		method = named[1]
	}
	path := variable.ReplaceAllString(url[1], "{}")
	all := specOperations(t)
	i := slices.IndexFunc(all, func(o specOperation) bool {
		return o.method == method && inPath.ReplaceAllString(o.template, "{}") == path
	})
	require.GreaterOrEqual(t, i, 0, "%s: there is no %s %s", guide, method, path)
	o := all[i]
	for parameter := range strings.SplitSeq(url[2], "&") {
		name, _, _ := strings.Cut(parameter, "=")
		require.True(t, name == "" || o.Parameters.GetByInAndName("query", name) != nil, "%s: %s takes no %s", guide, o.OperationID, name)
	}
	if body == nil {
		require.Nil(t, o.RequestBody, "%s: %s takes a body", guide, o.OperationID)
		return
	}
	var value any
	require.NoError(t, json.Unmarshal([]byte(body[1]), &value), "%s: %s", guide, command)
	require.NoError(t, o.RequestBody.Value.Content["application/json"].Schema.Value.VisitJSON(value), "%s: %s", guide, command)
}
