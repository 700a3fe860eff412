package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// reservedForAnswers is the number of connections for Reserved. A Store with few connections shares them all.
	reservedForAnswers = 2
	minSharedConns     = 5

	// minIdleConns is how many connections stay ready for the next burst. A pool opens that many at once.
	minIdleConns    = 1
	maxConnLifetime = 30 * time.Minute
	lifetimeJitter  = 5 * time.Minute
	connectTimeout  = 3 * time.Second
	acquireTimeout  = 2 * time.Second
	maxIdleUnasked  = time.Second

	// callTimeout bounds a call of a Store: the wait for a connection, the statement or transaction, and retries. As
	// long as the network works, PostgreSQL's limits below end it earlier.
	callTimeout = 6500 * time.Millisecond
)

// sessionSettings apply to every connection. They are sent as start-up parameters, so that no statement runs without
// them.
var sessionSettings = map[string]string{
	"application_name":                    applicationName,
	"timezone":                            "UTC",
	"statement_timeout":                   "5s",
	"lock_timeout":                        "2s",
	"idle_in_transaction_session_timeout": "10s",
	"client_connection_check_interval":    "5s",
	// The statements lock what must not change. At other levels, what follows a lock would read what was there before it.
	"default_transaction_isolation": "read committed",
	// Statements are short: compiling one takes longer than running it.
	"jit": "off",
}

const applicationName = "support"

// reservedSettings apply to the reserved connections. Their statements look rows up by id. With a plan of its own for each
// small batch, planning a statement would take twice as long as running it.
var reservedSettings = map[string]string{"plan_cache_mode": "force_generic_plan"}

// poolerSettings are those of the sessionSettings that a connection pooler passes on.
var poolerSettings = []string{"application_name", "timezone"}

// Config configures a Store.
type Config struct {
	// URL is a PostgreSQL connection URL or keyword string. It may name several hosts.
	URL string
	// MaxConns is the maximum number of connections, at least 1.
	MaxConns int32
	// TransactionPooler means that the URL is a pooler in transaction mode, such as PgBouncer with
	// pool_mode=transaction. The sessions' limits must then be set in the database; CheckBudget reports missing ones.
	TransactionPooler bool
	// Lazy opens connections on demand only. Otherwise some stay ready for the next burst.
	Lazy bool
}

// Check returns an error if the driver does not understand the URL. It does not connect, and its error does not quote
// the URL.
func (cfg Config) Check() error {
	_, err := parseURL(cfg.URL)
	return err
}

// parseURL returns the settings of a URL that all connections share.
func parseURL(databaseURL string) (*pgxpool.Config, error) {
	pc, err := pgxpool.ParseConfig(databaseURL)
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return nil, errors.New("the database URL names a file that cannot be read")
	case err != nil && strings.Contains(err.Error(), "unable to add CA to cert pool"):
		return nil, errors.New("the database URL names a file as sslrootcert without certificates")
	case err != nil && strings.Contains(err.Error(), "sslmode is invalid"):
		return nil, errors.New("the database URL has an unknown sslmode: use disable, prefer, require, verify-ca or verify-full")
	case err != nil:
		// The driver's error quotes parts of the URL.
		return nil, errors.New("the database URL is not a PostgreSQL connection URL")
	}
	if pc.ConnConfig.ConnectTimeout == 0 {
		pc.ConnConfig.ConnectTimeout = connectTimeout
	}
	// The kernel notices within half a minute that the other side is gone.
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	pc.ConnConfig.DialFunc = dialer.DialContext
	return pc, nil
}

// newPools returns the shared pool and the one for Reserved, which are the same when there are few connections.
func newPools(ctx context.Context, cfg Config) (shared, reserved pooled, err error) {
	pc, err := parseURL(cfg.URL)
	if err != nil {
		return pooled{}, pooled{}, fmt.Errorf("store: %w", err)
	}
	pc.MaxConns = cfg.MaxConns
	pc.MaxConnLifetime = maxConnLifetime
	pc.MaxConnLifetimeJitter = lifetimeJitter
	warm := &warmUp{}
	pc.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		registerUUID(conn.TypeMap())
		return warm.connection(ctx, conn)
	}
	applySettings(pc, cfg.TransactionPooler)
	if !cfg.Lazy {
		pc.MinIdleConns = minIdleConns
	}
	own := pooled{journaled: make(chan struct{}, 1), warm: warm}
	if pc.MaxConns < minSharedConns {
		shared, err = own.open(ctx, pc, pc.MaxConns)
		return shared, shared, err
	}
	if shared, err = own.open(ctx, pc, pc.MaxConns-reservedForAnswers); err != nil {
		return pooled{}, pooled{}, err
	}
	if !cfg.TransactionPooler {
		pc = pc.Copy()
		maps.Copy(pc.ConnConfig.RuntimeParams, reservedSettings)
	}
	reserved, err = own.open(ctx, pc, reservedForAnswers)
	return shared, reserved, err
}

func applySettings(pc *pgxpool.Config, transactionPooler bool) {
	params := pc.ConnConfig.RuntimeParams
	if !transactionPooler {
		for name, value := range sessionSettings {
			params[name] = value
		}
		return
	}
	for _, name := range poolerSettings {
		params[name] = sessionSettings[name]
	}
	// The next statement may run in another session, without the prepared statement.
	pc.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
}

// open returns p with a pool.
func (p pooled) open(ctx context.Context, pc *pgxpool.Config, maxConns int32) (pooled, error) {
	pc = pc.Copy()
	pc.MaxConns = maxConns
	pc.ShouldPing = noteIdle
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return pooled{}, fmt.Errorf("store: open the pool: %w", err)
	}
	p.pool, p.queue, p.turnover, p.addr = pool, newQueue(pool), &turnover{}, addrOf(pc.ConnConfig.Host, pc.ConnConfig.Port)
	return p, nil
}

func addrOf(host string, port uint16) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }
