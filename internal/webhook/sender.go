package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/guard"
)

const (
	// sendTimeout bounds an attempt, from the name's resolution to the last byte of the response.
	sendTimeout = 10 * time.Second
	// maxRead bounds the bytes of a response that are read, and maxKept those that are stored.
	maxRead = 64 << 10
	maxKept = 2 << 10

	idleTimeout = 30 * time.Second
	userAgent   = "Support-Webhooks/1"
)

// The errors of attempts, as the contract's WebhookAttempt names them.
const (
	errorAddress    = "address_not_allowed"
	errorDNS        = "dns"
	errorConnection = "connection"
	errorTLS        = "tls"
	errorTimeout    = "timeout"
	errorRedirect   = "redirect"
	errorProtocol   = "protocol"
	errorExpired    = "expired"
)

// message is what an attempt sends, and where.
type message struct {
	id      uuid.UUID
	url     string
	body    []byte
	secrets []secret
}

// result is the result of an attempt.
type result struct {
	startedAt time.Time
	duration  time.Duration
	// status is the response's status, or 0, and failure is one of the errors, or empty.
	status  int
	failure string
	// response is the beginning of its body, as text.
	response string
	// retryAfter is the wait that the receiver asked for, or 0.
	retryAfter time.Duration
}

func (r result) ok() bool { return r.failure == "" && r.status >= 200 && r.status < 300 }

// final reports whether further attempts are pointless.
func (r result) final() bool { return r.failure == errorExpired || r.status == http.StatusGone }

// sender sends messages to addresses that the guard allows.
type sender struct {
	// secure is for https, and plain for http, which is only allowed in the guard's networks.
	secure, plain *http.Client
	// timeout bounds an attempt.
	timeout time.Duration
}

func newSender(g *guard.Guard, resolver *net.Resolver) *sender {
	client := func(dialer *net.Dialer) *http.Client {
		return &http.Client{
			Transport: &http.Transport{
				DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
				MaxIdleConnsPerHost: 2, MaxIdleConns: 100, IdleConnTimeout: idleTimeout,
				MaxResponseHeaderBytes: maxRead, DisableCompression: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &sender{
		secure:  client(&net.Dialer{Control: g.Control, Resolver: resolver}),
		plain:   client(&net.Dialer{Control: g.ControlAllowed, Resolver: resolver}),
		timeout: sendTimeout,
	}
}

// send makes one attempt. It returns no later than sendTimeout.
func (s *sender) send(ctx context.Context, m message) result {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	r := result{startedAt: time.Now()}
	s.exchange(ctx, m, &r)
	r.duration = time.Since(r.startedAt)
	return r
}

func (s *sender) exchange(ctx context.Context, m message, r *result) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(m.body))
	if err != nil {
		r.failure = errorProtocol
		return
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Webhook-Id", m.id.String())
	request.Header.Set("Webhook-Timestamp", strconv.FormatInt(r.startedAt.Unix(), 10))
	request.Header.Set("Webhook-Signature", signatures(m.secrets, m.id, r.startedAt, m.body))
	client := s.secure
	if request.URL.Scheme == "http" {
		client = s.plain
	}
	response, err := client.Do(request)
	if err != nil {
		r.failure = kindOf(err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	r.status, r.retryAfter = response.StatusCode, retryAfter(response.Header, r.startedAt)
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRead))
	r.response = textOf(body)
	switch {
	case err != nil:
		r.failure = kindOf(err)
	case r.status >= 300 && r.status < 400:
		r.failure = errorRedirect
	}
}

// kindOf returns the error of an attempt without a complete response.
func kindOf(err error) string {
	var refused *guard.RefusedError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var network net.Error
	var dial *net.OpError
	switch {
	case errors.As(err, &refused):
		return errorAddress
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout():
		return errorTimeout
	case errors.As(err, &dns):
		return errorDNS
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert):
		return errorTLS
	case errors.As(err, &dial), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errorConnection
	default:
		return errorProtocol
	}
}

// textOf returns the beginning of a body as text that the database accepts.
func textOf(body []byte) string {
	return strings.ToValidUTF8(strings.ReplaceAll(string(body[:min(len(body), maxKept)]), "\x00", ""), "")
}

// retryAfter returns the wait that a response asks for, in seconds or as a date, or 0.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}
