package store

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

var (
	errNullID   = errors.New("store: an id is NULL that must not be")
	errIDLength = errors.New("store: an id does not have 16 bytes")
)

// registerUUID makes a connection transfer ids in binary form. Without it, the driver converts each of them through
// text, which costs more than the rest of a small statement.
func registerUUID(m *pgtype.Map) {
	id := &pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}}
	m.RegisterType(id)
	m.RegisterType(&pgtype.Type{Name: "_uuid", OID: pgtype.UUIDArrayOID, Codec: &pgtype.ArrayCodec{ElementType: id}})
}

// uuidCodec is the driver's codec with fast paths for the types of our queries.
type uuidCodec struct{ pgtype.UUIDCodec }

// PlanEncode returns the plan for encoding an id.
func (c uuidCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		switch value.(type) {
		case uuid.UUID:
			return encodeUUID{}
		case *uuid.UUID:
			return encodeOptionalUUID{}
		}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

// PlanScan returns the plan for scanning an id.
func (c uuidCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if format == pgtype.BinaryFormatCode {
		switch target.(type) {
		case *uuid.UUID:
			return scanUUID{}
		case **uuid.UUID:
			return scanOptionalUUID{}
		}
	}
	return c.UUIDCodec.PlanScan(m, oid, format, target)
}

type (
	encodeUUID         struct{}
	encodeOptionalUUID struct{}
	scanUUID           struct{}
	scanOptionalUUID   struct{}
)

// Encode appends a uuid.UUID.
func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	id, ok := value.(uuid.UUID)
	if !ok {
		return nil, fmt.Errorf("store: write %T as an id", value)
	}
	return append(buf, id[:]...), nil
}

// Encode appends a *uuid.UUID; nil is NULL.
func (encodeOptionalUUID) Encode(value any, buf []byte) ([]byte, error) {
	id, ok := value.(*uuid.UUID)
	switch {
	case !ok:
		return nil, fmt.Errorf("store: write %T as an id", value)
	case id == nil:
		return nil, nil
	}
	return append(buf, id[:]...), nil
}

// Scan reads a uuid.UUID.
func (scanUUID) Scan(src []byte, target any) error {
	id, ok := target.(*uuid.UUID)
	switch {
	case !ok:
		return fmt.Errorf("store: read an id as %T", target)
	case src == nil:
		return errNullID
	case len(src) != len(id):
		return errIDLength
	}
	copy(id[:], src)
	return nil
}

// Scan reads a *uuid.UUID; NULL is nil.
func (scanOptionalUUID) Scan(src []byte, target any) error {
	id, ok := target.(**uuid.UUID)
	switch {
	case !ok:
		return fmt.Errorf("store: read an id as %T", target)
	case src == nil:
		*id = nil
		return nil
	}
	*id = new(uuid.UUID)
	return scanUUID{}.Scan(src, *id)
}
