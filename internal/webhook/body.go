package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/timestamp"
)

// errExpired means that the journal no longer has the entry.
var errExpired = errors.New("webhook: the event has expired")

// body is the body of a delivery, as Standard Webhooks recommends it.
type body struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      any    `json:"data"`
}

// bodyOf returns the body of a delivery, with the current texts. It returns errExpired.
func (s *Service) bodyOf(ctx context.Context, hook sqlc.Webhook, d sqlc.WebhookDelivery) ([]byte, error) {
	if d.Position == nil {
		return encode(body{d.Type, timestamp.Format(d.CreatedAt), map[string]any{"webhook_id": hook.ID}})
	}
	found, err := s.journal.Read(ctx, *d.Position-1, 1)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || found[0].Position != *d.Position {
		return nil, errExpired
	}
	e := found[0]
	data := s.encode(e)
	if hook.Payload == sqlc.WebhookPayloadThin {
		data = thin{Position: e.Position, TicketID: e.TicketID, SubjectID: e.SubjectID}
	}
	return encode(body{d.Type, timestamp.Format(e.OccurredAt), data})
}

// thin is the data of a thin delivery: the receiver reads the rest through the API.
type thin struct {
	Position  int64      `json:"position"`
	TicketID  *uuid.UUID `json:"ticket_id,omitempty"`
	SubjectID *uuid.UUID `json:"subject_id,omitempty"`
}

func encode(b body) ([]byte, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("webhook: encode a delivery: %w", err)
	}
	return text, nil
}
