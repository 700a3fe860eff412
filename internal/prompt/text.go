package prompt

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// maxSettings bounds what a prompt adds to the text that is built in, in bytes of JSON. With it, the longest thing that a
// customer can say still fits beside the system prompt.
const maxSettings = 6 << 10

var (
	//go:embed prompt.tmpl
	systemText     string
	systemTemplate = template.Must(template.New("prompt").Parse(systemText))
	//go:embed staff.tmpl
	staffText     string
	staffTemplate = template.Must(template.New("staff").Parse(staffText))
)

// systemData is all that the system prompt is made from. None of it is a customer's text.
type systemData struct {
	// Kind is what staff ask for.
	Kind string
	// Tone and Language are empty, or one of a closed list and a language tag.
	Tone     sqlc.PromptTone
	Language string
	// Desk is the settings of the administrators as one line of JSON, or empty.
	Desk     string
	Today    string
	OpenedOn string
	Status   sqlc.TicketStatus
}

// settings are what administrators write in their own words.
type settings struct {
	Company      string   `json:"company"`
	Product      string   `json:"product,omitempty"`
	Rules        []string `json:"rules,omitempty"`
	Instructions string   `json:"instructions,omitempty"`
}

// System returns the system prompt for a ticket: by a prompt of the desk's, or, where that is nil, the one that is built in.
func System(p *sqlc.Prompt, t sqlc.Ticket, now time.Time) (string, error) {
	return write(systemTemplate, systemData{}, p, t, now)
}

// StaffSystem is System for what staff ask the AI for.
func StaffSystem(kind sqlc.AIResponseKind, p *sqlc.Prompt, t sqlc.Ticket, now time.Time) (string, error) {
	return write(staffTemplate, systemData{Kind: string(kind)}, p, t, now)
}

func write(in *template.Template, data systemData, p *sqlc.Prompt, t sqlc.Ticket, now time.Time) (string, error) {
	data.Today, data.OpenedOn = now.UTC().Format(time.DateOnly), t.CreatedAt.UTC().Format(time.DateOnly)
	data.Status = t.Status
	if p != nil {
		desk, err := encode(*p)
		if err != nil {
			return "", err
		}
		data.Desk, data.Tone, data.Language = desk, p.Tone, p.Language
	}
	var text strings.Builder
	if err := in.Execute(&text, data); err != nil {
		return "", fmt.Errorf("prompt: write the system prompt: %w", err)
	}
	return text.String(), nil
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
		return apperr.New(apperr.ValidationFailed, "The prompt is too long: together its texts may take 6 KiB.").
			At(apperr.Field{Code: apperr.TooLong, Limit: new(int64(maxSettings))})
	}
	return err
}
