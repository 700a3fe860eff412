package prompt

import (
	"bytes"
	_ "embed" // for the texts
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// maxSettings bounds what a prompt adds to the built-in text, in bytes of JSON. It leaves room for a customer's longest
// message beside the system prompt.
const maxSettings = 6 << 10

// The texts contain nothing that a customer wrote: customers' text is data, which goes only into messages of the role
// user. The administrators' settings are one line of JSON, so that no value can pass for another one or for a rule of
// the text.
var (
	//go:embed customer.txt
	customerText string
	// staffText has a placeholder for the task of a staff request. The ticket's messages follow as one JSON object
	// each, so that no text can pass for another author's.
	//go:embed staff.txt
	staffText string
	//go:embed suggest_reply.txt
	suggestReplyTask string
	//go:embed summarize.txt
	summarizeTask string
	//go:embed triage.txt
	triageTask string
	// deskText introduces the settings of the desk's prompt.
	//go:embed desk.txt
	deskText string
)

// settings are the texts of administrators.
type settings struct {
	Company      string   `json:"company"`
	Product      string   `json:"product,omitempty"`
	Rules        []string `json:"rules,omitempty"`
	Instructions string   `json:"instructions,omitempty"`
}

// System returns the system prompt for a ticket, with the desk's prompt, or the built-in one for nil.
func System(p *sqlc.Prompt, t sqlc.Ticket, now time.Time) (string, error) {
	return fill(customerText, p, t, now)
}

// StaffSystem is System for staff requests.
func StaffSystem(kind sqlc.AIResponseKind, p *sqlc.Prompt, t sqlc.Ticket, now time.Time) (string, error) {
	task := suggestReplyTask
	switch kind {
	case sqlc.AIResponseKindSummarize:
		task = summarizeTask
	case sqlc.AIResponseKindTriage:
		task = triageTask
	}
	return fill(strings.Replace(staffText, "{task}\n", task, 1), p, t, now)
}

// fill replaces the placeholders of a text. It does not replace placeholders inside values.
func fill(text string, p *sqlc.Prompt, t sqlc.Ticket, now time.Time) (string, error) {
	tone, language, desk := "friendly", "the language the customer writes in", ""
	if p != nil {
		line, err := encode(*p)
		if err != nil {
			return "", err
		}
		desk = strings.Replace(deskText, "{settings}", line, 1)
		if p.Tone != "" {
			tone = string(p.Tone)
		}
		if p.Language != "" {
			language = "the language " + p.Language
		}
	}
	return strings.NewReplacer(
		"{tone}", tone, "{language}", language, "{desk}", desk, "{status}", string(t.Status),
		"{today}", now.UTC().Format(time.DateOnly), "{opened_on}", t.CreatedAt.UTC().Format(time.DateOnly),
	).Replace(text), nil
}

// encode returns the settings as one line.
func encode(p sqlc.Prompt) (string, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(settings{Company: p.Company, Product: p.Product, Rules: p.Rules, Instructions: p.Instructions})
	if err != nil {
		return "", fmt.Errorf("prompt: encode the settings: %w", err)
	}
	return strings.TrimSuffix(line.String(), "\n"), nil
}

// check returns ValidationFailed for settings that are too long together.
func check(p sqlc.Prompt) error {
	line, err := encode(p)
	if err == nil && len(line) > maxSettings {
		return apperr.New(apperr.ValidationFailed, "The prompt is too long: its texts together must not exceed 6 KiB.").
			At(apperr.Field{Code: apperr.TooLong, Limit: new(int64(maxSettings))})
	}
	return err
}
