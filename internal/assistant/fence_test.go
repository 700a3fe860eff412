package assistant_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

// reply adds a staff reply.
func (b *fixture) reply(t *testing.T) {
	t.Helper()
	staff, err := b.store.CreateUser(t.Context(), sqlc.CreateUserParams{
		ID: uuid.Must(uuid.NewV7()), Email: "staff@example.com", PasswordHash: "x", Role: sqlc.UserRoleAgent,
	})
	require.NoError(t, err)
	actor := auth.Actor{ID: staff.ID, Role: staff.Role}
	_, err = ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto}).AddMessage(t.Context(), actor, b.ticket.ID, "I am on it.")
	require.NoError(t, err)
}

// respond creates a response of the owner in a new ticket, as the service does.
func (b *fixture) respond(t *testing.T, owner uuid.UUID, lease int32) sqlc.AIResponse {
	t.Helper()
	about, err := ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto}).Create(t.Context(), b.customer, "title", "description")
	require.NoError(t, err)
	id := uuid.Must(uuid.NewV7())
	_, err = b.store.ClaimTurn(t.Context(), sqlc.ClaimTurnParams{
		ID: id, TicketID: about.ID, ActorID: b.customer.ID, Model: "m", OwnerID: owner, LeaseSeconds: lease, MayWrite: true,
	})
	require.NoError(t, err)
	response, err := b.store.GetAIResponse(t.Context(), id)
	require.NoError(t, err)
	return response
}

func TestFormerOwnerCannotWriteAfterAHandOver(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	owner := uuid.New()
	drained, cancel := context.WithCancel(t.Context())
	cancel()
	b.service.Drain(drained) // No reaper runs in between.
	response := b.respond(t, owner, 600)
	ids, attempts := []uuid.UUID{response.ID}, []int32{response.Attempt}
	require.NoError(t, b.store.ReleaseAIResponseLease(t.Context(), sqlc.ReleaseAIResponseLeaseParams{
		ID: response.ID, OwnerID: owner, Attempt: response.Attempt,
	}))
	committed, err := b.store.CommitDeltas(t.Context(), sqlc.CommitDeltasParams{
		IDs: ids, Attempts: attempts, Seqs: []int64{1}, Contents: []string{"late"}, OwnerID: owner, LeaseSeconds: 600,
	})
	require.NoError(t, err)
	require.Empty(t, committed, "a commit would extend the lease")
	renewed, err := b.store.RenewAIResponseLeases(t.Context(), sqlc.RenewAIResponseLeasesParams{
		IDs: ids, Attempts: attempts, OwnerID: owner, LeaseSeconds: 600,
	})
	require.NoError(t, err)
	require.Empty(t, renewed)
}

func TestGroupCommitsAndRenewalsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	const responses, rounds = 40, 60
	owner := uuid.New()
	commit := sqlc.CommitDeltasParams{OwnerID: owner, LeaseSeconds: 600}
	for range responses {
		commit.IDs = append(commit.IDs, b.respond(t, owner, 600).ID)
		commit.Attempts = append(commit.Attempts, 1)
		commit.Seqs = append(commit.Seqs, 0)
		commit.Contents = append(commit.Contents, "x")
	}
	renew := sqlc.RenewAIResponseLeasesParams{
		IDs: slices.Clone(commit.IDs), Attempts: commit.Attempts, OwnerID: owner, LeaseSeconds: 600,
	}
	slices.Reverse(renew.IDs)
	ctx, stop := context.WithCancel(t.Context())
	renewed := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			_, err = b.store.RenewAIResponseLeases(t.Context(), renew)
		}
		renewed <- err
	}()
	for range rounds {
		for i := range commit.Seqs {
			commit.Seqs[i]++
		}
		committed, err := b.store.CommitDeltas(t.Context(), commit)
		require.NoError(t, err)
		require.Len(t, committed, responses)
	}
	stop()
	require.NoError(t, <-renewed)
}

func TestOnlyDeltasCommitAsynchronously(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	storetest.Exec(t, b.url, `
		CREATE TABLE commits (kind text, setting text);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO commits VALUES (NEW.kind, current_setting('synchronous_commit'));
			RETURN NEW;
		END $$;
		CREATE TRIGGER note BEFORE INSERT ON ai_response_events FOR EACH ROW EXECUTE FUNCTION note();
		CREATE FUNCTION note_message() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO commits VALUES ('message', current_setting('synchronous_commit'));
			RETURN NEW;
		END $$;
		CREATE TRIGGER note BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION note_message()`)
	// The test server disables synchronous_commit, so the sessions' normal setting is restored here.
	storetest.Exec(t, b.url, `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET synchronous_commit = on', current_database());
		PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'support';
	END $$`)
	service := b.another(t)
	reader, err := service.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.NoError(t, err)
	events := readSoon(t, reader)
	require.IsType(t, eventlog.Done{}, events[len(events)-1])
	require.Equal(t, "delta off, done on, message on", storetest.QueryText(t, b.url, `
		SELECT string_agg(DISTINCT kind || ' ' || setting, ', ' ORDER BY kind || ' ' || setting) FROM commits`))
}

func TestAbandonedAnswerEndsWhereAnswersAreSwitchedOff(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.client = nil
	drained, cancel := context.WithCancel(t.Context())
	cancel()
	b.service.Drain(drained) // No replica is left to take over.
	off := b.another(t)
	owner := uuid.New()
	response := b.respond(t, owner, 600)
	storetest.Exec(t, b.url, "UPDATE ai_responses SET lease_expires_at = now() - interval '10 minutes'")
	ctx, cancel := context.WithTimeout(t.Context(), waitAtMost)
	defer cancel()
	reader, err := off.Open(ctx, b.customer, response.TicketID, eventlog.EventID{})
	if err == nil { // The stream was already open.
		events := readSoon(t, reader)
		failed, ok := events[len(events)-1].(eventlog.Failed)
		require.True(t, ok)
		err = failed.Err
	}
	require.True(t, apperr.Is(err, apperr.AITimeout), "%v", err)
}

func TestReaderHopsToAReplicaThatLagsBehind(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other := b.another(t)
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{
		Deltas: slices.Repeat([]string{"word "}, 60), TokensPerSecond: 100,
	}))
	now, cancel := context.WithCancel(t.Context())
	cancel()
	fast := b.open(t)
	// This reader gives the other replica a feed, which follows with a delay.
	slow, err := other.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.NoError(t, err)
	for ended := false; !ended; {
		entry, err := fast.Next(t.Context())
		require.NoError(t, err)
		ended = eventlog.IsEnd(entry.Event)
		delta, ok := entry.Event.(eventlog.Delta)
		if !ok {
			continue
		}
		hopped, err := other.Open(t.Context(), b.customer, b.ticket.ID, delta.ID)
		require.NoError(t, err)
		_, err = hopped.Next(t.Context())
		require.NoError(t, err)
		// Do not wait for the next event, so that the replica has no time to catch up.
		next, _ := hopped.Next(now)
		_, again := next.Event.(eventlog.Reset)
		require.False(t, again, "the reader's events are in the log")
		hopped.Close()
	}
	fast.Close()
	slow.Close()
}
