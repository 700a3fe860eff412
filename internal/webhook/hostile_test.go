package webhook_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/webhook"
)

func TestHostileReceivers(t *testing.T) {
	t.Parallel()
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(trap.Close)
	r := newReplica(t, options{allow: loopback})
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		timeout  bool
		status   int32
		failure  string
		accepted bool
	}{
		"fails":               {answer: answer(http.StatusInternalServerError), status: http.StatusInternalServerError},
		"does not know it":    {answer: answer(http.StatusNotFound), status: http.StatusNotFound},
		"redirects":           {answer: answer(http.StatusFound, "Location", trap.URL), status: http.StatusFound, failure: "redirect"},
		"redirects for good":  {answer: answer(http.StatusPermanentRedirect, "Location", trap.URL), status: http.StatusPermanentRedirect, failure: "redirect"},
		"hangs up":            {answer: hangUp, failure: "connection"},
		"speaks no HTTP":      {answer: babble, failure: "protocol"},
		"answers too much":    {answer: flood, status: http.StatusOK, accepted: true},
		"answers with zeroes": {answer: zeroes, status: http.StatusOK, accepted: true},
	} {
		to := newReceiver(t, c.answer)
		hook, _ := r.hook(t, to.URL)
		d, err := r.Test(t.Context(), hook.ID)
		require.NoError(t, err)
		d, attempts := r.delivery(t, d.ID, attempted(1))
		require.Equal(t, c.accepted, isDelivered(d), name)
		if c.status != 0 {
			require.Equal(t, c.status, *attempts[0].Status, name)
		}
		if c.failure != "" {
			require.Equal(t, c.failure, *attempts[0].Error, name)
		}
		if attempts[0].Response != nil {
			require.LessOrEqual(t, len(*attempts[0].Response), 2048, name)
		}
	}
}

func TestSlowReceiverFails(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback, idle: true})
	webhook.SetTimeout(r.Service, 200*time.Millisecond)
	require.NoError(t, r.jobs.Open(true))
	r.run(t, r.journal.Run, r.jobs.Run, r.Run)
	ended := make(chan struct{})
	defer close(ended)
	for _, c := range []http.HandlerFunc{
		func(http.ResponseWriter, *http.Request) { <-ended },
		func(w http.ResponseWriter, req *http.Request) { // The body trickles: each byte comes in time, but it never ends.
			for req.Context().Err() == nil {
				_, _ = io.WriteString(w, ".")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-req.Context().Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
		},
	} {
		hook, _ := r.hook(t, newReceiver(t, c).URL)
		d, err := r.Test(t.Context(), hook.ID)
		require.NoError(t, err)
		d, attempts := r.delivery(t, d.ID, attempted(1))
		require.Equal(t, sqlc.WebhookDeliveryStatusPending, d.Status)
		require.Equal(t, "timeout", *attempts[0].Error)
	}
}

func TestReceiverThatIsGoneIsDisabled(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback})
	to := newReceiver(t, answer(http.StatusGone))
	hook, _ := r.hook(t, to.URL)
	d, err := r.Test(t.Context(), hook.ID)
	require.NoError(t, err)
	d, _ = r.delivery(t, d.ID, attempted(1))
	require.Equal(t, sqlc.WebhookDeliveryStatusFailed, d.Status)
	hook, err = r.Get(t.Context(), hook.ID)
	require.NoError(t, err)
	require.Equal(t, "gone", *hook.DisabledReason)
	r.happen(t, "ticket.created")
	require.Eventually(t, func() bool {
		return storetest.QueryInt(t, r.url, "SELECT position FROM webhook_cursor") == 2 // webhook.disabled is the first entry.
	}, patience, pollInterval)
	require.Equal(t, 1, storetest.QueryInt(t, r.url, "SELECT count(*) FROM webhook_deliveries"))
	require.Equal(t, `webhook.disabled {"reason": "gone"}`, storetest.QueryText(t, r.url,
		"SELECT type || ' ' || data::text FROM journal WHERE subject_id = $1", hook.ID))

	hook, err = r.Update(t.Context(), hook.ID, webhook.Change{Paused: new(false)})
	require.NoError(t, err)
	require.Nil(t, hook.DisabledReason)
}

func TestRetryAfterOfAReceiverIsRespected(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback})
	to := newReceiver(t, answer(http.StatusTooManyRequests, "Retry-After", "600"))
	hook, _ := r.hook(t, to.URL)
	d, err := r.Test(t.Context(), hook.ID)
	require.NoError(t, err)
	to.next(t)
	d, _ = r.delivery(t, d.ID, attempted(1))
	require.Greater(t, time.Until(*d.NextAttemptAt), 500*time.Second)
	other, err := r.Test(t.Context(), hook.ID)
	require.NoError(t, err)
	_, _, err = r.Dispatch(t.Context())
	require.NoError(t, err)
	hook, err = r.Get(t.Context(), hook.ID)
	require.NoError(t, err)
	require.Greater(t, time.Until(*hook.ResumeAt), 500*time.Second)
	storetest.Exec(t, r.url, "UPDATE webhooks SET resume_at = now()")
	require.Equal(t, other.ID, to.next(t).id(t), "the other deliveries have waited too")
}

// A failing receiver is probed with one delivery, not with all of them.
func TestFailingReceiverIsProbedWithOneDelivery(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback})
	to := newReceiver(t, answer(http.StatusInternalServerError))
	hook, _ := r.hook(t, to.URL)
	storetest.Exec(t, r.url, "UPDATE webhooks SET failures = 5, failing_since = now(), paused = true")
	for range 10 {
		_, err := r.Test(t.Context(), hook.ID)
		require.NoError(t, err)
	}
	storetest.Exec(t, r.url, "UPDATE webhooks SET paused = false")
	to.next(t)
	require.Eventually(t, func() bool {
		return storetest.QueryInt(t, r.url, "SELECT coalesce(max(failures), 0) FROM webhooks WHERE resume_at > now() + interval '20 seconds'") == 6
	}, patience, pollInterval)
	require.Empty(t, to.got)
	require.Equal(t, 1, storetest.QueryInt(t, r.url, "SELECT count(*) FROM webhook_attempts"))
}

func TestWebhookIsDisabledAfterFiveDaysOfFailure(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback})
	to := newReceiver(t, answer(http.StatusInternalServerError))
	hook, _ := r.hook(t, to.URL)
	for _, c := range []struct {
		since    string
		disabled bool
	}{{"4 days", false}, {"6 days", true}} {
		storetest.Exec(t, r.url, "UPDATE webhooks SET failures = 20, resume_at = NULL, failing_since = now() - $1::interval", c.since)
		d, err := r.Test(t.Context(), hook.ID)
		require.NoError(t, err)
		r.delivery(t, d.ID, attempted(1))
		hook, err = r.Get(t.Context(), hook.ID)
		require.NoError(t, err)
		require.Equal(t, c.disabled, hook.DisabledReason != nil && *hook.DisabledReason == "failing", c.since)
	}
}

func TestScheduleGivesADeliveryTenAttempts(t *testing.T) {
	t.Parallel()
	require.Equal(t, []time.Duration{
		0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
		20 * time.Hour, 24 * time.Hour,
	}, webhook.Schedule())
	for attempts, least := range webhook.Schedule() {
		wait, ok := webhook.WaitAfter(attempts, 0)
		require.True(t, ok)
		require.GreaterOrEqual(t, wait, least)
		require.LessOrEqual(t, wait, least+least/5)
		wait, _ = webhook.WaitAfter(attempts, time.Hour)
		require.GreaterOrEqual(t, wait, time.Hour, "at least as long as the receiver asks for")
	}
	_, ok := webhook.WaitAfter(10, 0)
	require.False(t, ok)
}

// A host name that resolved to an allowed address when the webhook was created, and now resolves to a private one, is
// not called.
func TestHostNameThatResolvesToAPrivateAddressIsNotCalled(t *testing.T) {
	t.Parallel()
	trap := newReceiver(t, accept)
	_, port, err := net.SplitHostPort(trap.Listener.Addr().String())
	require.NoError(t, err)
	for name, allow := range map[string][]netip.Prefix{"https://rebind.example:": nil, "http://rebind.example:": {netip.MustParsePrefix("10.0.0.0/8")}} {
		r := newReplica(t, options{allow: allow, resolver: resolverTo(t, netip.MustParseAddr("127.0.0.1"))})
		hook, _ := r.hook(t, name+port)
		d, err := r.Test(t.Context(), hook.ID)
		require.NoError(t, err)
		_, attempts := r.delivery(t, d.ID, attempted(1))
		require.Equal(t, "address_not_allowed", *attempts[0].Error)
	}
	require.Empty(t, trap.got)
}

// resolverTo returns a resolver that resolves every name to that address.
func resolverTo(t *testing.T, addr netip.Addr) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0") //nolint:noctx // Closed below.
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		query := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(addressReply(query[:n], addr), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// addressReply answers a DNS query (RFC 1035) for an IPv4 address with one, and any other with none.
func addressReply(query []byte, addr netip.Addr) []byte {
	question := query[12:]
	end := strings.IndexByte(string(question), 0) + 5 // The name, its end, the type and the class.
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[:end]...)
	if binary.BigEndian.Uint16(question[end-4:]) == 1 {
		reply[7] = 1
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		reply = append(reply, addr.AsSlice()...)
	}
	return reply
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func babble(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
		_ = conn.Close()
	}
}

func flood(w http.ResponseWriter, _ *http.Request) {
	for range 1024 {
		if _, err := w.Write(make([]byte, 1024)); err != nil {
			return
		}
	}
}

func zeroes(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a\x00\xffb")) }
