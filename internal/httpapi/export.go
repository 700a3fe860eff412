package httpapi

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"net/http"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/ticket"
)

// ExportUser streams a customer's data.
func (s *Server) ExportUser(ctx context.Context, r api.ExportUserRequestObject) (api.ExportUserResponseObject, error) {
	leave, err := s.streams.Enter(callerFrom(ctx))
	if err != nil {
		return nil, err
	}
	ctx, stop := s.permits.whileAllowed(ctx)
	items, err := s.Accounts.Export(ctx, actorFrom(ctx), r.UserID)
	if err != nil {
		stop()
		leave()
		return nil, err
	}
	return exportLines{ctx: ctx, items: items, end: func() { stop(); leave() }}, nil
}

// exportLines is the response of exportUser.
type exportLines struct {
	// ctx is the request's, while its caller may make it: the generated interface has no place for it.
	ctx   context.Context
	items iter.Seq2[account.Exported, error]
	// end must be called when the response has ended.
	end func()
}

// VisitExportUserResponse writes a line for each item, and the last line when they are complete. An error before the first
// write becomes a problem.
func (l exportLines) VisitExportUserResponse(w http.ResponseWriter) error {
	defer l.end()
	var lines bytes.Buffer
	var counts api.ExportCounts
	for item, err := range l.items {
		if errors.Is(context.Cause(l.ctx), errWithdrawn) {
			return errWithdrawnProblem()
		}
		if err != nil {
			return err
		}
		appendLine(&lines, toExportLine(item))
		count(&counts, item)
		if lines.Len() < deliveryChunk {
			continue
		}
		if err := writeLines(w, &lines); err != nil {
			return err
		}
	}
	appendLine(&lines, api.ExportLine{Type: api.ExportLineTypeEnd, Counts: &counts})
	return writeLines(w, &lines)
}

// writeLines sends the lines to a client that has the usual time for each chunk of them.
func writeLines(w http.ResponseWriter, lines *bytes.Buffer) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	setUnbuffered(w.Header())
	defer lines.Reset()
	return writeInChunks(w, lines.Bytes())
}

func appendLine(lines *bytes.Buffer, line api.ExportLine) {
	encoded, _ := encodeJSON(line) // Every field has a JSON form.
	lines.Write(encoded)
	lines.WriteByte('\n')
}

func count(counts *api.ExportCounts, item account.Exported) {
	switch {
	case item.Session != nil:
		counts.Sessions++
	case item.Ticket != nil:
		counts.Tickets++
	case item.Message != nil:
		counts.Messages++
	case item.Feedback != nil:
		counts.Feedback++
	case item.AIResponse != nil:
		counts.AIResponses++
	}
}

// toExportLine converts an item as its customer sees it, whoever asks.
func toExportLine(item account.Exported) api.ExportLine {
	customer := auth.Actor{Role: auth.RoleUser}
	switch {
	case item.User != nil:
		return api.ExportLine{Type: api.ExportLineTypeUser, User: new(toUser(*item.User))}
	case item.Session != nil:
		return api.ExportLine{Type: api.ExportLineTypeSession, Session: new(toSession(customer)(*item.Session))}
	case item.Ticket != nil:
		return api.ExportLine{Type: api.ExportLineTypeTicket, Ticket: new(toTicket(customer)(ticket.View{Ticket: *item.Ticket}))}
	case item.Message != nil:
		message := ticket.Message{Message: item.Message.Message, AuthorName: item.Message.AuthorName}
		return api.ExportLine{Type: api.ExportLineTypeMessage, Message: new(toMessage(customer)(message))}
	case item.Feedback != nil:
		return api.ExportLine{Type: api.ExportLineTypeFeedback, Feedback: new(toMessageFeedback(*item.Feedback))}
	default:
		return api.ExportLine{Type: api.ExportLineTypeAIResponse, AIResponse: new(toAIResponse(customer)(*item.AIResponse))}
	}
}
