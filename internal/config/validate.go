package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	minSecretBytes   = 32
	minDistinctBytes = 8
	maxExpireMinutes = 24 * 60
	maxDBConns       = 500
	maxGroqTokens    = 65536
	maxGroqModels    = 10
	maxModelBytes    = 128
	// maxBytesPerDay is 1 TiB.
	maxBytesPerDay = 1 << 40
	maxCount       = 1_000_000
	maxRateLimit   = 100_000
	maxJournalDays = 3650
	maxSignUpLimit = 10_000
	maxLogInLimit  = 10_000
	minTimeout     = time.Second
	maxTimeout     = time.Hour

	// maxAcceptedSecrets bounds the keys that every access token is compared with.
	maxAcceptedSecrets = 4
)

// The values of DBPooler.
const (
	poolerNone        = "none"
	poolerTransaction = "transaction"
)

const notDatabaseURL = "is not a URL of the form postgres://user:password@host:port/database"

// searchLanguage matches the name of a PostgreSQL text search configuration.
var searchLanguage = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// examples are secrets from documentation, which everybody knows.
var examples = []string{"changeme", "jwtsecret", "yourjwtkey", "example", "secret", "your", "jwt", "key"}

func (c *Config) validate(need Need, f *faults) {
	if c.DatabaseURL == "" {
		if need&NeedDatabase != 0 {
			f.add("DATABASE_URL", "is not set")
		}
	} else if !isDatabaseURL(c.DatabaseURL.Reveal()) {
		f.add("DATABASE_URL", notDatabaseURL)
	}
	if c.DBMigrateURL != "" && !isDatabaseURL(c.DBMigrateURL.Reveal()) {
		f.add("SUPPORT_DB_MIGRATE_URL", notDatabaseURL)
	}
	if !searchLanguage.MatchString(c.SearchLanguage) {
		f.add("SUPPORT_SEARCH_LANGUAGE", "is not the name of a text search configuration, such as english or simple")
	}
	f.checkOneOf("SUPPORT_DB_POOLER", c.DBPooler, poolerNone, poolerTransaction)
	if c.JWTSecret == "" {
		if need&NeedSecret != 0 {
			f.add("JWT_SECRET", "is not set")
		}
	} else if fault := secretFault(c.JWTSecret.Reveal()); fault != "" {
		f.add("JWT_SECRET", fault)
	}
	c.validateAcceptedSecrets(f)
	f.checkRange("EXPIRE_MINUTES", int64(c.ExpireMinutes), 1, maxExpireMinutes)
	f.checkRange("GROQ_MAX_TOKENS", int64(c.GroqMaxTokens), 1, maxGroqTokens)
	f.checkRange("SUPPORT_DB_MAX_CONNS", int64(c.DBMaxConns), 1, maxDBConns)
	f.checkRange("SUPPORT_RATE_LIMIT", int64(c.RateLimit), 0, maxRateLimit)
	f.checkRange("SUPPORT_SIGNUP_LIMIT", int64(c.SignUpLimit), 0, maxSignUpLimit)
	f.checkRange("SUPPORT_LOGIN_LIMIT", int64(c.LogInLimit), 0, maxLogInLimit)
	if u, err := url.Parse(c.GroqAPIURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		f.add("GROQ_API_URL", "is not a URL of the form https://host")
	}
	if fault := modelFault(c.GroqModel); fault != "" {
		f.add("GROQ_MODEL", fault)
	}
	c.validateAI(f)
	f.checkOneOf("SUPPORT_LOG_FORMAT", c.LogFormat, "json", "text")
	if !IsAddr(c.Addr) {
		f.add("SUPPORT_ADDR", "is not of the form host:port or :port")
	}
	if c.DebugAddr != "" && (!IsAddr(c.DebugAddr) || strings.HasPrefix(c.DebugAddr, ":")) {
		// Listening on all addresses must not happen by accident.
		f.add("SUPPORT_DEBUG_ADDR", "is not of the form host:port")
	}
	if !slices.Contains(levels, c.LogLevel) {
		f.add("SUPPORT_LOG_LEVEL", "is not one of debug, info, warn, error")
	}
	c.validateOrigins(f)
	c.validateProxies(f)
	c.groqNetworks = f.networksOf("GROQ_ALLOW", c.GroqAllow)
	c.webhookNetworks = f.networksOf("SUPPORT_WEBHOOK_ALLOW", c.WebhookAllow)
}

func (c *Config) validateAI(f *faults) {
	if len(c.GroqFallbacks) > maxGroqModels {
		f.add("GROQ_FALLBACK_MODELS", "has more than 10 entries")
	}
	for i, model := range c.GroqFallbacks {
		c.GroqFallbacks[i] = strings.TrimSpace(model)
		if fault := modelFault(c.GroqFallbacks[i]); fault != "" {
			f.add("GROQ_FALLBACK_MODELS", "has an entry that "+fault)
			break
		}
	}
	f.checkOneOf("GROQ_DIALECT", c.GroqDialect, "auto", groqDialect, "openai", "compatible")
	f.checkTimeout("GROQ_HEADER_TIMEOUT", c.GroqHeaderTimeout)
	f.checkTimeout("GROQ_SILENCE_TIMEOUT", c.GroqSilenceTimeout)
	f.checkTimeout("GROQ_TOTAL_TIMEOUT", c.GroqTotalTimeout)
	f.checkBudget("SUPPORT_AI_RUNNING", int64(c.AIRunning), maxCount)
	f.checkBudget("SUPPORT_AI_PER_MINUTE", int64(c.AIPerMinute), maxCount)
	f.checkBudget("SUPPORT_AI_PER_DAY", int64(c.AIPerDay), maxCount)
	f.checkOneOf("SUPPORT_AI_MODE", c.AIMode, "auto", "draft", "off")
	f.checkOneOf("SUPPORT_AI_TRIAGE", c.AITriage, "off", "suggest", "apply")
	f.checkRange("SUPPORT_AI_MAX_RUNNING", int64(c.AIMaxRunning), 1, maxCount)
	f.checkRange("SUPPORT_MAX_STREAMS", int64(c.MaxStreams), 1, maxCount)
	f.checkRange("SUPPORT_STREAMS_PER_ACCOUNT", int64(c.StreamsPerAccount), 1, maxCount)
	f.checkBudget("SUPPORT_TICKETS_PER_DAY", int64(c.TicketsPerDay), maxCount)
	f.checkBudget("SUPPORT_MESSAGES_PER_DAY", int64(c.MessagesPerDay), maxCount)
	f.checkRange("SUPPORT_JOURNAL_DAYS", int64(c.JournalDays), 1, maxJournalDays)
	f.checkBudget("SUPPORT_BYTES_PER_DAY", c.BytesPerDay, maxBytesPerDay)
}

// modelFault says what is wrong with the name of a model, which is sent as JSON, stored, and a label of metrics.
func modelFault(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > maxModelBytes:
		return "has more than 128 bytes"
	case !utf8.ValidString(name), strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "has a character that cannot be printed"
	default:
		return ""
	}
}

// validateAcceptedSecrets checks further secrets by the rules for JWT_SECRET.
func (c *Config) validateAcceptedSecrets(f *faults) {
	if len(c.AcceptedJWTSecrets) > maxAcceptedSecrets {
		f.add("JWT_SECRETS_ACCEPTED", "has more than 4 entries")
		return
	}
	for i, secret := range c.AcceptedJWTSecrets {
		c.AcceptedJWTSecrets[i] = Secret(strings.TrimSpace(secret.Reveal()))
		if fault := secretFault(c.AcceptedJWTSecrets[i].Reveal()); fault != "" {
			f.add("JWT_SECRETS_ACCEPTED", "has an entry that "+fault)
			return
		}
	}
}

// validateOrigins checks that origins have the form that browsers send, because they are compared byte for byte.
func (c *Config) validateOrigins(f *faults) {
	for i, origin := range c.AllowedOrigins {
		origin = strings.TrimSpace(origin)
		c.AllowedOrigins[i] = origin
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != origin ||
			strings.ToLower(origin) != origin || strings.ContainsAny(u.Host, "*@") || hasDefaultPort(u) {
			f.add("ALLOWED_ORIGINS", "has an entry that is not an origin of the form https://host or http://host:port")
			return
		}
	}
}

func (c *Config) validateProxies(f *faults) {
	for _, entry := range c.TrustedProxies {
		_, network, err := net.ParseCIDR(strings.TrimSpace(entry))
		if err != nil {
			f.add("SUPPORT_TRUSTED_PROXIES", "has an entry that is not a network of the form 10.0.0.0/8")
			return
		}
		c.proxies = append(c.proxies, network)
	}
}

// networksOf parses the networks of a setting, such as 10.0.0.0/8.
func (f *faults) networksOf(name string, entries []string) []netip.Prefix {
	networks := make([]netip.Prefix, len(entries))
	for i, entry := range entries {
		network, err := netip.ParsePrefix(strings.TrimSpace(entry))
		if err != nil {
			f.add(name, "has an entry that is not a network of the form 10.0.0.0/8")
			return nil
		}
		networks[i] = network.Masked()
	}
	return networks
}

func (f *faults) checkOneOf(name, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		f.add(name, "is not one of "+strings.Join(allowed, ", "))
	}
}

func (f *faults) checkRange(name string, value, low, high int64) {
	f.checkKind(name, wholeNumber, value >= low && value <= high, fmt.Sprintf("from %d to %d", low, high))
}

// checkBudget is checkRange for a limit that 0 turns off.
func (f *faults) checkBudget(name string, value, high int64) {
	f.checkKind(name, wholeNumber, value >= 0 && value <= high, fmt.Sprintf("from 1 to %d, or 0 for no limit", high))
}

func (f *faults) checkTimeout(name string, value time.Duration) {
	f.checkKind(name, duration, value >= minTimeout && value <= maxTimeout, "from 1s to 1h")
}

// checkKind adds a fault unless the value is in range. If the value could not be parsed, it adds the range to that fault.
func (f *faults) checkKind(name, kind string, inRange bool, words string) {
	fault := "is not " + kind
	for i, found := range *f {
		if found == name+" "+fault {
			(*f)[i] = found + " " + words
			return
		}
	}
	if !inRange {
		f.add(name, fault+" "+words)
	}
}

// warn adds warnings about settings that work but should be changed.
func (c *Config) warn() {
	host, _, err := net.SplitHostPort(c.DebugAddr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		c.Warnings = append(c.Warnings, "SUPPORT_DEBUG_ADDR listens on all interfaces: anybody who can reach it can read profiles and metrics.")
	}
}

// levels are the log levels.
var levels = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// IsAddr reports whether the text is an address to listen on, of the form host:port or :port.
func IsAddr(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// hasDefaultPort reports whether the origin names the port that browsers leave out, so that it would never match.
func hasDefaultPort(u *url.URL) bool {
	return u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80"
}

// furtherHosts are those after the first one of a connection URL, which net/url does not read.
var furtherHosts = regexp.MustCompile(`^([^:]+://(?:[^/?#]*@)?[^,/?#@]*),[^/?#@]*`)

// keywordDatabase is the database, or the service that names it, in a keyword string, such as "host=a,b dbname=support".
var keywordDatabase = regexp.MustCompile(`(?:^|\s)(?:dbname|service)\s*=\s*\S`)

// isDatabaseURL reports whether s looks like a connection URL or a keyword string that names a database, or a service of
// pg_service.conf. The driver checks the rest.
func isDatabaseURL(s string) bool {
	if !strings.Contains(s, "://") {
		return keywordDatabase.MatchString(s)
	}
	u, err := url.Parse(furtherHosts.ReplaceAllString(s, "$1"))
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return false
	}
	return strings.Trim(u.Path, "/") != "" || u.Query().Get("dbname") != "" || u.Query().Get("service") != ""
}

func secretFault(secret string) string {
	switch {
	case len(secret) < minSecretBytes:
		return "has fewer than 32 bytes"
	case distinctBytes(secret) < minDistinctBytes:
		return "has fewer than 8 different bytes"
	}
	rest := strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(strings.ToLower(secret))
	for _, example := range examples {
		rest = strings.ReplaceAll(rest, example, "")
	}
	if rest == "" || strings.Contains(strings.ToLower(strings.ReplaceAll(secret, "-", "")), "changeme") {
		return "is an example from the documentation"
	}
	return ""
}

func distinctBytes(s string) int {
	seen := make(map[byte]struct{})
	for i := range len(s) {
		seen[s[i]] = struct{}{}
	}
	return len(seen)
}
