// Package doctor tries the settings out, and says how to fix what does not work.
package doctor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/webhook"
)

const (
	// minRelease is the oldest PostgreSQL that the product is tested with.
	minRelease = 150000

	// Tokens tolerate 30 seconds of clock skew. Beyond that, replicas refuse each other's tokens.
	clockLimit = 30 * time.Second
)

// The levels of findings.
const (
	levelOK      = "ok"
	levelWarning = "warning"
	levelFailed  = "FAILED"
)

// doctor prints one line for each finding.
type doctor struct {
	out    io.Writer
	cfg    config.Config
	failed int
}

// Examine prints a line for each check: its name, "ok", "warning" or "FAILED", and the finding. It changes nothing, and
// returns how many checks failed.
func Examine(ctx context.Context, out io.Writer, cfg config.Config) (failed int) {
	d := &doctor{out: out, cfg: cfg}
	d.settings()
	d.database(ctx)
	d.models(ctx)
	d.origins()
	d.proxies()
	return d.failed
}

func (d *doctor) report(subject, level, format string, args ...any) {
	if level == levelFailed {
		d.failed++
	}
	fmt.Fprintf(d.out, "%-9s %-8s %s\n", subject, level, fmt.Sprintf(format, args...))
}

func (d *doctor) settings() {
	for _, warning := range d.cfg.Warnings {
		d.report("settings", levelWarning, "%s", warning)
	}
	if d.cfg.JWTSecret == "" {
		d.report("settings", levelWarning, `JWT_SECRET is not set: "support serve" needs it, "support dev" creates one`)
	}
	if d.cfg.JWTSecret != "" && len(d.cfg.Warnings) == 0 {
		d.report("settings", levelOK, "complete and well-formed")
	}
}

func (d *doctor) database(ctx context.Context) {
	if d.cfg.DatabaseURL == "" {
		d.report("database", levelWarning, `DATABASE_URL is not set: "support serve" needs it, "support dev" starts a database of its own`)
		return
	}
	s, err := app.OpenStore(ctx, d.cfg, 1)
	if err != nil {
		d.report("database", levelFailed, "%s", err)
		return
	}
	defer s.Close()
	begun := time.Now()
	server, err := s.GetDatabaseServer(ctx)
	took := time.Since(begun)
	switch {
	case err != nil:
		d.report("database", levelFailed, "%s", strings.TrimPrefix(app.Explain(err).Error(), "database: "))
		return
	case server.ReleaseNumber < minRelease:
		d.report("database", levelFailed, "PostgreSQL %s is too old: use 15 or newer", server.Release)
		return
	case server.Encoding != "UTF8":
		d.report("database", levelFailed, "the database has the encoding %s and must have UTF8: create another one with "+
			"CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'", server.Encoding)
		return
	}
	d.report("database", levelOK, "PostgreSQL %s, connected and answered in %s", server.Release, rounded(took))
	if warning, err := s.CheckBudget(ctx); err == nil && warning != "" {
		d.report("database", levelWarning, "%s", warning)
	}
	if d.schema(ctx, s) {
		d.webhooks(ctx, s)
		d.search(ctx, s)
	}
	d.clock(server.Now.Sub(begun), took)
}

func (d *doctor) schema(ctx context.Context, s *store.Store) (ok bool) {
	if err := s.Ready(ctx); err != nil {
		d.report("schema", levelFailed, "%s", app.Explain(err))
		return false
	}
	switch owner, err := s.GetSchemaOwnership(ctx); {
	case err != nil:
		d.report("schema", levelFailed, "%s", app.Explain(err))
		return false
	case !owner:
		d.report("schema", levelFailed, "the role of DATABASE_URL does not own the tables, so it cannot add partitions to the journal that migrations can change. "+
			"Use the role that ran the migrations, or act as it: GRANT owner TO role; ALTER ROLE role SET role = owner")
		return true
	}
	d.report("schema", levelOK, "new enough for this program, and the database accepts writes")
	return true
}

// webhooks checks that the webhooks' secrets can be opened, and tells when the last one no longer needs an old JWT_SECRET.
func (d *doctor) webhooks(ctx context.Context, s *store.Store) {
	if d.cfg.JWTSecret == "" {
		return
	}
	found, err := webhook.CheckSecrets(ctx, s, append([][]byte{[]byte(d.cfg.JWTSecret.Reveal())}, d.cfg.AcceptedSecrets()...))
	switch {
	case err != nil:
		d.report("webhooks", levelFailed, "%s", app.Explain(err))
	case len(found.Unreadable) > 0:
		d.report("webhooks", levelFailed, "%d of %d cannot be signed, because another JWT_SECRET encrypted their secrets: %v. "+
			"Put it into JWT_SECRETS_ACCEPTED, or give them new secrets with POST /webhooks/{id}/rotate-secret",
			len(found.Unreadable), found.Webhooks, found.Unreadable)
	case len(found.Old) > 0:
		d.report("webhooks", levelWarning, "%d of %d still need a secret of JWT_SECRETS_ACCEPTED: do not remove it yet. "+
			"Servers with this JWT_SECRET encrypt theirs again within a minute", len(found.Old), found.Webhooks)
	default:
		d.report("webhooks", levelOK, "%d, and JWT_SECRET opens the secrets of all", found.Webhooks)
	}
}

func (d *doctor) search(ctx context.Context, s *store.Store) {
	switch language, err := s.GetSearchLanguage(ctx, d.cfg.SearchLanguage); {
	case err != nil:
		d.report("search", levelFailed, "%s", app.Explain(err))
	case language != d.cfg.SearchLanguage:
		d.report("search", levelWarning, "the database has no text search configuration %s, so searches compare whole words: "+
			`correct SUPPORT_SEARCH_LANGUAGE (\dF in psql lists them)`, d.cfg.SearchLanguage)
	}
}

// clock reports how far the database's clock is ahead. It was read at some time during the query, which took this long.
func (d *doctor) clock(ahead, took time.Duration) {
	apart := app.ClocksApart(ahead, took)
	level, advice := levelOK, ""
	if apart > app.ClockTolerance {
		level, advice = levelWarning, ": synchronize both with NTP"
	}
	if apart > clockLimit {
		level = levelFailed
	}
	d.report("clock", level, "this machine's and the database's are at most %s apart%s", rounded(apart+took), advice)
}

func (d *doctor) origins() {
	if len(d.cfg.AllowedOrigins) == 0 {
		d.report("origins", levelWarning, "none: pages of other origins cannot call the API from a browser. List yours in ALLOWED_ORIGINS")
		return
	}
	for _, origin := range d.cfg.AllowedOrigins {
		level, note := levelOK, ""
		if u, err := url.Parse(origin); err == nil && u.Scheme == "http" && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
			level, note = levelWarning, " is not encrypted: anybody on the way can change the page. Use https"
		}
		d.report("origins", level, "%s%s", origin, note)
	}
}

func (d *doctor) proxies() {
	if len(d.cfg.ProxyNetworks()) == 0 {
		d.report("proxies", levelWarning, "none: behind a proxy, all clients share the limits of one address. List the proxy's network in SUPPORT_TRUSTED_PROXIES")
		return
	}
	for _, network := range d.cfg.ProxyNetworks() {
		level, note := levelOK, ""
		if ones, _ := network.Mask.Size(); ones == 0 {
			level, note = levelWarning, " contains every address: any client can claim to be another. List only your proxies"
		}
		d.report("proxies", level, "%s%s", network, note)
	}
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
