package assistant

import (
	"errors"
	"slices"
	"time"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/groq"
)

// upstream is the models that may answer, in the order in which they are tried.
type upstream struct {
	client    *groq.Client
	models    []string
	maxTokens int
	breakers  map[string]*breaker
}

func newUpstream(client *groq.Client, models []string, maxTokens int) *upstream {
	u := &upstream{client: client, models: models, maxTokens: maxTokens, breakers: make(map[string]*breaker)}
	for _, model := range models {
		u.breakers[model] = &breaker{}
	}
	return u
}

// chain returns the models to try for an answer by the given one: that one first, and then the others. A response that
// another release began may name a model that is no longer offered.
func (u *upstream) chain(model string) []string {
	if !slices.Contains(u.models, model) {
		return u.models
	}
	chain := []string{model}
	for _, other := range u.models {
		if other != model {
			chain = append(chain, other)
		}
	}
	return chain
}

// check returns AIDisabled without an upstream, ValidationFailed for a model that is not offered, and AIOverloaded while
// no model takes requests. An empty model is the first one.
func (u *upstream) check(model string) error {
	switch {
	case u.client == nil:
		return apperr.New(apperr.AIDisabled, "AI answers are switched off on this server.")
	case model != "" && !slices.Contains(u.models, model):
		return apperr.New(apperr.ValidationFailed, "The server does not offer this model.").
			At(apperr.Field{Pointer: "/model", Code: apperr.NotAllowed})
	}
	var shortest time.Duration
	for _, b := range u.breakers {
		wait := b.wait()
		if wait == 0 {
			return nil
		}
		if shortest == 0 || wait < shortest {
			shortest = wait
		}
	}
	return upstreamFailure(refused(shortest))
}

// refused is the failure of a request that was not sent, because its model has failed too often.
func refused(wait time.Duration) *groq.Error {
	return &groq.Error{Kind: groq.Overloaded, Code: "breaker_open", RetryAfter: wait}
}

// report tells the model's breaker how a request went.
func (p *pass) report(err error) {
	switch kindOf(err) {
	case "":
		p.succeeded()
	case groq.Overloaded, groq.Timeout, groq.Stalled, groq.Protocol, groq.Misconfigured:
		p.breaker.heed(retryAfter(err))
		p.failed()
	case groq.Rejected, groq.TooLarge, groq.Empty, groq.NoAnswer, groq.Canceled:
		p.ended()
	}
}

// retryAfter is how long upstream asked to wait; 0 when it did not say.
func retryAfter(err error) time.Duration {
	if failure, ok := errors.AsType[*groq.Error](err); ok {
		return failure.RetryAfter
	}
	return 0
}

// anotherMayAnswer reports whether the failure is that model's own, so that another model may answer.
func anotherMayAnswer(err error) bool {
	var failure *groq.Error
	if !errors.As(err, &failure) {
		return false
	}
	switch failure.Code {
	case "model_not_found", "model_decommissioned", "tool_use_failed", "output_parse_failed":
		return true
	}
	return failure.Kind == groq.Overloaded || failure.Kind == groq.Empty
}

// kindOf is the kind of an upstream failure; empty for no failure, and Canceled for one that is not upstream's.
func kindOf(err error) groq.Kind {
	if err == nil {
		return ""
	}
	var failure *groq.Error
	if errors.As(err, &failure) {
		return failure.Kind
	}
	return groq.Canceled
}
