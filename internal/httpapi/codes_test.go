package httpapi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/httpapi/contract"
)

// constants reads the values of a type's constants from the source, because nothing lists them at run time.
func constants(t *testing.T, typeName string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../apperr/code.go", nil, 0)
	require.NoError(t, err)
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if ident, ok := spec.Type.(*ast.Ident); ok && ident.Name == typeName {
			literal, ok := spec.Values[0].(*ast.BasicLit)
			require.True(t, ok)
			value, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			values = append(values, value)
		}
		return false
	})
	require.NotEmpty(t, values)
	return values
}

// enum returns the values of an enum schema of the contract.
func enum(t *testing.T, schema string) []string {
	t.Helper()
	doc, err := contract.Read(api.SpecJSON)
	require.NoError(t, err)
	require.Contains(t, doc.Components.Schemas, schema)
	var values []string
	for _, value := range doc.Components.Schemas[schema].Value.Enum {
		values = append(values, fmt.Sprint(value))
	}
	return values
}

func TestCodesEqualTheContract(t *testing.T) {
	t.Parallel()
	require.ElementsMatch(t, enum(t, "ProblemCode"), constants(t, "Code"))
	require.ElementsMatch(t, enum(t, "FieldErrorCode"), constants(t, "FieldCode"))
	require.Subset(t, enum(t, "ProblemCode"), enum(t, "AIFailureCode"))
}

func TestEveryCodeHasAStatusAndATitle(t *testing.T) {
	t.Parallel()
	codes := constants(t, "Code")
	require.Len(t, problems, len(codes))
	doc, err := contract.Read(api.SpecJSON)
	require.NoError(t, err)
	for _, code := range codes {
		kind, known := problems[apperr.Code(code)]
		require.True(t, known, code)
		require.NotEmpty(t, kind.title, code)
		require.NotEmpty(t, http.StatusText(kind.status), code)
		require.GreaterOrEqual(t, kind.status, 400, code)
		require.Regexp(t, `^[a-z]+(_[a-z]+)*$`, code)
		if kind.retryable && apperr.Code(code) != apperr.IdempotencyInProgress {
			require.True(t, kind.status >= 500 || kind.status == http.StatusTooManyRequests,
				"%s: a client's mistake does not go away by itself", code)
		}
	}
	for name, example := range doc.Components.Examples {
		value, ok := example.Value.Value.(map[string]any)
		code, isProblem := value["code"].(string)
		if !ok || !isProblem {
			continue
		}
		kind, known := problems[apperr.Code(code)]
		require.True(t, known, name)
		require.InDelta(t, kind.status, value["status"], 0, name)
		require.Equal(t, kind.title, value["title"], name)
		require.Equal(t, "/problems/"+code, value["type"], name)
		require.Equal(t, kind.retryable, value["retryable"] == true, name)
	}
}
