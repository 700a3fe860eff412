package httpapi

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/ticket"
)

const (
	defaultLimit = 50

	cursorMACBytes = 16
	cursorBytes    = cursorMACBytes + 8 + 16
)

// cursors writes and reads positions in lists. A cursor is bound to the account and the list it was made for, so nobody
// can make one up, or use another's: it is base64url(HMAC ‖ created_at in µs ‖ id).
type cursors struct{ key []byte }

func newCursors(secret []byte) (cursors, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "support-backend cursors", sha256.Size)
	if err != nil {
		return cursors{}, fmt.Errorf("httpapi: derive the key of cursors: %w", err)
	}
	return cursors{key: key}, nil
}

func (cs cursors) encode(actor auth.Actor, list string, p ticket.Position) string {
	raw := make([]byte, cursorMACBytes, cursorBytes)
	raw = binary.BigEndian.AppendUint64(raw, uint64(p.CreatedAt.UnixMicro()))
	raw = append(raw, p.ID[:]...)
	copy(raw, cs.mac(actor, list, raw[cursorMACBytes:]))
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (cs cursors) decode(actor auth.Actor, list, cursor string) (*ticket.Position, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) != cursorBytes || !hmac.Equal(raw[:cursorMACBytes], cs.mac(actor, list, raw[cursorMACBytes:])) {
		return nil, invalidParameter("cursor", apperr.InvalidFormat)
	}
	micros := binary.BigEndian.Uint64(raw[cursorMACBytes:])
	return &ticket.Position{
		CreatedAt: time.UnixMicro(int64(micros)).UTC(), //nolint:gosec // Written from an int64.
		ID:        uuid.UUID(raw[cursorMACBytes+8:]),
	}, nil
}

func (cs cursors) mac(actor auth.Actor, list string, position []byte) []byte {
	mac := hmac.New(sha256.New, cs.key)
	mac.Write(actor.ID[:])
	mac.Write([]byte(list))
	mac.Write([]byte{0})
	mac.Write(position)
	return mac.Sum(nil)[:cursorMACBytes]
}

// page reads the parameters of a list. The list's name is its path.
func (cs cursors) page(actor auth.Actor, list string, limit *int32, cursor *string) (ticket.Page, error) {
	page := ticket.Page{Limit: defaultLimit}
	if limit != nil {
		page.Limit = *limit
	}
	if cursor == nil {
		return page, nil
	}
	var err error
	page.After, err = cs.decode(actor, list, *cursor)
	return page, err
}

// link is the Link header's value (RFC 8288) for the page after this one; nil when there is none.
func (cs cursors) link(actor auth.Actor, list string, page ticket.Page, next *ticket.Position) *string {
	if next == nil {
		return nil
	}
	query := url.Values{
		"limit":  {strconv.Itoa(int(page.Limit))},
		"cursor": {cs.encode(actor, list, *next)},
	}
	link := fmt.Sprintf(`<%s?%s>; rel="next"`, list, query.Encode())
	return &link
}
