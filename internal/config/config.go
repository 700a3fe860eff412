// Package config reads the settings from the environment, and reports all faults in them at once.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// DefaultGroqAPIURL is Groq itself. It needs a key; other servers may not.
const DefaultGroqAPIURL = "https://api.groq.com"

// defaultGroqFallback is the fallback model at Groq. Other servers may not have it.
const defaultGroqFallback = "openai/gpt-oss-20b"

// groqDialect is the value of GroqDialect for Groq behind another URL.
const groqDialect = "groq"

// Config holds the settings. Their defaults are here and nowhere else.
type Config struct {
	DatabaseURL Secret `env:"DATABASE_URL"`
	JWTSecret   Secret `env:"JWT_SECRET"`
	// AcceptedJWTSecrets also verify tokens while JWTSecret is being replaced.
	AcceptedJWTSecrets []Secret `env:"JWT_SECRETS_ACCEPTED"`
	ExpireMinutes      int      `env:"EXPIRE_MINUTES"           envDefault:"15"`
	GroqAPIKey         Secret   `env:"GROQ_API_KEY"`
	GroqAPIURL         string   `env:"GROQ_API_URL"             envDefault:"https://api.groq.com"`
	GroqModel          string   `env:"GROQ_MODEL"               envDefault:"openai/gpt-oss-120b"`
	GroqFallbacks      []string `env:"GROQ_FALLBACK_MODELS"`
	GroqMaxTokens      int      `env:"GROQ_MAX_TOKENS"          envDefault:"1024"`
	GroqDialect        string   `env:"GROQ_DIALECT"             envDefault:"auto"`
	// GroqAllow are the networks, besides public addresses, that GroqAPIURL may lead into. The default is private networks
	// without cloud metadata.
	GroqAllow      []string `env:"GROQ_ALLOW" envDefault:"127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,198.18.0.0/15,fc00::/7,64:ff9b::/96"`
	AllowedOrigins []string `env:"ALLOWED_ORIGINS"`

	// GroqHeaderTimeout bounds the time to the response's headers, GroqSilenceTimeout the time without a byte after them,
	// and GroqTotalTimeout the whole answer.
	GroqHeaderTimeout  time.Duration `env:"GROQ_HEADER_TIMEOUT"  envDefault:"15s"`
	GroqSilenceTimeout time.Duration `env:"GROQ_SILENCE_TIMEOUT" envDefault:"20s"`
	GroqTotalTimeout   time.Duration `env:"GROQ_TOTAL_TIMEOUT"   envDefault:"120s"`

	AIMode       string `env:"SUPPORT_AI_MODE"        envDefault:"auto"`
	AITriage     string `env:"SUPPORT_AI_TRIAGE"      envDefault:"off"`
	AIRunning    int32  `env:"SUPPORT_AI_RUNNING"     envDefault:"2"`
	AIPerMinute  int32  `env:"SUPPORT_AI_PER_MINUTE"  envDefault:"10"`
	AIPerDay     int32  `env:"SUPPORT_AI_PER_DAY"     envDefault:"100"`
	AIMaxRunning int    `env:"SUPPORT_AI_MAX_RUNNING" envDefault:"200"`
	MaxStreams   int    `env:"SUPPORT_MAX_STREAMS"    envDefault:"12000"`

	StreamsPerAccount int   `env:"SUPPORT_STREAMS_PER_ACCOUNT" envDefault:"100"`
	TicketsPerDay     int   `env:"SUPPORT_TICKETS_PER_DAY"     envDefault:"500"`
	MessagesPerDay    int   `env:"SUPPORT_MESSAGES_PER_DAY"    envDefault:"5000"`
	BytesPerDay       int64 `env:"SUPPORT_BYTES_PER_DAY"       envDefault:"67108864"`
	JournalDays       int   `env:"SUPPORT_JOURNAL_DAYS"        envDefault:"90"`

	Addr           string     `env:"SUPPORT_ADDR"            envDefault:":8000"`
	DBMaxConns     int32      `env:"SUPPORT_DB_MAX_CONNS"    envDefault:"20"`
	DBPooler       string     `env:"SUPPORT_DB_POOLER"       envDefault:"none"`
	DBMigrateURL   Secret     `env:"SUPPORT_DB_MIGRATE_URL"`
	WebhookAllow   []string   `env:"SUPPORT_WEBHOOK_ALLOW"`
	Workers        bool       `env:"SUPPORT_WORKERS"         envDefault:"true"`
	DebugAddr      string     `env:"SUPPORT_DEBUG_ADDR"`
	RateLimit      int        `env:"SUPPORT_RATE_LIMIT"      envDefault:"50"`
	SignUpLimit    int        `env:"SUPPORT_SIGNUP_LIMIT"    envDefault:"10"`
	LogInLimit     int        `env:"SUPPORT_LOGIN_LIMIT"     envDefault:"100"`
	SearchLanguage string     `env:"SUPPORT_SEARCH_LANGUAGE" envDefault:"english"`
	Docs           bool       `env:"SUPPORT_DOCS"            envDefault:"true"`
	LogFormat      string     `env:"SUPPORT_LOG_FORMAT"      envDefault:"json"`
	LogLevel       slog.Level `env:"SUPPORT_LOG_LEVEL"       envDefault:"info"`
	TrustedProxies []string   `env:"SUPPORT_TRUSTED_PROXIES"`

	// No variable sets the following members; tests change them.

	// FirstEventPatience is how long a stream's response waits for the first event: long enough for most failures to
	// get a status, and short enough for proxies.
	FirstEventPatience time.Duration `env:"-"`
	// StreamRecheck is how often an open stream checks that its reader may still read it.
	StreamRecheck time.Duration `env:"-"`
	// FailedLogIns limits the wrong passwords for one e-mail address from one network in 15 minutes.
	FailedLogIns int `env:"-"`
	// PasswordMemory, in KiB, PasswordPasses and PasswordLanes are the parameters of argon2id.
	PasswordMemory uint32 `env:"-"`
	PasswordPasses uint32 `env:"-"`
	PasswordLanes  uint8  `env:"-"`
	// GroqRetries is how often a request that failed before its answer began is sent again, and GroqRetryWait the
	// longest wait before that. GroqLineBytes, GroqBodyBytes and GroqAnswerBytes bound a response: one line, everything
	// without text, and the text.
	GroqRetries     int           `env:"-"`
	GroqRetryWait   time.Duration `env:"-"`
	GroqLineBytes   int           `env:"-"`
	GroqBodyBytes   int64         `env:"-"`
	GroqAnswerBytes int           `env:"-"`

	// Warnings are sentences about settings that work but should be changed.
	Warnings []string `env:"-"`

	proxies         []*net.IPNet
	groqNetworks    []netip.Prefix
	webhookNetworks []netip.Prefix
}

// fixed returns the settings that no variable sets.
func fixed() Config {
	return Config{
		FirstEventPatience: 800 * time.Millisecond,
		StreamRecheck:      30 * time.Second,
		FailedLogIns:       5,
		// OWASP's recommendation: 19 MiB and about 30 ms.
		PasswordMemory: 19456, PasswordPasses: 2, PasswordLanes: 1,
		GroqRetries: 2, GroqRetryWait: 10 * time.Second,
		GroqLineBytes: 1 << 20, GroqBodyBytes: 4 << 20, GroqAnswerBytes: 64 << 10,
	}
}

// Defaults returns the settings of a server whose environment is empty.
func Defaults() Config {
	c, err := Load(nil, 0)
	if err != nil {
		panic(err) // A default is wrong.
	}
	return c
}

// AccessTokenTTL is how long an access token is valid.
func (c Config) AccessTokenTTL() time.Duration { return time.Duration(c.ExpireMinutes) * time.Minute }

// AcceptedSecrets returns the values of AcceptedJWTSecrets.
func (c Config) AcceptedSecrets() [][]byte {
	secrets := make([][]byte, len(c.AcceptedJWTSecrets))
	for i, secret := range c.AcceptedJWTSecrets {
		secrets[i] = []byte(secret.Reveal())
	}
	return secrets
}

// TransactionPooler reports whether a pooler in transaction mode is in front of the database.
func (c Config) TransactionPooler() bool { return c.DBPooler == poolerTransaction }

// MigrateURL returns the URL of the database without a pooler, because migrations need their own session. It returns an
// error when no setting names it.
func (c Config) MigrateURL() (string, error) {
	switch {
	case c.DBMigrateURL != "":
		return c.DBMigrateURL.Reveal(), nil
	case c.TransactionPooler():
		return "", errors.New("SUPPORT_DB_MIGRATE_URL is not set: with SUPPORT_DB_POOLER=transaction, migrations need the database's own address")
	default:
		return c.DatabaseURL.Reveal(), nil
	}
}

// ProxyNetworks returns the parsed TrustedProxies.
func (c Config) ProxyNetworks() []*net.IPNet { return c.proxies }

// WebhookNetworks returns the parsed WebhookAllow.
func (c Config) WebhookNetworks() []netip.Prefix { return c.webhookNetworks }

// GroqNetworks returns the parsed GroqAllow.
func (c Config) GroqNetworks() []netip.Prefix { return c.groqNetworks }

// GroqModels returns the models, in the order in which they are tried.
func (c Config) GroqModels() []string {
	models := []string{c.GroqModel}
	for _, model := range c.GroqFallbacks {
		if !slices.Contains(models, model) {
			models = append(models, model)
		}
	}
	return models
}

// Need says which settings a command requires.
type Need int

// The needs of commands. They can be combined.
const (
	NeedDatabase Need = 1 << iota
	NeedSecret
)

// prefixes are the prefixes of our settings: an unknown variable with one of them is a misspelling.
var prefixes = []string{"SUPPORT_", "GROQ_", "GROK_", "ALLOWED_ORIGIN", "JWT_", "EXPIRE_"}

// others are variables with our prefixes that belong to other programs: the client SDKs.
var others = []string{"SUPPORT_BASE_URL", "SUPPORT_TOKEN"}

// deprecated maps old names, which deployments may still use, to new ones.
var deprecated = map[string]string{"GROK_API_KEY": "GROQ_API_KEY", "GROK_API_URL": "GROQ_API_URL"}

// Load reads the settings from variables of the form name=value. Its error names every invalid setting, one per line,
// and never quotes a value.
func Load(environ []string, need Need) (Config, error) {
	variables := nonEmpty(environ)
	var f faults
	warnings := renameDeprecated(variables, &f)
	known := names()
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if hasOurPrefix(name) && !slices.Contains(others, name) && !slices.Contains(known, name) {
			f.add(name, "is not a setting")
		}
	}
	c := fixed()
	if err := env.ParseWithOptions(&c, env.Options{Environment: variables}); err != nil {
		f.addParseErrors(err)
	}
	if len(c.GroqFallbacks) == 0 && (c.GroqAPIURL == DefaultGroqAPIURL || c.GroqDialect == groqDialect) {
		c.GroqFallbacks = []string{defaultGroqFallback}
	}
	c.Warnings = warnings
	c.validate(need, &f)
	c.warn()
	return c, f.err()
}

func hasOurPrefix(name string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

func renameDeprecated(variables map[string]string, f *faults) (warnings []string) {
	for _, old := range slices.Sorted(maps.Keys(deprecated)) {
		value, set := variables[old]
		if !set {
			continue
		}
		delete(variables, old)
		name := deprecated[old]
		if current, both := variables[name]; both && current != value {
			f.add(old, "differs from "+name+"; remove it")
			continue
		}
		variables[name] = value
		warnings = append(warnings, old+" is deprecated: use "+name+".")
	}
	return warnings
}

// names lists the variables that set a field of Config.
func names() []string {
	var list []string
	for field := range reflect.TypeFor[Config]().Fields() {
		if name := field.Tag.Get("env"); name != "" {
			list = append(list, name)
		}
	}
	return list
}

// faults collects the faults, by variable.
type faults []string

// wholeNumber and duration are the kinds of settings with a range.
const (
	wholeNumber = "a whole number"
	duration    = "a duration such as 15s"
)

func (f *faults) add(name, fault string) { *f = append(*f, name+" "+fault) }

// addParseErrors adds the variables that could not be parsed. It does not use the library's text, which names fields
// and quotes values.
func (f *faults) addParseErrors(err error) {
	var all env.AggregateError
	if !errors.As(err, &all) {
		*f = append(*f, "the settings cannot be read")
		return
	}
	for _, err := range all.Errors {
		var parse env.ParseError
		if !errors.As(err, &parse) {
			continue
		}
		if field, ok := reflect.TypeFor[Config]().FieldByName(parse.Name); ok {
			f.add(field.Tag.Get("env"), "is not "+kindName(field.Type))
		}
	}
}

func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[slog.Level]():
		return "one of debug, info, warn, error"
	case t == reflect.TypeFor[time.Duration]():
		return duration
	case t.Kind() == reflect.Bool:
		return "true or false"
	default:
		return wholeNumber // checkRange adds the range.
	}
}

func (f *faults) err() error {
	if len(*f) == 0 {
		return nil
	}
	return fmt.Errorf("the settings have %d fault(s):\n  %s", len(*f), strings.Join(*f, "\n  "))
}
