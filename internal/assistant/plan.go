package assistant

import (
	"context"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
)

// Plan runs the statements that lead to the first token of an answer, from finding the caller on, for a ticket that does not
// exist. So they are planned when somebody waits for them; see store.Store.WarmUp.
func Plan(ctx context.Context, q sqlc.Querier) {
	_, _ = q.GetSessionAccount(ctx, uuid.Nil)
	_ = q.LockTicketAhead(ctx, sqlc.LockTicketAheadParams{})
	_, _ = q.ClaimTurn(ctx, sqlc.ClaimTurnParams{})
	_, _ = q.ListConversation(ctx, sqlc.ListConversationParams{})
	_, _ = q.CommitDeltas(ctx, sqlc.CommitDeltasParams{})
}
