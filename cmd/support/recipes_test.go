package main

import (
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/groqtest"
)

// recipeServers simulate the servers of the README's recipes.
var recipeServers = map[string]groqsim.Options{
	"llama3.2": {
		KeyOptional: true, Models: []string{"llama3.2"},
		Default: groqsim.Script{HeaderDelay: groqsim.Duration(time.Second), NoUsage: true},
	},
	"Qwen/Qwen3-8B": {
		KeyOptional: true, Models: []string{"Qwen/Qwen3-8B"},
		Default: groqsim.Script{
			Refuses: []string{"include_reasoning", "max_completion_tokens", "stream_options"}, Alternates: true,
			Deltas: []string{"secret", "\n</th", "ink>", "\n\nThank you."},
		},
	},
	"gpt-4.1-mini": {
		APIKey: "sk-test", Models: []string{"gpt-4.1-mini"}, Default: groqsim.Script{Refuses: []string{"max_tokens", "include_reasoning"}},
	},
}

// recipes returns the settings in the README's commands for other AI servers, by model.
func recipes(t *testing.T) map[string][]string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	found := make(map[string][]string)
	for line := range strings.Lines(string(readme)) {
		settings, isRecipe := strings.CutSuffix(strings.TrimSpace(line), " go run ./cmd/support dev")
		_, model, names := strings.Cut(settings, "GROQ_MODEL=")
		if !isRecipe || !names {
			continue
		}
		model, _, _ = strings.Cut(model, " ")
		found[model] = strings.Fields(settings)
	}
	return found
}

func TestReadmeRecipes(t *testing.T) {
	t.Parallel()
	found := recipes(t)
	require.Len(t, found, len(recipeServers))
	for model, settings := range found {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			options, known := recipeServers[model]
			require.True(t, known, "a server to try %q with", model)
			upstream := groqtest.Serve(t, groqsim.New(options))
			environ := []string{"HOME=" + openDir(t)}
			for _, setting := range settings {
				setting = strings.ReplaceAll(setting, "sk-…", "sk-test")
				if address, isURL := strings.CutPrefix(setting, "GROQ_API_URL="); isURL {
					u, err := url.Parse(address)
					require.NoError(t, err)
					if u.Hostname() == "api.openai.com" {
						environ = append(environ, "GROQ_DIALECT=openai") // The product recognizes the real server by its host name.
					}
					setting = "GROQ_API_URL=" + upstream + u.Path
				}
				environ = append(environ, setting)
			}

			code, out := run(t, program(t, environ, "doctor"))
			require.Zero(t, code, out)
			require.Regexp(t, `(?m)^ai +ok +`+model, out)

			p := start(t, program(t, environ, "dev", "--addr", "127.0.0.1:0", "--data-dir", dataDir(t)))
			p.waitFor(t, "Ctrl-C stops everything.")
			require.Contains(t, p.output.String(), "model "+model)
			answer := p.walk(t)
			require.Contains(t, answer, "event: done\n")
			require.NotContains(t, answer, "secret")
			p.interrupt(t)
		})
	}
}
