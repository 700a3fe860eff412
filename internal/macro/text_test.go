package macro

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlaceholdersAreChecked(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"Hello.", "Hello {{customer.name}}.", "{{ agent.name }}{{ticket.id}}\n{{ticket.title}}", "{{customer.name|dear customer}}", "a } b }} c {",
	} {
		require.NoError(t, checkText(good), good)
	}
	for _, bad := range []string{
		"{{customer.email}}", "{{}}", "{{", "{{customer.name}", "{{{customer.name}}}", "{{Customer.Name}}", "{{customer.name|a|b}}",
		"{{customer.name {{agent.name}}}}", "Hello {{customer.name}}, {{secret}}",
	} {
		require.Error(t, checkText(bad), bad)
	}
}

func TestValuesAreInsertedUnchanged(t *testing.T) {
	t.Parallel()
	v := values{customerName: "{{agent.name}}", agentName: "$1 {{customer.name}}", ticketID: "7", ticketTitle: `\1 {{`}
	filled, err := fill("{{customer.name}}, {{ agent.name }}, {{ticket.id}}, {{ticket.title}}", v)
	require.NoError(t, err)
	require.Equal(t, `{{agent.name}}, $1 {{customer.name}}, 7, \1 {{`, filled)
}

func TestUnknownNamesHaveSubstitutes(t *testing.T) {
	t.Parallel()
	filled, err := fill("{{customer.name}} {{customer.name|friend}} {{agent.name}} {{agent.name|us}}", values{})
	require.NoError(t, err)
	require.Equal(t, "there friend the support team us", filled)
}

func TestTooLongResultIsRefused(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("{{customer.name}}", 400)
	_, err := fill(text, values{customerName: strings.Repeat("ö", 20)})
	require.NoError(t, err)
	_, err = fill(text, values{customerName: strings.Repeat("ö", 21)})
	require.Error(t, err)
}
