package upstream

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/supportbackend/support/internal/groq"
)

// errBrokenOff is the end of a request that has none.
var errBrokenOff = errors.New("upstream: the request broke off")

// Usage is how many tokens an answer has used.
type Usage = groq.Usage

// Exchange is what is asked of the models for one answer, until one of them writes it. Its world is two functions.
type Exchange struct {
	Models *Models
	// Model is the one that was asked last, and before Run the one to ask first.
	Model string
	// Switch is called before another model than Model is asked.
	Switch func(ctx context.Context, model string) error
	// Take gets each piece of the answer. It must not wait.
	Take func(piece string)
	// Format is what the answer must be like; nil is any text.
	Format *Format
	Logger *slog.Logger

	pieces int
	result groq.Result
}

// Format is an answer in JSON. It is handed to Take in one piece, once it is complete and has been checked.
type Format struct {
	Schema groq.Schema
	// Check returns the answer as it is to be kept, or an error for one that is not as it must be.
	Check func(text string) (string, error)
}

// invalidJSON is the code of an answer that Format.Check refuses.
const invalidJSON = "invalid_json"

// Run passes the answer to Take, piece by piece. Before the first piece, another model may replace one that cannot
// answer. The error is upstream's, or what Switch returned.
func (x *Exchange) Run(ctx context.Context, c Conversation) (err error) {
	for _, model := range x.Models.chain(x.Model) {
		failure := x.answer(ctx, model, c)
		// Of several models' failures, the one that passes by itself says most.
		if err == nil || failure == nil || kindOf(failure) != groq.Misconfigured {
			err = failure
		}
		if failure == nil || x.pieces > 0 || !anotherMayAnswer(failure) {
			return err
		}
	}
	return err
}

// Usage is what upstream reported. Of an answer that was cut off before it did, every piece counts as a token.
func (x *Exchange) Usage() Usage {
	usage := x.result.Usage
	if usage == (Usage{}) {
		usage.CompletionTokens = x.pieces
	}
	return usage
}

// FinishReason is why the answer is complete.
func (x *Exchange) FinishReason() string { return string(x.result.FinishReason) }

// answer lets one model write. A conversation that is too long is made shorter until it fits, a model that has spent all tokens
// on reasoning is asked once more to reason less, and one that has not kept to the format is asked once more.
func (x *Exchange) answer(ctx context.Context, model string, c Conversation) error {
	request := groq.Request{Model: model, MaxCompletionTokens: x.Models.maxTokens}
	if x.Format != nil {
		request.Schema = &x.Format.Schema
	}
	again := false
	for {
		request.Messages = c.Messages()
		failure := x.ask(ctx, request)
		switch kind := kindOf(failure); {
		case kind == groq.TooLarge:
			rest := c.shorter()
			if x.pieces > 0 || len(rest) == len(c) {
				return failure
			}
			c = rest
		case kind == groq.NoAnswer && !request.LessReasoning:
			request.LessReasoning = true
		case isInvalidJSON(failure) && !again:
			again = true
		default:
			return failure
		}
	}
}

func isInvalidJSON(err error) bool {
	failure, ok := errors.AsType[*groq.Error](err)
	return ok && failure.Code == invalidJSON
}

// ask sends one request.
func (x *Exchange) ask(ctx context.Context, request groq.Request) error {
	p, wait := x.Models.breakers[request.Model].admit()
	if p == nil {
		x.Models.metrics.notSent(request.Model)
		return refused(wait)
	}
	err := errBrokenOff // What a panic leaves.
	defer func() {
		p.report(err)
		x.Models.metrics.asked(request.Model, err)
	}()
	err = x.stream(ctx, p, request)
	x.logFailure(ctx, request.Model, err)
	return err
}

func (x *Exchange) stream(ctx context.Context, p *pass, request groq.Request) error {
	if request.Model != x.Model {
		if err := x.Switch(ctx, request.Model); err != nil {
			return err
		}
		x.Model = request.Model
	}
	stream := x.Models.client.Stream(ctx, request)
	defer func() {
		x.result = stream.Result()
		_ = stream.Close()
	}()
	if x.Format != nil {
		return x.readWhole(p, stream)
	}
	for stream.Next() {
		if x.pieces == 0 {
			p.succeeded()
		}
		x.pieces++
		x.Take(stream.Delta())
	}
	return stream.Err()
}

// readWhole hands an answer over that is as it must be. The model is not at fault for one that is not: it answers.
func (x *Exchange) readWhole(p *pass, stream *groq.Stream) error {
	var text strings.Builder
	for stream.Next() {
		p.succeeded()
		text.WriteString(stream.Delta())
	}
	if err := stream.Err(); err != nil {
		return err
	}
	checked, err := x.Format.Check(text.String())
	if err != nil {
		return &groq.Error{Kind: groq.Protocol, Code: invalidJSON, Message: err.Error()}
	}
	x.pieces++
	x.Take(checked)
	return nil
}

// logFailure tells the operator what the server said, which nobody else gets to see.
func (x *Exchange) logFailure(ctx context.Context, model string, err error) {
	failure, ok := errors.AsType[*groq.Error](err)
	if !ok || failure.Kind == groq.Canceled {
		return
	}
	x.Logger.LogAttrs(ctx, slog.LevelWarn, "ai service failed",
		slog.String("host", x.Models.client.Host()),
		slog.String("model", model),
		slog.String("kind", string(failure.Kind)),
		slog.Int("status", failure.Status),
		slog.String("code", failure.Code),
		slog.String("said", failure.Message),
	)
}
