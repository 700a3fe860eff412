package assistant

import (
	"context"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
)

// Plan runs, for a ticket that does not exist, the statements that lead to the first token of an answer, beginning with
// the one that finds the caller. When somebody waits for an answer, they have been planned; see store.Store.WarmUp.
func Plan(ctx context.Context, q sqlc.Querier) {
	_, _ = q.GetSessionAccount(ctx, uuid.Nil)
	_ = q.LockTicketAhead(ctx, sqlc.LockTicketAheadParams{})
	_, _ = q.ClaimTurn(ctx, sqlc.ClaimTurnParams{})
	_, _ = q.ListConversation(ctx, sqlc.ListConversationParams{})
	_, _ = q.CommitDeltas(ctx, sqlc.CommitDeltasParams{})
}
