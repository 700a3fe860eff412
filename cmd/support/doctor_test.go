package main

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestDoctorNamesTheNextStep(t *testing.T) {
	t.Parallel()
	migrated, empty := "DATABASE_URL="+storetest.NewURL(t), "DATABASE_URL="+storetest.NewEmptyURL(t)
	unsigned := storetest.NewURL(t)
	storetest.Exec(t, unsigned, `INSERT INTO webhooks (id, url, types, payload, secret)
		VALUES ('01a21cc3-5702-7ca8-8d18-254c411964d9', 'https://shop.example/', '{}', 'thin', convert_to(repeat('canary', 20), 'UTF8'))`)
	server := func(script groqsim.Script) string {
		return "GROQ_API_URL=" + groqtest.Serve(t, groqsim.New(groqsim.Options{Models: []string{"known"}, Default: script}))
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	const model, key = "GROQ_MODEL=known", "GROQ_API_KEY=canary-key"
	for name, c := range map[string]struct {
		environ []string
		code    int
		want    []string // regular expressions
	}{
		"nothing is set": {want: []string{
			`database +warning .*DATABASE_URL is not set`, `settings +warning .*JWT_SECRET is not set`, `ai +warning .*GROQ_API_KEY is not set`,
			`origins +warning .*ALLOWED_ORIGINS`, `proxies +warning .*SUPPORT_TRUSTED_PROXIES`,
		}},
		"all is well": {
			environ: []string{
				migrated, testSecret, server(groqsim.Script{}), model, key, "ALLOWED_ORIGINS=https://a.example,http://localhost:3000",
				"SUPPORT_TRUSTED_PROXIES=10.0.0.0/8",
			},
			want: []string{
				`settings +ok `, `database +ok +PostgreSQL \d+`, `schema +ok `, `webhooks +ok `, `clock +ok `, `ai +ok +known at 127\.0\.0\.1:\d+: first text after \d`,
				`origins +ok +https://a\.example`, `origins +ok +http://localhost:3000`, `proxies +ok +10\.0\.0\.0/8`,
			},
		},
		"clocks apart":  {environ: []string{minutesAhead(t)}, code: exitFailure, want: []string{`clock +FAILED +.*apart.*NTP`}},
		"no privileges": {environ: []string{asRole(t, "")}, code: exitFailure, want: []string{`schema +FAILED +.*role lacks a privilege.*GRANT`}},
		"role without tables": {
			environ: []string{asRole(t, "GRANT ALL ON ALL TABLES IN SCHEMA public TO %s")}, code: exitFailure, want: []string{`schema +FAILED +.*does not own the tables.*GRANT`},
		},
		"member of the owner's role": {
			environ: []string{asRole(t, "DO $$ BEGIN EXECUTE format('GRANT %%I TO %s', current_user); END $$")}, code: exitFailure, want: []string{`schema +FAILED +.*SET role = owner`},
		},
		"part of the schema": {
			environ: []string{withoutTable(t, "journal")}, code: exitFailure, want: []string{`schema +FAILED +.*lacks something .*restore a backup`},
		},
		"no webhooks": {
			environ: []string{withoutTable(t, "webhooks"), testSecret}, code: exitFailure, want: []string{`webhooks +FAILED +.*lacks something .*restore a backup`},
		},
		"misspelled language": {
			environ: []string{migrated, "SUPPORT_SEARCH_LANGUAGE=klingon"}, want: []string{`search +warning +.*no text search configuration klingon.*whole words`},
		},
		"forbidden network": {
			environ: []string{"GROQ_API_URL=http://169.254.169.254", model}, code: exitFailure, want: []string{`ai +FAILED +.*not allowed.*GROQ_ALLOW`},
		},
		"unknown certificate": {environ: []string{"GROQ_API_URL=" + secure.URL, model}, code: exitFailure, want: []string{`ai +FAILED +.*SSL_CERT_FILE`}},
		"no schema":           {environ: []string{empty}, code: exitFailure, want: []string{`schema +FAILED .*support migrate up`}},
		"another encoding": {
			environ: []string{"DATABASE_URL=" + storetest.NewEncodedURL(t, "SQL_ASCII")}, code: exitFailure,
			want: []string{`database +FAILED +.*encoding SQL_ASCII .*ENCODING 'UTF8'`},
		},
		"no such database":   {environ: []string{strings.Replace(migrated, "?", "x?", 1)}, code: exitFailure, want: []string{`database +FAILED +no such database`}},
		"nobody listens":     {environ: []string{"DATABASE_URL=postgres://u:canary@" + vacant + "/d"}, code: exitFailure, want: []string{`database +FAILED +connection refused`}},
		"wrong key":          {environ: []string{server(groqsim.Script{Status: 401}), model, key}, code: exitFailure, want: []string{`ai +FAILED .*Check GROQ_API_KEY`}},
		"unknown model":      {environ: []string{server(groqsim.Script{}), "GROQ_MODEL=unknown", key}, code: exitFailure, want: []string{`ai +FAILED +unknown at .*GROQ_MODEL.*ollama pull unknown`}},
		"unknown fallback":   {environ: []string{server(groqsim.Script{}), model, "GROQ_FALLBACK_MODELS=other", key}, code: exitFailure, want: []string{`ai +ok +known`, `ai +FAILED +other`}},
		"no server":          {environ: []string{"GROQ_API_URL=http://" + vacant, model}, code: exitFailure, want: []string{`ai +FAILED .*Check GROQ_API_URL, and that the server is running`}},
		"no such path":       {environ: []string{server(groqsim.Script{HTML: true}), model, key}, code: exitFailure, want: []string{`ai +FAILED .*GROQ_API_URL`}},
		"only reasoning":     {environ: []string{server(groqsim.Script{EmptyContent: true, Times: -1}), model, key}, want: []string{`ai +ok .*it reasons`}},
		"another secret":     {environ: []string{"DATABASE_URL=" + unsigned, testSecret}, code: exitFailure, want: []string{`webhooks +FAILED +1 of 1 .*\[01a21cc3-.*JWT_SECRETS_ACCEPTED`}},
		"everybody's proxy":  {environ: []string{"SUPPORT_TRUSTED_PROXIES=0.0.0.0/0"}, want: []string{`proxies +warning +0\.0\.0\.0/0 contains every address`}},
		"origin without TLS": {environ: []string{"ALLOWED_ORIGINS=http://a.example"}, want: []string{`origins +warning +http://a\.example is not encrypted`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out := run(t, program(t, c.environ, "doctor"))
			require.Equal(t, c.code, code, out)
			for _, want := range c.want {
				require.Regexp(t, "(?m)^"+want, out)
			}
			require.NotContains(t, out, "canary")
		})
	}
}

// asRole returns DATABASE_URL for a migrated database and a new role with these privileges.
func asRole(t *testing.T, grant string) string {
	t.Helper()
	database := storetest.NewURL(t)
	role := "support_test_" + strings.ToLower(rand.Text())
	storetest.Exec(t, database, "CREATE ROLE "+role)
	t.Cleanup(func() { storetest.Exec(t, database, fmt.Sprintf("DROP OWNED BY %[1]s; DROP ROLE %[1]s", role)) })
	if grant != "" {
		storetest.Exec(t, database, fmt.Sprintf(grant, role))
	}
	return "DATABASE_URL=" + database + "&options=-c%20role%3D" + role
}

// withoutTable returns DATABASE_URL for a migrated database that has lost a table.
func withoutTable(t *testing.T, table string) string {
	t.Helper()
	database := storetest.NewURL(t)
	storetest.Exec(t, database, "ALTER TABLE "+table+" RENAME TO lost")
	return "DATABASE_URL=" + database
}

// minutesAhead returns DATABASE_URL for a migrated database whose clock is 5 minutes ahead.
func minutesAhead(t *testing.T) string {
	t.Helper()
	database := storetest.NewURL(t)
	storetest.Exec(t, database, `CREATE SCHEMA ahead; CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql
		AS $$ SELECT pg_catalog.clock_timestamp() + interval '5 minutes' $$`)
	return "DATABASE_URL=" + database + "&search_path=ahead,pg_catalog,public"
}

func TestServerWarnsOfClocksThatAreApart(t *testing.T) {
	t.Parallel()
	p, _ := serve(t, minutesAhead(t))
	p.waitFor(t, `"apart":"5m0s"`)
}

func TestDoctorReadsTheFile(t *testing.T) {
	t.Parallel()
	folder := openDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(folder, ".env"), []byte("ALLOWED_ORIGINS=https://a.example\n"), 0o600))
	cmd := program(t, nil, "doctor")
	cmd.Dir = folder
	_, out := run(t, cmd)
	require.Contains(t, out, "From .env: ALLOWED_ORIGINS.")
	require.Regexp(t, `origins +ok +https://a\.example`, out)
}

func TestVersionIsPrinted(t *testing.T) {
	t.Parallel()
	code, out := run(t, program(t, nil, "version"))
	require.Zero(t, code, out)
	require.Regexp(t, fmt.Sprintf(`^support \S+\nschema %d\ngo1\.\S+ \w+/\w+\n$`, latest(t)), out)
}
