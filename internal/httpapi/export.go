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

// ExportUser streams everything of a customer.
func (s *Server) ExportUser(ctx context.Context, r api.ExportUserRequestObject) (api.ExportUserResponseObject, error) {
	leave, err := s.streams.enter(callerFrom(ctx))
	if err != nil {
		return nil, err
	}
	ctx, stop := s.permits.whileAllowed(ctx)
	things, err := s.Accounts.Export(ctx, actorFrom(ctx), r.UserID)
	if err != nil {
		stop()
		leave()
		return nil, err
	}
	return exportLines{ctx: ctx, things: things, end: func() { stop(); leave() }}, nil
}

// exportLines is the response of exportUser.
type exportLines struct {
	// ctx is the request's, while its caller may make it: the generated interface has no place for it.
	ctx    context.Context
	things iter.Seq2[account.Exported, error]
	// end must be called when the response has ended.
	end func()
}

// VisitExportUserResponse writes a line for each thing, and the last one when they are complete. What it returns before it has
// written anything is answered with a problem.
func (l exportLines) VisitExportUserResponse(w http.ResponseWriter) error {
	defer l.end()
	var lines bytes.Buffer
	var counts api.ExportCounts
	for thing, err := range l.things {
		if errors.Is(context.Cause(l.ctx), errWithdrawn) {
			return errWithdrawnProblem()
		}
		if err != nil {
			return err
		}
		appendLine(&lines, toExportLine(thing))
		count(&counts, thing)
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
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would read it all before its client does.
	defer lines.Reset()
	return writeInChunks(w, lines.Bytes())
}

func appendLine(lines *bytes.Buffer, line api.ExportLine) {
	encoded, _ := encodeJSON(line) // It has nothing that cannot be encoded.
	lines.Write(encoded)
	lines.WriteByte('\n')
}

func count(counts *api.ExportCounts, thing account.Exported) {
	switch {
	case thing.Session != nil:
		counts.Sessions++
	case thing.Ticket != nil:
		counts.Tickets++
	case thing.Message != nil:
		counts.Messages++
	case thing.Feedback != nil:
		counts.Feedback++
	case thing.AIResponse != nil:
		counts.AIResponses++
	}
}

// toExportLine converts a thing as its customer sees it, whoever asks.
func toExportLine(thing account.Exported) api.ExportLine {
	customer := auth.Actor{Role: auth.RoleUser}
	switch {
	case thing.User != nil:
		return api.ExportLine{Type: api.ExportLineTypeUser, User: new(toUser(*thing.User))}
	case thing.Session != nil:
		return api.ExportLine{Type: api.ExportLineTypeSession, Session: new(toSession(customer)(*thing.Session))}
	case thing.Ticket != nil:
		return api.ExportLine{Type: api.ExportLineTypeTicket, Ticket: new(toTicket(customer)(ticket.View{Ticket: *thing.Ticket}))}
	case thing.Message != nil:
		message := ticket.Message{Message: thing.Message.Message, AuthorName: thing.Message.AuthorName}
		return api.ExportLine{Type: api.ExportLineTypeMessage, Message: new(toMessage(customer)(message))}
	case thing.Feedback != nil:
		return api.ExportLine{Type: api.ExportLineTypeFeedback, Feedback: new(toMessageFeedback(*thing.Feedback))}
	default:
		return api.ExportLine{Type: api.ExportLineTypeAIResponse, AIResponse: new(toAIResponse(customer)(*thing.AIResponse))}
	}
}
