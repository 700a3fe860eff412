package sdktest_test

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/contracttest"
)

// sampled lists the operations that newcomers use first.
var sampled = []string{
	"signUp", "logIn", "createTicket", "createMessage", "createAIResponse", "streamAIResponse", "createAPIKey", "createWebhook",
}

// pathParameter matches a path parameter.
var pathParameter = regexp.MustCompile(`\{\w+\}`)

// samples are the code samples of an operation by language.
type samples struct {
	path   string
	byLang map[string]string
}

// samplesOf reads the contract's samples by operationId.
func samplesOf(t *testing.T) map[string]samples {
	t.Helper()
	doc := contracttest.Spec(t)
	all := make(map[string]samples)
	for path, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			list, ok := operation.Extensions["x-codeSamples"].([]any)
			if !ok {
				continue
			}
			s := samples{path: path, byLang: make(map[string]string)}
			for _, entry := range list {
				sample, ok := entry.(map[string]any)
				require.True(t, ok, operation.OperationID)
				s.byLang[fmt.Sprint(sample["lang"])] = fmt.Sprint(sample["source"])
			}
			all[operation.OperationID] = s
		}
	}
	return all
}

func TestMainOperationsHaveSamples(t *testing.T) {
	t.Parallel()
	all := samplesOf(t)
	call := regexp.MustCompile(`support\.(\w+)\(`)
	require.Subset(t, slices.Collect(maps.Keys(all)), sampled)
	for id, s := range all {
		require.Len(t, s.byLang, 3, id)
		path := pathParameter.ReplaceAllStringFunc(s.path, func(name string) string { return "$" + strings.ToUpper(strings.Trim(name, "{}")) })
		require.Contains(t, s.byLang["Shell"], `curl`, id)
		require.Contains(t, s.byLang["Shell"], `"$SUPPORT_BASE_URL`+path+`"`, id)
		require.Equal(t, strings.ToUpper(id[:1])+id[1:], call.FindStringSubmatch(s.byLang["Go"])[1])
		require.Equal(t, id, call.FindStringSubmatch(s.byLang["TypeScript"])[1])
	}
}

func TestGoSamplesCompile(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("package main\n\nimport (\n\"context\"\n\"fmt\"\n\"log\"\n\n\"github.com/supportbackend/support/gen/client\"\n)\n\n" +
		"var _, _ = fmt.Print, log.Fatal\n\nfunc main() {}\n")
	for id, s := range samplesOf(t) {
		source := s.byLang["Go"]
		formatted, err := format.Source([]byte(source))
		require.NoError(t, err, id)
		require.Equal(t, string(formatted), source, "%s is not formatted", id)
		fmt.Fprintf(&file, "\nfunc %s(ctx context.Context, support *client.Support, "+
			"ticketID client.TicketID, messageID client.MessageID, promptID client.PromptID, macroID client.MacroID) {\n%s%s}\n", id, source, used(t, source))
	}
	name := filepath.Join(t.TempDir(), "samples.go")
	require.NoError(t, os.WriteFile(name, []byte(file.String()), 0o600))
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, name).CombinedOutput()
	require.NoError(t, err, "%s\n%s", output, file.String())
}

// used returns code that uses the variables that a sample declares without using them.
func used(t *testing.T, source string) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc f() {\n"+source+"}\n", 0)
	require.NoError(t, err)
	function, ok := file.Decls[0].(*ast.FuncDecl)
	require.True(t, ok)
	var uses strings.Builder
	for _, statement := range function.Body.List {
		if assign, ok := statement.(*ast.AssignStmt); ok && assign.Tok == token.DEFINE {
			for _, name := range assign.Lhs {
				fmt.Fprintf(&uses, "_ = %s\n", name)
			}
		}
	}
	return uses.String()
}
