package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/config"
)

func TestDevelopmentHasItsOwnDefaults(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Development([]string{"SUPPORT_ADDR= "}), 0)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8000", c.Addr, "only this machine")
	require.Equal(t, "text", c.LogFormat)
	require.Zero(t, c.SignUpLimit)
	require.Contains(t, c.AllowedOrigins, "http://localhost:5173")
	require.Contains(t, c.AllowedOrigins, "http://127.0.0.1:3000")

	c, err = config.Load(config.Development([]string{"SUPPORT_ADDR=:1", "ALLOWED_ORIGINS=https://a.example", "SUPPORT_SIGNUP_LIMIT=7"}), 0)
	require.NoError(t, err)
	require.Equal(t, ":1", c.Addr)
	require.Equal(t, []string{"https://a.example"}, c.AllowedOrigins)
	require.Equal(t, 7, c.SignUpLimit)
}

func TestFileSetsVariablesThatTheEnvironmentDoesNot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	environ, names, err := config.WithFile(environ(), path)
	require.NoError(t, err, "the file is optional")
	require.Empty(t, names)

	require.NoError(t, os.WriteFile(path, []byte("GROQ_MODEL=one # a comment\nSUPPORT_ADDR='127.0.0.1:1'\nEXPIRE_MINUTES=\nGROQ_API_KEY=file\n"), 0o600))
	environ, names, err = config.WithFile(append(environ, "GROQ_API_KEY=environment", "SUPPORT_ADDR="), path)
	require.NoError(t, err)
	require.Equal(t, []string{"GROQ_MODEL", "SUPPORT_ADDR"}, names)
	c, err := load(environ)
	require.NoError(t, err)
	require.Equal(t, "one", c.GroqModel)
	require.Equal(t, "127.0.0.1:1", c.Addr, "an empty variable sets nothing")
	require.Equal(t, "environment", c.GroqAPIKey.Reveal())

	require.NoError(t, os.WriteFile(path, []byte(canary+"\n"), 0o600))
	_, _, err = config.WithFile(nil, path)
	require.ErrorContains(t, err, "NAME=value")
	require.NotContains(t, err.Error(), canary)
	_, _, err = config.WithFile(nil, t.TempDir())
	require.ErrorContains(t, err, "is a directory")
}

func TestOnlyGroqHasADefaultFallback(t *testing.T) {
	t.Parallel()
	for environment, want := range map[string][]string{
		"":                                       {"openai/gpt-oss-120b", "openai/gpt-oss-20b"},
		"GROQ_DIALECT=groq":                      {"openai/gpt-oss-120b", "openai/gpt-oss-20b"},
		"GROQ_API_URL=http://localhost:11434/v1": {"openai/gpt-oss-120b"},
		"GROQ_FALLBACK_MODELS=a,b":               {"openai/gpt-oss-120b", "a", "b"},
	} {
		c, err := load(environ(environment))
		require.NoError(t, err)
		require.Equal(t, want, c.GroqModels(), environment)
	}
}

// commentedDefault is a line of .env.example that shows a default.
var commentedDefault = regexp.MustCompile(`(?m)^#([A-Z_]+=)`)

func TestExampleFileShowsEverySettingWithItsDefault(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../.env.example")
	require.NoError(t, err)
	for field := range reflect.TypeFor[config.Config]().Fields() {
		if name := field.Tag.Get("env"); name != "" && name != "-" {
			require.Regexp(t, "(?m)^#?"+name+"=", string(example))
		}
	}
	path := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(path, commentedDefault.ReplaceAll(example, []byte("$1")), 0o600))
	filled, names, err := config.WithFile(environ(), path)
	require.NoError(t, err)
	require.NotEmpty(t, names)
	want, err := load(environ())
	require.NoError(t, err)
	c, err := load(filled)
	require.NoError(t, err)
	require.Equal(t, want, c)
}
