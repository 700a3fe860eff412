package writer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/upstream"
)

// generator generates the answers of owners.
type generator struct {
	models    *upstream.Models
	format    func(kind sqlc.AIResponseKind) *upstream.Format
	committer *committer
	ending    ending
	logger    *slog.Logger
}

// generation is one attempt of an owner at an answer.
type generation struct {
	*generator
	owner    *owner
	text     strings.Builder
	exchange upstream.Exchange
}

// write generates the answer, commits it piece by piece, and ends the response. ctx ends when the answer is lost, or when
// the process must stop. Thousands of answers wait for upstream on this stack, so what comes before and after is in other
// functions.
func (g *generator) write(ctx context.Context, o *owner, c upstream.Conversation) {
	x := g.newGeneration(o)
	x.end(ctx, x.run(ctx, c))
}

func (g *generator) newGeneration(o *owner) *generation {
	x := &generation{generator: g, owner: o}
	x.exchange = upstream.Exchange{
		Models: g.models, Model: o.response.Model, Switch: x.switchTo, Take: x.take,
		Format: g.format(o.response.Kind),
		Logger: g.logger.With(slog.Any("ai_response_id", o.response.ID)),
	}
	return x
}

// end stores the answer, or the failure that err is.
func (g *generation) end(ctx context.Context, err error) {
	answer := answer{text: g.text.String(), finishReason: g.exchange.FinishReason(), usage: g.exchange.Usage()}
	if err == nil {
		err = g.ending.complete(ctx, g.owner, answer)
	}
	if err != nil {
		err = g.ending.giveUp(ctx, g.owner, answer, err)
	}
	g.logEnd(ctx, err)
}

// run asks upstream. A panic fails the answer and nothing else.
func (g *generation) run(ctx context.Context, c upstream.Conversation) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			g.logger.ErrorContext(ctx, "panic", slog.Any("ai_response_id", g.owner.response.ID),
				slog.String("fault", fmt.Sprint(fault)), slog.String("stack", string(debug.Stack())))
			err = errors.New("writer: panic while generating")
		}
	}()
	return g.exchange.Run(ctx, c)
}

// take passes a piece of the answer to the committer.
func (g *generation) take(piece string) {
	g.text.WriteString(piece)
	g.committer.add(g.owner, piece)
}

// switchTo records the model in the response before it writes.
func (g *generation) switchTo(ctx context.Context, model string) error {
	o := g.owner
	n, err := g.ending.store.UpdateAIResponseModel(ctx, sqlc.UpdateAIResponseModelParams{
		ID: o.response.ID, OwnerID: o.id, Attempt: o.response.Attempt, Model: model,
	})
	if err == nil && n == 0 {
		err = errLost
	}
	if err == nil {
		o.feed.SwitchModel(o.response.Attempt, model)
	}
	return err
}

func (g *generation) logEnd(ctx context.Context, err error) {
	response := g.owner.response
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.Any("ai_response_id", response.ID),
		slog.Any("ticket_id", response.TicketID),
		slog.Int("attempt", int(response.Attempt)),
		slog.String("model", g.exchange.Model),
		slog.Duration("dur", time.Since(response.CreatedAt)),
		slog.Int("completion_tokens", g.exchange.Usage().CompletionTokens),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
		if !errors.Is(err, errLost) && !errors.Is(err, errStopping) {
			level = slog.LevelError
		}
	}
	g.logger.LogAttrs(ctx, level, "ai response ended", attrs...)
}
