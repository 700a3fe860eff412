package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"time"
)

// lines iterates over a response of one JSON object per line, up to the one that is its end. A response without that line is
// incomplete, which is an error. The request is retried only until the response begins.
func lines[T any](
	ctx context.Context, s *Support, o operation, options []CallOption, isEnd func(T) bool,
	build func(server string) (*http.Request, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		silence := time.AfterFunc(maxSilence, func() { cancel(errSilent) })
		defer silence.Stop()
		response, err := s.openLines(ctx, o, silence, options, build)
		if err == nil {
			defer func() { _ = response.Body.Close() }()
			err = readLines(watched{response.Body, silence}, isEnd, yield)
		}
		if errors.Is(context.Cause(ctx), errSilent) {
			err = errSilent
		}
		if err != nil && !errors.Is(err, errEnd) {
			var none T
			yield(none, err)
		}
	}
}

// openLines sends the request, again where that may help.
func (s *Support) openLines(
	ctx context.Context, o operation, silence *time.Timer, options []CallOption, build func(server string) (*http.Request, error),
) (response *http.Response, err error) {
	chosen := choose(options)
	request, err := s.request(ctx, o, chosen, build)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", mediaTypeLines)
	if err := s.retry(ctx, o, func() error {
		silence.Reset(maxSilence)
		defer silence.Stop()                        // A pause between two tries is not silence.
		response, err = s.exchange(ctx, o, request) //nolint:bodyclose // The caller closes it.
		return err
	}); err != nil {
		return nil, err
	}
	if chosen.responseHeader != nil {
		*chosen.responseHeader = response.Header
	}
	if mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); mediaType != mediaTypeLines {
		_ = response.Body.Close()
		return nil, fmt.Errorf("%w: expected lines of JSON, received %q", ErrProtocol, mediaType)
	}
	return response, nil
}

const mediaTypeLines = "application/x-ndjson"

// readLines yields the lines. It returns errEnd once the end has been read or yield wants no more.
func readLines[T any](r io.Reader, isEnd func(T) bool, yield func(T, error) bool) error {
	decoder := newEventDecoder(r)
	for {
		text, err := decoder.readLine()
		if err != nil {
			return fmt.Errorf("support: the connection was lost within the response: %w", err)
		}
		var line T
		if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("%w: a line: %w", ErrProtocol, err)
		}
		if !yield(line, nil) || isEnd(line) {
			return errEnd
		}
	}
}
