package assistant_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

// say adds a message of the customer to the fixture's ticket.
func (b *fixture) say(t *testing.T, text string) {
	t.Helper()
	_, err := ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto}).AddMessage(t.Context(), b.customer, b.ticket.ID, text)
	require.NoError(t, err)
}

func TestStartedResponseIsTheStoredOne(t *testing.T) {
	t.Parallel()
	for _, mode := range []sqlc.AIMode{sqlc.AIModeAuto, sqlc.AIModeDraft} {
		for _, text := range []string{"", "And another thing."} {
			b := newFixture(t)
			b.hold(t, "never", 0)
			storetest.Exec(t, b.url, "UPDATE tickets SET ai_mode = $1::text::ai_mode", string(mode))
			if text != "" {
				b.say(t, text)
			}
			staff := auth.Actor{ID: b.customer.ID, Role: sqlc.UserRoleAgent}
			started, isNew, err := b.service.Start(t.Context(), staff, b.ticket.ID, assistant.Request{})
			require.NoError(t, err)
			require.True(t, isNew)
			stored, err := b.service.Get(t.Context(), staff, started.ID)
			require.NoError(t, err)
			started.LeaseExpiresAt, stored.LeaseExpiresAt = time.Time{}, time.Time{} // It may have been renewed.
			require.Equal(t, stored, started)
		}
	}
}

func TestResponseIsTakenOverWhenItsConversationCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.say(t, "And another thing.")
	storetest.Exec(t, b.url, "ALTER TABLE messages RENAME COLUMN content TO hidden")
	response, _, err := b.service.Start(t.Context(), b.customer, b.ticket.ID, assistant.Request{})
	require.NoError(t, err)
	require.Zero(t, b.service.Running())
	require.Empty(t, b.simulator.Requests())
	storetest.Exec(t, b.url, "ALTER TABLE messages RENAME COLUMN hidden TO content")
	reader, err := b.service.OpenResponse(t.Context(), b.customer, response.ID, eventlog.EventID{})
	require.NoError(t, err)
	events := readSoon(t, reader)
	require.IsType(t, eventlog.Done{}, events[len(events)-1])
	require.Len(t, b.simulator.Requests(), 1)
}

// A reader who joins an answer needs no place for one of its own.
func TestFullServerLetsReadersJoin(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := assistant.DefaultOptions(b.client, t.Output())
	o.MaxRunning = 1
	full := assistant.NewService(storetest.Open(t, b.url), o)
	run(t, full)
	b.hold(t, "never", 0)
	response, _, err := full.Start(t.Context(), b.customer, b.ticket.ID, assistant.Request{})
	require.NoError(t, err)
	joined, started, err := full.Start(t.Context(), b.customer, b.ticket.ID, assistant.Request{})
	require.NoError(t, err)
	require.False(t, started)
	require.Equal(t, response.ID, joined.ID)
	other, err := ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto}).Create(t.Context(), b.customer, "title", "description")
	require.NoError(t, err)
	_, _, err = full.Start(t.Context(), b.customer, other.ID, assistant.Request{})
	require.True(t, apperr.Is(err, apperr.ServerBusy), err)
	require.Equal(t, 1, full.Running())
}
