// Package cursor encodes positions in lists for clients, in the cursors of links to the next page.
package cursor

import (
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

	macBytes = 16
	allBytes = macBytes + 1 + 8 + 16
)

// Cursors encodes positions in lists. A cursor is base64url(HMAC ‖ rank ‖ created_at in µs ‖ id). The HMAC covers the
// account and the list, so a cursor cannot be forged or used by another account or for another list.
type Cursors struct {
	// keys verify cursors. The first one signs them.
	keys [][]byte
}

// New returns Cursors with the key of the first secret. The keys of all secrets verify cursors.
func New(secrets ...[]byte) (Cursors, error) {
	keys, err := auth.DeriveKeys(secrets, "cursors")
	if err != nil {
		return Cursors{}, fmt.Errorf("cursor: %w", err)
	}
	return Cursors{keys: keys}, nil
}

func (cs Cursors) encode(account uuid.UUID, list string, p page.Position) string {
	raw := make([]byte, macBytes, allBytes)
	raw = append(raw, p.Rank)
	raw = binary.BigEndian.AppendUint64(raw, uint64(p.CreatedAt.UnixMicro()))
	raw = append(raw, p.ID[:]...)
	copy(raw, mac(cs.keys[0], account, list, raw[macBytes:]))
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (cs Cursors) decode(account uuid.UUID, list, cursor string) (*page.Position, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) != allBytes || !cs.made(account, list, raw) {
		return nil, contract.InvalidParameter("query", "cursor", apperr.Field{Code: apperr.InvalidFormat})
	}
	micros := binary.BigEndian.Uint64(raw[macBytes+1:])
	return &page.Position{
		Rank:      raw[macBytes],
		CreatedAt: time.UnixMicro(int64(micros)).UTC(), //nolint:gosec // It was an int64.
		ID:        uuid.UUID(raw[macBytes+1+8:]),
	}, nil
}

// made reports whether one of the keys signed the cursor for the account and the list.
func (cs Cursors) made(account uuid.UUID, list string, raw []byte) bool {
	return slices.ContainsFunc(cs.keys, func(key []byte) bool {
		return hmac.Equal(raw[:macBytes], mac(key, account, list, raw[macBytes:]))
	})
}

func mac(key []byte, account uuid.UUID, list string, position []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(account[:])
	h.Write([]byte(list))
	h.Write([]byte{0})
	h.Write(position)
	return h.Sum(nil)[:macBytes]
}

// Page parses the parameters of a list. The list's name is its path, with the query that filters it.
func (cs Cursors) Page(account uuid.UUID, list string, limit *int32, cursor *string) (page.Page, error) {
	p := page.Page{Limit: defaultLimit}
	if limit != nil {
		p.Limit = *limit
	}
	if cursor == nil {
		return p, nil
	}
	var err error
	p.After, err = cs.decode(account, list, *cursor)
	return p, err
}

// Link returns the Link header's value (RFC 8288) for the next page, nil on the last page.
func (cs Cursors) Link(account uuid.UUID, list string, p page.Page, next *page.Position) *string {
	if next == nil {
		return nil
	}
	query := url.Values{
		"limit":  {strconv.Itoa(int(p.Limit))},
		"cursor": {cs.encode(account, list, *next)},
	}
	separator := "?"
	if strings.Contains(list, separator) {
		separator = "&"
	}
	link := fmt.Sprintf(`<%s%s%s>; rel="next"`, list, separator, query.Encode())
	return &link
}
