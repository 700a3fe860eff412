package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// Page is one page of a list.
type Page[T any] struct {
	Items []T
	// Next is the cursor of the next page; empty on the last one.
	Next string
}

// items iterates over the items of all pages.
func items[T any](page func(cursor string) (*Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			current, err := page(cursor)
			if err == nil && current.Next == cursor && cursor != "" {
				err = fmt.Errorf("%w: the link to the next page leads to the same page", ErrProtocol)
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range current.Items {
				if !yield(item, nil) {
					return
				}
			}
			if current.Next == "" {
				return
			}
			cursor = current.Next
		}
	}
}

// callPage sends a request whose response is a page.
func callPage[T any](
	ctx context.Context, s *Support, o operation, options []CallOption, build func(server string) (*http.Request, error),
) (*Page[T], error) {
	header, body, err := s.send(ctx, o, options, build)
	if err != nil {
		return nil, err
	}
	list, err := decode[[]T](body)
	if err != nil {
		return nil, err
	}
	next, err := nextCursor(header)
	return &Page[T]{Items: *list, Next: next}, err
}

// nextCursor returns the cursor in the link to the next page (RFC 8288). The SDK does not follow the link itself:
// behind a proxy it may not be below the base URL, and the token must not go anywhere else.
func nextCursor(header http.Header) (string, error) {
	for _, link := range header.Values("Link") {
		target, params, isLink := strings.Cut(link, ">")
		if !isLink || !strings.Contains(params, `rel="next"`) {
			continue
		}
		location, err := url.Parse(strings.TrimPrefix(strings.TrimSpace(target), "<"))
		if err != nil || location.Query().Get("cursor") == "" {
			return "", fmt.Errorf("%w: the link to the next page has no cursor", ErrProtocol)
		}
		return location.Query().Get("cursor"), nil
	}
	return "", nil
}
