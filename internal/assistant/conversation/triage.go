package conversation

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/groq"
)

// Triage is the AI's triage of a ticket.
type Triage struct {
	Priority  sqlc.TicketPriority `json:"priority"`
	Tags      []string            `json:"tags"`
	Language  string              `json:"language"`
	Sentiment string              `json:"sentiment"`
	HandOff   bool                `json:"hand_off"`
	Reason    string              `json:"reason"`
}

// The bounds of a triage, as in the contract.
const (
	maxTriageTags  = 5
	maxTagRunes    = 50
	maxReasonRunes = 500
)

var (
	sentiments  = []string{"positive", "neutral", "negative", "angry"}
	priorities  = []sqlc.TicketPriority{sqlc.TicketPriorityLow, sqlc.TicketPriorityNormal, sqlc.TicketPriorityHigh, sqlc.TicketPriorityUrgent}
	languageTag = regexp.MustCompile(`^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$`)
)

// triageFormat is the format of a triage. Not all servers enforce a schema, so the result is checked here.
var triageFormat = &upstream.Format{
	Schema: groq.Schema{Name: "triage", Body: json.RawMessage(`{
		"type": "object", "additionalProperties": false,
		"required": ["priority", "tags", "language", "sentiment", "hand_off", "reason"],
		"properties": {
			"priority": {"type": "string", "enum": ["low", "normal", "high", "urgent"]},
			"tags": {"type": "array", "items": {"type": "string"}},
			"language": {"type": "string"},
			"sentiment": {"type": "string", "enum": ["positive", "neutral", "negative", "angry"]},
			"hand_off": {"type": "boolean"},
			"reason": {"type": "string"}
		}
	}`)},
	Check: func(text string) (string, error) {
		triage, err := ParseTriage(text)
		if err != nil {
			return "", err
		}
		checked, err := json.Marshal(triage)
		return string(checked), err
	},
}

// FormatOf returns the format that the text of a response of the kind must have; nil allows any text.
func FormatOf(kind sqlc.AIResponseKind) *upstream.Format {
	if kind == sqlc.AIResponseKindTriage {
		return triageFormat
	}
	return nil
}

// ParseTriage parses a model's output. It accepts JSON in code fences and tags in any spelling. It returns an error for
// a missing or invalid value.
func ParseTriage(text string) (Triage, error) {
	text = strings.TrimSpace(text)
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(text, "```json"), "```"), "```")
	var given struct {
		Triage
		HandOff *bool `json:"hand_off"`
	}
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return Triage{}, errors.New("it is not a JSON object")
	}
	triage := given.Triage
	triage.Tags = cleanTags(triage.Tags)
	triage.Reason = cleanLine(triage.Reason, maxReasonRunes)
	switch {
	case !slices.Contains(priorities, triage.Priority):
		return Triage{}, errors.New("there is no such priority")
	case !slices.Contains(sentiments, triage.Sentiment):
		return Triage{}, errors.New("there is no such sentiment")
	case !languageTag.MatchString(triage.Language):
		return Triage{}, errors.New("the language is not a language tag")
	case given.HandOff == nil:
		return Triage{}, errors.New("hand_off is missing")
	case triage.Reason == "":
		return Triage{}, errors.New("the reason is missing")
	}
	triage.HandOff = *given.HandOff
	return triage, nil
}

func cleanTags(tags []string) []string {
	cleaned := []string{}
	for _, tag := range tags {
		tag = cleanLine(strings.ToLower(tag), maxTagRunes)
		if tag != "" && !slices.Contains(cleaned, tag) && len(cleaned) < maxTriageTags {
			cleaned = append(cleaned, tag)
		}
	}
	return cleaned
}

// cleanLine returns the text on one line, with at most so many characters, and without those that the contract refuses in
// a line: control characters, those that reverse the direction of text, and noncharacters.
func cleanLine(text string, most int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f && r <= 0x9f || unicode.IsSpace(r) ||
			r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfffe || r == 0xffff
	}), " ")
	if runes := []rune(text); len(runes) > most {
		text = strings.TrimSpace(string(runes[:most]))
	}
	return text
}
