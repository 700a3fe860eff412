package store

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

func TestIDsAreWrittenAndReadAsBytes(t *testing.T) {
	t.Parallel()
	m := pgtype.NewMap()
	registerUUID(m)
	id := uuid.New()
	var none *uuid.UUID
	for _, value := range []any{id, &id} {
		got, err := m.Encode(pgtype.UUIDOID, pgtype.BinaryFormatCode, value, nil)
		require.NoError(t, err)
		require.Equal(t, id[:], got)
	}
	got, err := m.Encode(pgtype.UUIDOID, pgtype.BinaryFormatCode, none, nil)
	require.NoError(t, err)
	require.Nil(t, got)

	var read uuid.UUID
	require.NoError(t, m.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, id[:], &read))
	require.Equal(t, id, read)
	require.ErrorIs(t, m.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, nil, &read), errNullID)
	require.ErrorIs(t, m.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, id[:3], &read), errIDLength)
	optional := &read
	require.NoError(t, m.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, nil, &optional))
	require.Nil(t, optional)
	require.NoError(t, m.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, id[:], &optional))
	require.Equal(t, id, *optional)

	ids := []uuid.UUID{id, uuid.New()}
	list, err := m.Encode(pgtype.UUIDArrayOID, pgtype.BinaryFormatCode, ids, nil)
	require.NoError(t, err)
	var listed []uuid.UUID
	require.NoError(t, m.Scan(pgtype.UUIDArrayOID, pgtype.BinaryFormatCode, list, &listed))
	require.Equal(t, ids, listed)
}

// IDs are in every statement. Without the store's own codec, encoding an optional one takes 23 allocations.
//
//nolint:paralleltest // AllocsPerRun counts for the whole process.
func TestEncodingIDsDoesNotAllocate(t *testing.T) {
	m := pgtype.NewMap()
	registerUUID(m)
	id := uuid.New()
	optional, buf := &id, make([]byte, 0, 64)
	for name, f := range map[string]func() error{
		"write":          func() (err error) { _, err = m.Encode(pgtype.UUIDOID, pgtype.BinaryFormatCode, id, buf); return err },
		"write optional": func() (err error) { _, err = m.Encode(pgtype.UUIDOID, pgtype.BinaryFormatCode, &id, buf); return err },
		"read":           func() error { return m.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, id[:], &id) },
		"read optional":  func() error { return m.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, id[:], &optional) },
	} {
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { require.NoError(t, f()) }), 3.0, name)
	}
}
