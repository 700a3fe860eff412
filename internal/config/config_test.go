package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/config"
)

const (
	canary = "canary-5f1d"

	goodSecret = "one two three four five six seven"
	// More secrets, as during a rotation.
	nextSecret     = "eight nine ten eleven twelve thirteen"
	previousSecret = "fourteen fifteen sixteen seventeen"

	goodDatabase = "postgres://user:password@localhost:5432/support"
)

// environ returns the required variables and these.
func environ(more ...string) []string {
	return append([]string{"JWT_SECRET=" + goodSecret, "DATABASE_URL=" + goodDatabase, "PATH=/bin"}, more...)
}

func load(environ []string) (config.Config, error) {
	return config.Load(environ, config.NeedDatabase|config.NeedSecret)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := load(environ())
	require.NoError(t, err)
	require.Empty(t, c.Warnings)
	require.Equal(t, goodDatabase, c.DatabaseURL.Reveal())
	require.Equal(t, goodSecret, c.JWTSecret.Reveal())
	require.Equal(t, 15*time.Minute, c.AccessTokenTTL())
	require.Equal(t, config.DefaultGroqAPIURL, c.GroqAPIURL)
	require.Equal(t, "openai/gpt-oss-120b", c.GroqModel)
	require.Equal(t, 1024, c.GroqMaxTokens)
	require.Equal(t, "auto", c.AIMode)
	require.Equal(t, "off", c.AITriage)
	require.Equal(t, ":8000", c.Addr)
	require.Equal(t, int32(20), c.DBMaxConns)
	require.Equal(t, 50, c.RateLimit)
	require.Equal(t, 10, c.SignUpLimit)
	require.Equal(t, 100, c.LogInLimit)
	require.Empty(t, c.DebugAddr)
	require.True(t, c.Docs)
	require.True(t, c.Workers)
	require.Equal(t, "json", c.LogFormat)
	require.Equal(t, slog.LevelInfo, c.LogLevel)
	require.Empty(t, c.AllowedOrigins)
	require.Empty(t, c.ProxyNetworks())
	require.Empty(t, c.AcceptedSecrets())
}

func TestEverySettingIsRead(t *testing.T) {
	t.Parallel()
	c, err := load(environ("EXPIRE_MINUTES=1440", "GROQ_API_KEY=key", "GROQ_API_URL=http://localhost:11434", "GROQ_MODEL=llama",
		"GROQ_MAX_TOKENS=1", "GROQ_DIALECT=compatible", "GROQ_HEADER_TIMEOUT=1m", "GROQ_SILENCE_TIMEOUT=1s",
		"GROQ_TOTAL_TIMEOUT=1h", "ALLOWED_ORIGINS=https://a.example, http://localhost:3000", "SUPPORT_ADDR=127.0.0.1:80",
		"SUPPORT_DB_MAX_CONNS=500", "SUPPORT_RATE_LIMIT=0", "SUPPORT_SIGNUP_LIMIT=0", "SUPPORT_LOGIN_LIMIT=7", "SUPPORT_DEBUG_ADDR=127.0.0.1:6060",
		"SUPPORT_DOCS=false", "SUPPORT_WORKERS=false", "SUPPORT_AI_MODE=draft", "SUPPORT_AI_TRIAGE=apply", "SUPPORT_LOG_FORMAT=text", "SUPPORT_LOG_LEVEL=debug",
		"SUPPORT_TRUSTED_PROXIES=10.0.0.0/8, fd00::/8",
		"JWT_SECRETS_ACCEPTED="+nextSecret+", "+previousSecret, "SUPPORT_BASE_URL=for-an-sdk", "SUPPORT_TOKEN=for-an-sdk"))
	require.NoError(t, err)
	require.Equal(t, 24*time.Hour, c.AccessTokenTTL())
	require.Equal(t, "key", c.GroqAPIKey.Reveal())
	require.Equal(t, "http://localhost:11434", c.GroqAPIURL)
	require.Equal(t, []string{"https://a.example", "http://localhost:3000"}, c.AllowedOrigins)
	require.Equal(t, "compatible", c.GroqDialect)
	require.Equal(t, []time.Duration{time.Minute, time.Second, time.Hour},
		[]time.Duration{c.GroqHeaderTimeout, c.GroqSilenceTimeout, c.GroqTotalTimeout})
	require.Equal(t, slog.LevelDebug, c.LogLevel)
	require.Equal(t, "draft", c.AIMode)
	require.Equal(t, "apply", c.AITriage)
	require.Zero(t, c.RateLimit)
	require.Zero(t, c.SignUpLimit)
	require.Equal(t, 7, c.LogInLimit)
	require.Equal(t, "127.0.0.1:6060", c.DebugAddr)
	require.False(t, c.Docs)
	require.False(t, c.Workers)
	require.Len(t, c.ProxyNetworks(), 2)
	require.Equal(t, [][]byte{[]byte(nextSecret), []byte(previousSecret)}, c.AcceptedSecrets())
}

func TestEmptyVariableIsNotSet(t *testing.T) {
	t.Parallel()
	c, err := load(environ("EXPIRE_MINUTES=", "GROQ_API_KEY=", "SUPPORT_DOCS= ", "SUPPORT_TYPO="))
	require.NoError(t, err)
	require.Equal(t, 15, c.ExpireMinutes)
	_, err = load([]string{"JWT_SECRET=", "DATABASE_URL=  "})
	require.ErrorContains(t, err, "JWT_SECRET is not set")
	require.ErrorContains(t, err, "DATABASE_URL is not set")
}

func TestAllFaultsAreReportedWithoutTheirValues(t *testing.T) {
	t.Parallel()
	_, err := load([]string{
		"DATABASE_URL=mysql://root:" + canary + "@localhost/x", "JWT_SECRET=" + canary, "EXPIRE_MINUTES=" + canary,
		"JWT_SECRETS_ACCEPTED=" + canary,
		"GROQ_API_URL=ftp://" + canary, "GROQ_MODEL=" + strings.Repeat(canary, 20), "GROQ_MAX_TOKENS=99999999999999999999",
		"ALLOWED_ORIGINS=https://" + canary + "/path", "SUPPORT_ADDR=" + canary, "SUPPORT_DB_MAX_CONNS=-7771",
		"SUPPORT_DOCS=" + canary, "SUPPORT_LOG_FORMAT=" + canary, "SUPPORT_LOG_LEVEL=" + canary,
		"SUPPORT_TRUSTED_PROXIES=" + canary, "SUPPORT_ADRR=" + canary, "GROK_API_KEY=" + canary, "GROQ_API_KEY=other-" + canary,
	})
	require.Error(t, err)
	text := err.Error()
	require.NotContains(t, text, canary)
	require.NotContains(t, text, "7771")
	require.NotContains(t, text, "99999999999999999999")
	names := []string{
		"DATABASE_URL", "JWT_SECRET", "JWT_SECRETS_ACCEPTED", "EXPIRE_MINUTES", "GROQ_API_URL", "GROQ_MODEL", "GROQ_MAX_TOKENS", "ALLOWED_ORIGINS",
		"SUPPORT_ADDR", "SUPPORT_DB_MAX_CONNS", "SUPPORT_DOCS", "SUPPORT_LOG_FORMAT", "SUPPORT_LOG_LEVEL",
		"SUPPORT_TRUSTED_PROXIES", "SUPPORT_ADRR", "GROK_API_KEY",
	}
	for _, name := range names {
		require.Equal(t, 1, strings.Count(text, "\n  "+name+" "), "%s in:\n%s", name, text)
	}
	require.Contains(t, text, fmt.Sprintf("%d fault(s)", len(names)))
}

func TestInvalidValueIsNotQuoted(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][]string{
		"JWT_SECRET": {
			"short", strings.Repeat("a", 31), strings.Repeat("a", 64), strings.Repeat("change-me", 5), "CHANGE-ME-change-me-CHANGE-ME-change-me",
			"secret.secret.secret.secret.secret", "your_jwt_key_your_jwt_key_your_jwt_key",
		},
		"JWT_SECRETS_ACCEPTED": {
			"short", strings.Repeat("a", 64), goodSecret + ",short", goodSecret + ",", ",", "," + goodSecret,
			strings.Repeat("change-me", 5), strings.Repeat(goodSecret+",", 4) + goodSecret,
		},
		"DATABASE_URL": {
			"host=localhost password=hunter2", "postgres://user:hunter2@localhost", "postgres://user:hunter2@a,b",
			"postgres://user:hunter2@a:1,b:2?target_session_attrs=read-write", "http://localhost/hunter2",
			"postgres://user:hunter2@local host/x", "postgres://user:hunter2%zz@localhost/x", "sqlite:///hunter2",
		},
		"EXPIRE_MINUTES":         {"0", "-1", "1441", "1.5", "15m", "0x0f", "99999999999999999999"},
		"GROQ_MAX_TOKENS":        {"0", "-1", "65537", "1e3"},
		"GROQ_DIALECT":           {"Groq", "ollama", "none"},
		"GROQ_HEADER_TIMEOUT":    {"15", "0s", "999ms", "61m", "-1s", "a minute"},
		"GROQ_SILENCE_TIMEOUT":   {"20", "0s", "2h"},
		"GROQ_TOTAL_TIMEOUT":     {"120", "0s", "2h"},
		"SUPPORT_AI_MODE":        {"on", "AUTO", "human"},
		"SUPPORT_AI_TRIAGE":      {"on", "auto", "Apply"},
		"SUPPORT_DB_POOLER":      {"session", "yes", "Transaction"},
		"SUPPORT_DB_MIGRATE_URL": {"http://localhost/hunter2", "postgres://user:hunter2@localhost"},
		"SUPPORT_DB_MAX_CONNS":   {"0", "-1", "501", "2147483648", "twenty"},
		"SUPPORT_RATE_LIMIT":     {"-1", "100001", "50/s"},
		"SUPPORT_SIGNUP_LIMIT":   {"-1", "10001", "10/h"},
		"SUPPORT_LOGIN_LIMIT":    {"-1", "10001", "100/h"},
		"SUPPORT_DEBUG_ADDR":     {":6060", "6060", "127.0.0.1"},
		"SUPPORT_DOCS":           {"yes", "on", "2"},
		"SUPPORT_WORKERS":        {"yes", "on", "2"},
		"SUPPORT_WEBHOOK_ALLOW":  {"10.0.0.1", "10.0.0.0/33", "receiver.example", "10.0.0.0/8,x", "*"},
		"GROQ_ALLOW":             {"10.0.0.1", "10.0.0.0/33", "model.example", "10.0.0.0/8,x", "*"},
		"SUPPORT_LOG_LEVEL":      {"verbose", "trace"},
		"SUPPORT_LOG_FORMAT":     {"xml", "JSON"},
		"SUPPORT_ADDR":           {"8000", "localhost", "::1:8000", "a:b:c"},
		"GROQ_API_URL":           {"api.groq.com", "//api.groq.com", "file:///etc/passwd", "https://", "https://%zz"},
		"ALLOWED_ORIGINS": {
			"*", "https://*.example.com", "null", "https://a.example/", "https://A.example", "a.example", "https://u@a.example",
			"https://a.example,https://b.example/x", "ftp://a.example", "https://a.example?x", "https://a.example,",
		},
		"SUPPORT_TRUSTED_PROXIES": {"10.0.0.1", "10.0.0.0/33", "proxy.example", "10.0.0.0/8,x", "*"},
	} {
		for _, value := range values {
			variables := append([]string{"JWT_SECRET=" + goodSecret, "DATABASE_URL=" + goodDatabase}, name+"="+value)
			_, err := load(variables)
			require.Error(t, err, "%s=%s", name, value)
			require.Contains(t, err.Error(), "1 fault(s)", "%s=%s: %v", name, value, err)
			require.Contains(t, err.Error(), "\n  "+name+" ")
			if len(value) > len("https://") { // The message itself may contain short values.
				require.NotContains(t, err.Error(), value)
			}
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestMisspelledSettingIsReported(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"SUPPORT_ADDRESS", "SUPPORT_", "SUPPORT_addr", "SUPPORT_LOGLEVEL", "SUPPORT_JWT_SECRET", "GROQ_KEY", "GROK_MODEL",
		"ALLOWED_ORIGIN", "ALLOWED_ORIGINS_", "JWT_KEY", "JWT_SECRET_ACCEPTED", "EXPIRE_MINUTE",
	} {
		_, err := load(environ(name + "=" + canary))
		require.ErrorContains(t, err, name+" is not a setting")
		require.NotContains(t, err.Error(), canary)
	}
	_, err := load(environ("XGROQ_KEY=x", "SUPPORTED=x", "ALLOWED=x", "MY_SUPPORT_X=x", "support_x=x"))
	require.NoError(t, err, "variables of other programs are ignored")
}

func TestCommandRequiresOnlyTheSettingsThatItUses(t *testing.T) {
	t.Parallel()
	_, err := config.Load(nil, 0)
	require.NoError(t, err)
	_, err = config.Load(nil, config.NeedDatabase)
	require.ErrorContains(t, err, "DATABASE_URL is not set")
	require.NotContains(t, err.Error(), "JWT_SECRET")
	_, err = config.Load(nil, config.NeedSecret)
	require.ErrorContains(t, err, "JWT_SECRET is not set")
	require.NotContains(t, err.Error(), "DATABASE_URL")
	_, err = config.Load([]string{"JWT_SECRET=short"}, 0)
	require.ErrorContains(t, err, "JWT_SECRET", "an optional setting must still be valid")
}

func TestDeprecatedNamesWork(t *testing.T) {
	t.Parallel()
	c, err := load(environ("GROK_API_KEY="+canary, "GROK_API_URL=http://localhost:1"))
	require.NoError(t, err)
	require.Equal(t, canary, c.GroqAPIKey.Reveal())
	require.Equal(t, "http://localhost:1", c.GroqAPIURL)
	require.Equal(t, []string{
		"GROK_API_KEY is deprecated: use GROQ_API_KEY.", "GROK_API_URL is deprecated: use GROQ_API_URL.",
	}, c.Warnings)

	c, err = load(environ("GROK_API_KEY=same", "GROQ_API_KEY=same"))
	require.NoError(t, err)
	require.Len(t, c.Warnings, 1)

	_, err = load(environ("GROK_API_KEY=old-"+canary, "GROQ_API_KEY=new-"+canary))
	require.ErrorContains(t, err, "GROK_API_KEY differs from GROQ_API_KEY")
	require.NotContains(t, err.Error(), canary)

	c, err = load(environ("GROK_API_KEY=", "GROQ_API_KEY=new"))
	require.NoError(t, err)
	require.Empty(t, c.Warnings)
	require.Equal(t, "new", c.GroqAPIKey.Reveal())
}

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	secret := config.Secret(canary)
	holder := struct {
		Secret  config.Secret
		Pointer *config.Secret
		List    []config.Secret
		Map     map[string]config.Secret
		Any     any
	}{secret, &secret, []config.Secret{secret}, map[string]config.Secret{"key": secret}, secret}
	whole, err := load(environ("GROQ_API_KEY=" + canary))
	require.NoError(t, err)

	for _, value := range []any{secret, holder, holder.List, holder.Map, whole, &whole} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X"} {
			require.NotContains(t, fmt.Sprintf(verb, value), canary, verb)
			require.NotContains(t, strings.ToLower(fmt.Sprintf(verb, value)), fmt.Sprintf("%x", canary), verb)
		}
		require.NotContains(t, fmt.Sprint(value)+fmt.Sprintln(value), canary)
		encoded, err := json.Marshal(value)
		require.NoError(t, err)
		require.NotContains(t, string(encoded), canary)
		var log bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
			logger := slog.New(handler).With(slog.Any("with", value))
			logger.Info("said", slog.Any("value", value), slog.Group("group", slog.Any("value", value)))
		}
		require.NotContains(t, log.String(), canary)
	}
	require.Equal(t, "[redacted]", secret.String())
	require.NotContains(t, fmt.Errorf("open %s: %w", secret, fmt.Errorf("dial %v", secret)).Error(), canary)
	require.Equal(t, canary, secret.Reveal())
}

func TestSettingOutOfRangeReportsItsRange(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]string{
		"EXPIRE_MINUTES": "from 1 to 1440", "GROQ_MAX_TOKENS": "from 1 to 65536", "SUPPORT_DB_MAX_CONNS": "from 1 to 500",
		"SUPPORT_RATE_LIMIT": "from 0 to 100000", "SUPPORT_SIGNUP_LIMIT": "from 0 to 10000",
		"SUPPORT_LOGIN_LIMIT":    "from 0 to 10000",
		"SUPPORT_AI_MAX_RUNNING": "from 1 to 1000000", "SUPPORT_AI_RUNNING": "from 1 to 1000000, or 0 for no limit",
		"SUPPORT_MAX_STREAMS": "from 1 to 1000000", "SUPPORT_STREAMS_PER_ACCOUNT": "from 1 to 1000000",
		"SUPPORT_JOURNAL_DAYS":  "from 1 to 3650",
		"SUPPORT_BYTES_PER_DAY": "from 1 to 1099511627776, or 0 for no limit",
	} {
		_, largest, _ := strings.Cut(strings.TrimSuffix(limits, ", or 0 for no limit"), " to ")
		_, err := load(environ(name + "=" + largest))
		require.NoError(t, err)
		for _, value := range []string{"-1", "many", "1.5", "99999999999999999999"} {
			_, err := load(environ(name + "=" + value))
			require.ErrorContains(t, err, "\n  "+name+" is not a whole number "+limits)
			require.ErrorContains(t, err, "1 fault(s)")
		}
	}
}

func TestPublicDebugAddressCausesAWarning(t *testing.T) {
	t.Parallel()
	for addr, warned := range map[string]bool{
		"0.0.0.0:6060": true, "[::]:6060": true, "127.0.0.1:6060": false, "[::1]:6060": false, "10.0.0.7:6060": false,
		"localhost:6060": false,
	} {
		c, err := load(environ("SUPPORT_DEBUG_ADDR=" + addr))
		require.NoError(t, err)
		require.Equal(t, warned, len(c.Warnings) == 1, "%s: %v", addr, c.Warnings)
	}
}

// Model names are labels of metrics, and are stored with each answer.
func TestModelNamesArePrintable(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a\x01b", "a\u200bb", "a\xffb", "a\u00a0b", "a\nb"} {
		for _, setting := range []string{"GROQ_MODEL", "GROQ_FALLBACK_MODELS"} {
			_, err := load(environ(setting + "=" + name))
			require.ErrorContains(t, err, setting+" ")
			require.ErrorContains(t, err, "character that cannot be printed")
		}
	}
	_, err := load(environ(`GROQ_MODEL=modèle "a\b"`))
	require.NoError(t, err)
}

func TestDatabaseMayComeFromAService(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"postgres:///?service=desk", "service=desk", "postgres://host/?dbname=support"} {
		_, err := load([]string{"DATABASE_URL=" + database, "JWT_SECRET=" + goodSecret})
		require.NoError(t, err, database)
	}
}

func TestDatabaseMayHaveSeveralHosts(t *testing.T) {
	t.Parallel()
	for _, database := range []string{
		"postgres://user:pass,word@a:5432,b:5433/support?target_session_attrs=read-write", "postgres://a,b,c/support",
		"postgresql://user@[::1]:5432,[::2]:5432/support", "host=a,b port=5432,5433 dbname=support target_session_attrs=read-write",
	} {
		c, err := config.Load([]string{"DATABASE_URL=" + database}, config.NeedDatabase)
		require.NoError(t, err, database)
		require.Equal(t, database, c.DatabaseURL.Reveal())
	}
}

func TestMigrationsBypassThePooler(t *testing.T) {
	t.Parallel()
	c, err := load(environ())
	require.NoError(t, err)
	require.False(t, c.TransactionPooler())
	direct, err := c.MigrateURL()
	require.NoError(t, err)
	require.Equal(t, goodDatabase, direct)

	c, err = load(environ("SUPPORT_DB_POOLER=transaction"))
	require.NoError(t, err)
	require.True(t, c.TransactionPooler())
	_, err = c.MigrateURL()
	require.ErrorContains(t, err, "SUPPORT_DB_MIGRATE_URL is not set")

	c, err = load(environ("SUPPORT_DB_POOLER=transaction", "SUPPORT_DB_MIGRATE_URL=postgres://direct/support"))
	require.NoError(t, err)
	direct, err = c.MigrateURL()
	require.NoError(t, err)
	require.Equal(t, "postgres://direct/support", direct)
}

func TestDefaultsNeedNoEnvironment(t *testing.T) {
	t.Parallel()
	d := config.Defaults()
	loaded, err := load(environ())
	require.NoError(t, err)
	d.DatabaseURL, d.JWTSecret = loaded.DatabaseURL, loaded.JWTSecret
	require.Equal(t, loaded, d)
	for field, value := range reflect.ValueOf(d).Fields() {
		if field.Tag.Get("env") == "-" && field.Name != "Warnings" {
			require.NotZero(t, value.Interface(), field.Name)
		}
	}
}
