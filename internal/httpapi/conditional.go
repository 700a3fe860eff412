package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/ticket"
)

const (
	headerETag = "ETag"

	anyTag = "*"
	// tagBytes is how much of a digest goes into a tag.
	tagBytes = 16
)

// entityTag finds the tags in a list that matches the contract's pattern.
var entityTag = regexp.MustCompile(`(W/)?"[^"]*"`)

// conditional responds to a GET with 304 when the caller already has the response (RFC 9110, section 13.1.2). If the
// handler set no ETag, it is a digest of the body and the link to the next page.
func (s *Server) conditional(c echo.Context, next echo.HandlerFunc) error {
	r, err := record(c, next)
	if err != nil {
		return err
	}
	if r.header.Get(headerETag) == "" {
		r.header.Set(headerETag, digestTag(r.header.Get("Link"), r.body.Bytes()))
	}
	if !isListed(c.Request().Header.Get(contract.HeaderIfNoneMatch), r.header.Get(headerETag)) {
		return s.send(c, r.status, r.header, r.body.Bytes())
	}
	// The caller has the other headers (section 15.4.5): the tag covers them.
	header := make(http.Header)
	header.Set(headerETag, r.header.Get(headerETag))
	return s.send(c, http.StatusNotModified, header, nil)
}

// isListed reports whether a tag is in a list. It uses the weak comparison (section 8.8.3.2), because a proxy may have
// weakened the tag.
func isListed(list, tag string) bool {
	return list == anyTag || slices.ContainsFunc(entityTag.FindAllString(list, -1), func(listed string) bool {
		return unchanged(listed) == tag
	})
}

// unchanged returns a tag as it was before a proxy compressed the response: nginx weakens the tag, Apache appends to
// it.
func unchanged(tag string) string {
	tag = strings.TrimPrefix(tag, "W/")
	for _, coding := range []string{"-gzip", "-br"} {
		if bare, ok := strings.CutSuffix(tag, coding+`"`); ok {
			return bare + `"`
		}
	}
	return tag
}

// ifMatch returns which versions of a ticket an If-Match header accepts: without a header, all. RFC 9110 (section
// 13.1.1) requires the strong comparison, because responses with equal weak tags may differ. Ours do not: a tag begins
// with the ticket's version, even after a proxy has weakened it. Refusing weak tags would refuse every change that
// comes through such a proxy.
func ifMatch(list *string) func(version int64) bool {
	return func(version int64) bool {
		return list == nil || *list == anyTag || slices.ContainsFunc(entityTag.FindAllString(*list, -1), func(listed string) bool {
			number, _, _ := strings.Cut(strings.Trim(unchanged(listed), `"`), ".")
			return number == strconv.FormatInt(version, 10)
		})
	}
}

// ticketTag returns the tag of a ticket's version. The tag also covers what changes without the ticket's version, for
// those who see it: notes, the customer's name, and the names of the messages' authors.
func ticketTag(actor auth.Actor, t ticket.View, messages ...ticket.Message) *string {
	version := strconv.FormatInt(t.Ticket.Version, 10)
	if actor.IsStaff() && t.Ticket.NoteVersion > 0 {
		version += "." + strconv.FormatInt(t.Ticket.NoteVersion, 10)
	}
	customer := valueOf(t.DisplayName)
	names := customer
	for _, m := range messages {
		if m.AuthorName != customer && m.AuthorName != "" {
			names += "\x00" + m.AuthorName
		}
	}
	if names != "" {
		sum := sha256.Sum256([]byte(names))
		version += "." + base64.RawURLEncoding.EncodeToString(sum[:tagBytes])
	}
	tag := strconv.Quote(version)
	return &tag
}

func digestTag(link string, body []byte) string {
	h := sha256.New()
	_, _ = io.WriteString(h, link+"\x00") // It never fails.
	h.Write(body)
	return `"` + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:tagBytes]) + `"`
}
