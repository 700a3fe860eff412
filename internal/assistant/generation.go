package assistant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/groq"
)

// errBrokenOff is the end of a request that has none.
var errBrokenOff = errors.New("assistant: the request broke off")

// generation is one attempt of an owner at an answer: what is asked of upstream until one of its models writes.
type generation struct {
	service *Service
	owner   *owner
	// model is the one that was asked last.
	model string
	text  strings.Builder
	// pieces counts the deltas.
	pieces int
	result groq.Result
}

// run hands the upstream's deltas to the committer. As long as there are none, another model may take the place of one
// that cannot answer.
func (g *generation) run(ctx context.Context, messages []groq.Message) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			g.service.options.Logger.ErrorContext(ctx, "panic", slog.Any("ai_response_id", g.owner.response.ID),
				slog.String("fault", fmt.Sprint(fault)), slog.String("stack", string(debug.Stack())))
			err = errors.New("assistant: panic while generating")
		}
	}()
	for _, model := range g.service.upstream.chain(g.model) {
		failure := g.answer(ctx, model, messages)
		// Of several models' failures, the one that passes by itself says most.
		if err == nil || failure == nil || kindOf(failure) != groq.Misconfigured {
			err = failure
		}
		if failure == nil || g.pieces > 0 || !anotherMayAnswer(failure) {
			return err
		}
	}
	return err
}

// answer lets one model write. A conversation that is too long is made shorter until it fits, and a model that has spent
// all tokens on reasoning is asked once more to reason less.
func (g *generation) answer(ctx context.Context, model string, messages []groq.Message) error {
	request := groq.Request{Model: model, MaxCompletionTokens: g.service.upstream.maxTokens}
	for {
		request.Messages = joined(messages)
		failure := g.ask(ctx, request)
		switch kindOf(failure) {
		case groq.TooLarge:
			rest := shorter(messages)
			if g.pieces > 0 || len(rest) == len(messages) {
				return failure
			}
			messages = rest
		case groq.NoAnswer:
			if request.LessReasoning {
				return failure
			}
			request.LessReasoning = true
		default:
			return failure
		}
	}
}

// ask sends one request.
func (g *generation) ask(ctx context.Context, request groq.Request) error {
	p, wait := g.service.upstream.breakers[request.Model].admit()
	if p == nil {
		g.service.metrics.notSent(request.Model)
		return refused(wait)
	}
	err := errBrokenOff // What a panic leaves.
	defer func() {
		p.report(err)
		g.service.metrics.asked(request.Model, err)
	}()
	err = g.stream(ctx, p, request)
	g.logFailure(ctx, request.Model, err)
	return err
}

// logFailure tells the operator what the server said, which nobody else gets to see.
func (g *generation) logFailure(ctx context.Context, model string, err error) {
	failure, ok := errors.AsType[*groq.Error](err)
	if !ok || failure.Kind == groq.Canceled {
		return
	}
	g.service.options.Logger.LogAttrs(ctx, slog.LevelWarn, "ai service failed",
		slog.Any("ai_response_id", g.owner.response.ID),
		slog.String("host", g.service.upstream.client.Host()),
		slog.String("model", model),
		slog.String("kind", string(failure.Kind)),
		slog.Int("status", failure.Status),
		slog.String("code", failure.Code),
		slog.String("said", failure.Message),
	)
}

func (g *generation) stream(ctx context.Context, p *pass, request groq.Request) error {
	if err := g.switchTo(ctx, request.Model); err != nil {
		return err
	}
	stream := g.service.upstream.client.Stream(ctx, request)
	defer func() {
		g.result = stream.Result()
		_ = stream.Close()
	}()
	for stream.Next() {
		if g.pieces == 0 {
			p.succeeded()
		}
		delta := stream.Delta()
		g.pieces++
		g.text.WriteString(delta)
		g.service.committer.add(g.owner, delta)
	}
	return stream.Err()
}

// switchTo names the model in the response before it writes.
func (g *generation) switchTo(ctx context.Context, model string) error {
	if model == g.model {
		return nil
	}
	o := g.owner
	n, err := g.service.store.UpdateAIResponseModel(ctx, sqlc.UpdateAIResponseModelParams{
		ID: o.response.ID, OwnerID: g.service.id, Attempt: o.response.Attempt, Model: model,
	})
	if err == nil && n == 0 {
		err = errLost
	}
	if err == nil {
		g.model = model
	}
	return err
}

// usage is what upstream reported. Of an answer that was cut off before it did, every piece counts as a token.
func (g *generation) usage() groq.Usage {
	usage := g.result.Usage
	if usage == (groq.Usage{}) {
		usage.CompletionTokens = g.pieces
	}
	return usage
}
