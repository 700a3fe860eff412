package httpapi

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/page"
)

const (
	defaultLimit = 50

	cursorMACBytes = 16
	cursorBytes    = cursorMACBytes + 1 + 8 + 16
)

// cursors encodes positions in lists. A cursor is base64url(HMAC ‖ rank ‖ created_at in µs ‖ id). The HMAC covers the
// account and the list, so a cursor cannot be forged or used by another account or for another list.
type cursors struct {
	// keys verify cursors. The first one signs them.
	keys [][]byte
}

func newCursors(secrets ...[]byte) (cursors, error) {
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		var err error
		keys[i], err = hkdf.Key(sha256.New, secret, nil, "support-backend cursors", sha256.Size)
		if err != nil {
			return cursors{}, fmt.Errorf("httpapi: derive the key of cursors: %w", err)
		}
	}
	return cursors{keys: keys}, nil
}

func (cs cursors) encode(actor auth.Actor, list string, p page.Position) string {
	raw := make([]byte, cursorMACBytes, cursorBytes)
	raw = append(raw, p.Rank)
	raw = binary.BigEndian.AppendUint64(raw, uint64(p.CreatedAt.UnixMicro()))
	raw = append(raw, p.ID[:]...)
	copy(raw, mac(cs.keys[0], actor, list, raw[cursorMACBytes:]))
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (cs cursors) decode(actor auth.Actor, list, cursor string) (*page.Position, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) != cursorBytes || !cs.made(actor, list, raw) {
		return nil, contract.InvalidParameter("query", "cursor", apperr.Field{Code: apperr.InvalidFormat})
	}
	micros := binary.BigEndian.Uint64(raw[cursorMACBytes+1:])
	return &page.Position{
		Rank:      raw[cursorMACBytes],
		CreatedAt: time.UnixMicro(int64(micros)).UTC(), //nolint:gosec // It was an int64.
		ID:        uuid.UUID(raw[cursorMACBytes+1+8:]),
	}, nil
}

// made reports whether one of the keys signed the cursor for the account and the list.
func (cs cursors) made(actor auth.Actor, list string, raw []byte) bool {
	return slices.ContainsFunc(cs.keys, func(key []byte) bool {
		return hmac.Equal(raw[:cursorMACBytes], mac(key, actor, list, raw[cursorMACBytes:]))
	})
}

func mac(key []byte, actor auth.Actor, list string, position []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(actor.ID[:])
	h.Write([]byte(list))
	h.Write([]byte{0})
	h.Write(position)
	return h.Sum(nil)[:cursorMACBytes]
}

// page parses the parameters of a list. The list's name is its path, with the query that filters it.
func (cs cursors) page(actor auth.Actor, list string, limit *int32, cursor *string) (page.Page, error) {
	p := page.Page{Limit: defaultLimit}
	if limit != nil {
		p.Limit = *limit
	}
	if cursor == nil {
		return p, nil
	}
	var err error
	p.After, err = cs.decode(actor, list, *cursor)
	return p, err
}

// link returns the Link header's value (RFC 8288) for the next page, nil on the last page.
func (cs cursors) link(actor auth.Actor, list string, p page.Page, next *page.Position) *string {
	if next == nil {
		return nil
	}
	query := url.Values{
		"limit":  {strconv.Itoa(int(p.Limit))},
		"cursor": {cs.encode(actor, list, *next)},
	}
	separator := "?"
	if strings.Contains(list, separator) {
		separator = "&"
	}
	link := fmt.Sprintf(`<%s%s%s>; rel="next"`, list, separator, query.Encode())
	return &link
}
