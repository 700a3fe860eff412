package upstream

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/supportbackend/support/internal/groq"
)

// errBrokenOff ends a request that has no other end.
var errBrokenOff = errors.New("upstream: the request broke off")

// Usage counts the tokens of an answer.
type Usage = groq.Usage

// Exchange asks the models for one answer, until one of them writes it. It sees the world through two functions.
type Exchange struct {
	Models *Models
	// Model is the model that was asked last; before Run, the one to ask first.
	Model string
	// Switch is called before another model is asked.
	Switch func(ctx context.Context, model string) error
	// Take receives each piece of the answer. It must not wait.
	Take func(piece string)
	// Format is the format of the answer; nil allows any text.
	Format *Format
	Logger *slog.Logger

	pieces int
	result groq.Result
}

// Format requires an answer in JSON. Take receives it in one piece, once it is complete and checked.
type Format struct {
	Schema groq.Schema
	// Check returns the answer in the form to store, or an error for an invalid one.
	Check func(text string) (string, error)
}

// invalidJSON is the failure code of an answer that Format.Check refuses.
const invalidJSON = "invalid_json"

// Run passes the answer to Take, piece by piece. Before the first piece, a fallback may replace a model that cannot
// answer. It returns upstream's error, or the error of Switch.
func (x *Exchange) Run(ctx context.Context, c Conversation) (err error) {
	for _, model := range x.Models.chain(x.Model) {
		failure := x.answer(ctx, model, c)
		// Of several models' failures, a temporary one says most.
		if err == nil || failure == nil || kindOf(failure) != groq.Misconfigured {
			err = failure
		}
		if failure == nil || x.pieces > 0 || !anotherMayAnswer(failure) {
			return err
		}
	}
	return err
}

// Usage returns the usage that upstream reported. If the answer was cut off before that, every piece counts as a token.
func (x *Exchange) Usage() Usage {
	usage := x.result.Usage
	if usage == (Usage{}) {
		usage.CompletionTokens = x.pieces
	}
	return usage
}

// FinishReason returns why the model stopped.
func (x *Exchange) FinishReason() string { return string(x.result.FinishReason) }

// answer asks one model. It shortens a conversation that is too long until it fits. It asks once more if the model
// spent all tokens on reasoning, with less effort, or did not keep to the format.
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
		case codeIs(failure, invalidJSON) && !again:
			again = true
		default:
			return failure
		}
	}
}

// ask sends one request.
func (x *Exchange) ask(ctx context.Context, request groq.Request) error {
	p, wait := x.Models.breakers[request.Model].admit()
	if p == nil {
		x.Models.metrics.notSent(request.Model)
		return refused(wait)
	}
	err := errBrokenOff // The result of a panic.
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

// readWhole passes on an answer that satisfies the format. An invalid answer is not a failure of the model for its
// breaker.
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

// logFailure logs the server's own words for the operator, who alone may see them.
func (x *Exchange) logFailure(ctx context.Context, model string, err error) {
	failure, ok := errors.AsType[*groq.Error](err)
	if !ok || failure.Kind == groq.Cancelled {
		return
	}
	x.Logger.LogAttrs(ctx, slog.LevelWarn, "ai service failed",
		slog.String("host", x.Models.client.Host()),
		slog.String("model", model),
		slog.String("kind", string(failure.Kind)),
		slog.Int("status", failure.Status),
		slog.String("code", failure.Code),
		slog.String("detail", failure.Message),
	)
}
