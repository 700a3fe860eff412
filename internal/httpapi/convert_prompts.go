package httpapi

import (
	"cmp"
	"strconv"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/prompt"
)

// The bridge between rows and the wire, of prompts.

func toPrompt(v prompt.View) api.Prompt {
	p := v.Prompt
	return api.Prompt{
		ID:           p.ID,
		Version:      p.Version,
		Status:       promptStatus(v),
		Company:      p.Company,
		Product:      p.Product,
		Tone:         api.PromptTone(p.Tone),
		Language:     p.Language,
		Rules:        p.Rules,
		Instructions: p.Instructions,
		CreatedAt:    toTimestamp(p.CreatedAt),
		UpdatedAt:    toTimestamp(p.UpdatedAt),
		PublishedAt:  toOptionalTimestamp(p.PublishedAt),
	}
}

func promptStatus(v prompt.View) api.PromptStatus {
	switch {
	case v.Live:
		return api.PromptStatusLive
	case v.Prompt.PublishedAt != nil:
		return api.PromptStatusRetired
	}
	return api.PromptStatusDraft
}

// promptTag returns the tag of a prompt's revision and of whether it is live.
func promptTag(v prompt.View) *string {
	return new(strconv.Quote(strconv.FormatInt(v.Prompt.Revision, 10) + "." + string(promptStatus(v))))
}

func fromPromptSettings(r api.PromptSettings) prompt.Settings {
	rules := r.Rules
	if rules == nil {
		rules = []string{}
	}
	return prompt.Settings{
		Company: r.Company, Product: r.Product, Tone: sqlc.PromptTone(cmp.Or(r.Tone, api.PromptToneFriendly)),
		Language: r.Language, Rules: rules, Instructions: r.Instructions,
	}
}

func toPromptPreview(p assistant.Preview) api.PromptPreview {
	return api.PromptPreview{
		PromptVersion: p.Prompt.Version,
		Model:         p.Model,
		Messages: convertAll(p.Messages, func(m groq.Message) api.PromptMessage {
			return api.PromptMessage{Role: api.PromptMessageRole(m.Role), Content: m.Content}
		}),
	}
}
