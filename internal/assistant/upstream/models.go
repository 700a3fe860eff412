// Package upstream gets answers from the models that may write them, which are behind one OpenAI-compatible server. The
// [Models] say which model is tried after which, and whether one takes requests at all (models.go): each has a breaker,
// which keeps requests from it while it fails (breaker.go). An [Exchange] asks the models for one answer, one after the
// other, until one writes it (exchange.go), and fits the [Conversation] to what each of them takes (conversation.go). What
// an upstream failure means for the next try and for the caller is in kinds.go; metrics.go counts requests.
package upstream

import (
	"slices"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/groq"
)

// Models are the models, in the order in which they are tried.
type Models struct {
	client    *groq.Client
	names     []string
	maxTokens int
	breakers  map[string]*breaker
	metrics   requestMetrics
}

// NewModels returns the named models, at least one. An answer has at most maxTokens tokens. Without a client, answers
// are off. The set receives the metrics.
func NewModels(client *groq.Client, names []string, maxTokens int, set *metrics.Set) *Models {
	m := &Models{
		client: client, names: names, maxTokens: maxTokens, breakers: make(map[string]*breaker),
		metrics: newRequestMetrics(set, names),
	}
	for _, name := range names {
		m.breakers[name] = &breaker{}
	}
	return m
}

// Enabled reports whether answers are on.
func (m *Models) Enabled() bool { return m.client != nil }

// Default returns the model for requests that name none.
func (m *Models) Default() string { return m.names[0] }

// Check returns AIDisabled when answers are off, ValidationFailed for a model that is not offered, and an upstream
// failure while no model accepts requests. An empty model is the default one.
func (m *Models) Check(model string) error {
	switch {
	case !m.Enabled():
		return apperr.New(apperr.AIDisabled, "AI answers are off on this server.")
	case model != "" && !slices.Contains(m.names, model):
		return apperr.New(apperr.ValidationFailed, "The server does not offer this model.").
			At(apperr.Field{Pointer: "/model", Code: apperr.NotAllowed, Allowed: m.names})
	}
	var shortest time.Duration
	for _, b := range m.breakers {
		wait := b.wait()
		if wait == 0 {
			return nil
		}
		if shortest == 0 || wait < shortest {
			shortest = wait
		}
	}
	return refused(shortest)
}

// chain returns the models to try: the given one first, and then the others. A response that another release began may
// name a model that is no longer offered.
func (m *Models) chain(model string) []string {
	if !slices.Contains(m.names, model) {
		return m.names
	}
	chain := []string{model}
	for _, other := range m.names {
		if other != model {
			chain = append(chain, other)
		}
	}
	return chain
}
