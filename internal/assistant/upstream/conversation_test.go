package upstream

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/groq"
)

func TestShorterConversationKeepsTheSystemPromptAndTheNewestMessages(t *testing.T) {
	t.Parallel()
	system := groq.Message{Role: groq.RoleSystem, Content: strings.Repeat("s", 5000)}
	build := func(sizes ...int) Conversation {
		messages := Conversation{system}
		for i, size := range sizes {
			messages = append(messages, groq.Message{Role: groq.RoleUser, Content: strings.Repeat(string(rune('a'+i)), size)})
		}
		return messages
	}
	for name, c := range map[string]struct {
		sizes []int
		kept  int
	}{
		"many":                       {[]int{100, 100, 100, 100}, 2},
		"an odd number":              {[]int{100, 100, 100, 100, 100}, 2},
		"one that does not fit":      {[]int{10, 300, 100, 100}, 2},
		"the newest is most of it":   {[]int{100, 100, 1000}, 1},
		"the newest is little of it": {[]int{1000, 100}, 1},
		"only one":                   {[]int{1000}, 1},
		"nothing but empty messages": {[]int{0, 0, 0}, 3},
	} {
		whole := build(c.sizes...)
		before := slices.Clone(whole)
		got := whole.shorter()
		require.Equal(t, system, got[0], name)
		require.Equal(t, whole[len(whole)-c.kept:], got[1:], name)
		require.Equal(t, before, whole, "%s: the original is unchanged", name)
	}
}

func TestNeighboursOfOneRoleAreJoined(t *testing.T) {
	t.Parallel()
	system := groq.Message{Role: groq.RoleSystem, Content: "s"}
	user := func(content string) groq.Message { return groq.Message{Role: groq.RoleUser, Content: content} }
	desk := func(content string) groq.Message { return groq.Message{Role: groq.RoleAssistant, Content: content} }
	for name, c := range map[string]struct{ messages, want []groq.Message }{
		"neighbours":       {[]groq.Message{user("a"), user("b"), desk("c"), desk("d"), user("e")}, []groq.Message{user("a\n\nb"), desk("c\n\nd"), user("e")}},
		"turns":            {[]groq.Message{user("a"), desk("b"), user("c")}, []groq.Message{user("a"), desk("b"), user("c")}},
		"a reply is first": {[]groq.Message{desk("a"), desk("b"), user("c"), user("d")}, []groq.Message{user("c\n\nd")}},
		"only one":         {[]groq.Message{user("a")}, []groq.Message{user("a")}},
		"only a reply":     {[]groq.Message{desk("a")}, []groq.Message{desk("a")}},
	} {
		whole := append(Conversation{system}, c.messages...)
		before := slices.Clone(whole)
		require.Equal(t, append([]groq.Message{system}, c.want...), whole.Messages(), name)
		require.Equal(t, before, whole, "%s: the original is unchanged", name)
	}
}
