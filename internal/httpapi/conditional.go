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
	// tagBytes are how much of a digest makes a tag.
	tagBytes = 16
)

// entityTag finds the tags in a list that the contract's pattern has let through.
var entityTag = regexp.MustCompile(`(W/)?"[^"]*"`)

// conditional answers a GET with 304 when the caller has the response already (RFC 9110, section 13.1.2). A response that
// says nothing of its version is versioned by what is in it, with the link to the next page.
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
	// What else the response would say, the caller has (section 15.4.5): the tag vouches for it.
	header := make(http.Header)
	header.Set(headerETag, r.header.Get(headerETag))
	return s.send(c, http.StatusNotModified, header, nil)
}

// isListed reports whether a tag is in a list. The weak comparison is used (section 8.8.3.2): what is on the way may have
// made the tag weak.
func isListed(list, tag string) bool {
	return list == anyTag || slices.ContainsFunc(entityTag.FindAllString(list, -1), func(listed string) bool {
		return unchanged(listed) == tag
	})
}

// unchanged is a tag as it was before a proxy compressed the response: nginx makes it weak, Apache adds to it.
func unchanged(tag string) string {
	tag = strings.TrimPrefix(tag, "W/")
	for _, coding := range []string{"-gzip", "-br"} {
		if bare, ok := strings.CutSuffix(tag, coding+`"`); ok {
			return bare + `"`
		}
	}
	return tag
}

// ifMatch returns which versions of a ticket an If-Match header accepts: without one, all. RFC 9110 (section 13.1.1) asks
// for the strong comparison, because a weak tag may stand for responses that differ. Ours do not: a ticket's tag begins with
// the number of its version, whatever a proxy that compresses has made of it, and to refuse that would refuse every change.
func ifMatch(list *string) func(version int64) bool {
	return func(version int64) bool {
		return list == nil || *list == anyTag || slices.ContainsFunc(entityTag.FindAllString(*list, -1), func(listed string) bool {
			number, _, _ := strings.Cut(strings.Trim(unchanged(listed), `"`), ".")
			return number == strconv.FormatInt(version, 10)
		})
	}
}

// ticketTag is the tag of a ticket's version. Some things change without the ticket, and are part of the tag for those who see
// them: its notes, the customer's name, and with its messages the names of their authors.
func ticketTag(actor auth.Actor, t ticket.View, messages ...ticket.Message) *string {
	version := strconv.FormatInt(t.Ticket.Version, 10)
	if actor.IsStaff() && t.Ticket.NoteVersion > 0 {
		version += "." + strconv.FormatInt(t.Ticket.NoteVersion, 10)
	}
	customer := textOf(t.DisplayName)
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
