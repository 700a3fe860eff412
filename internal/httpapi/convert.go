package httpapi

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/ticket"
	"github.com/supportbackend/support/internal/timestamp"
)

// The only bridge between rows and the wire.

func toTimestamp(t time.Time) api.Timestamp { return timestamp.Format(t) }

func toUser(u sqlc.User) api.User {
	return api.User{ID: u.ID, Email: u.Email, Role: api.Role(u.Role), DisplayName: valueOf(u.DisplayName)}
}

func toMe(a auth.Actor) api.User {
	return api.User{ID: a.ID, Email: a.Email, Role: api.Role(a.Role), DisplayName: a.DisplayName}
}

func toAccount(row account.View) api.Account {
	u := row.User
	return api.Account{
		ID:          u.ID,
		Email:       u.Email,
		Role:        api.Role(u.Role),
		Disabled:    u.DisabledAt != nil,
		DisplayName: valueOf(u.DisplayName),
		CreatedAt:   toTimestamp(u.CreatedAt),
		Customer:    toCustomer(row.ServiceID, row.ExternalID, row.DisplayName),
	}
}

// toCustomer returns nil if the account is not a service's customer, or the actor may not see whose it is.
func toCustomer(serviceID *uuid.UUID, externalID, displayName *string) *api.Customer {
	if serviceID == nil || externalID == nil {
		return nil
	}
	return &api.Customer{ServiceID: *serviceID, ExternalID: *externalID, DisplayName: valueOf(displayName)}
}

func toAccessToken(t session.Tokens) api.AccessToken {
	return api.AccessToken{
		AccessToken:  t.Access,
		TokenType:    api.AccessTokenTokenTypeBearer,
		ExpiresIn:    int32(t.ExpiresIn.Seconds()),
		RefreshToken: t.Refresh,
	}
}

// toSession converts sessions for the actor.
func toSession(actor auth.Actor) func(sqlc.ListSessionsByUserRow) api.Session {
	return func(s sqlc.ListSessionsByUserRow) api.Session {
		return api.Session{
			ID:         s.ID,
			CreatedAt:  toTimestamp(s.CreatedAt),
			LastUsedAt: toTimestamp(s.LastUsedAt),
			ExpiresAt:  toTimestamp(s.ExpiresAt),
			UserAgent:  s.UserAgent,
			IP:         s.ClientNetwork,
			Current:    s.ID == actor.SessionID,
		}
	}
}

// toTicket converts tickets for the actor. Only staff get the staff-only members.
func toTicket(actor auth.Actor) func(ticket.View) api.Ticket {
	return func(row ticket.View) api.Ticket {
		t := row.Ticket
		shown := api.Ticket{
			ID:              t.ID,
			Title:           t.Title,
			Description:     t.Description,
			Status:          api.TicketStatus(t.Status),
			AIMode:          api.AIMode(t.AIMode),
			UserID:          t.UserID,
			Customer:        toCustomer(row.ServiceID, row.ExternalID, row.DisplayName),
			CreatedAt:       toTimestamp(t.CreatedAt),
			UpdatedAt:       toTimestamp(t.UpdatedAt),
			LastMessageAt:   toTimestamp(t.LastMessageAt),
			FirstResponseAt: toOptionalTimestamp(t.FirstResponseAt),
			ResolvedAt:      toOptionalTimestamp(t.ResolvedAt),
			MergedInto:      t.MergedInto,
			HandoffReason:   api.HandoffReason(valueOf(t.HandoffReason)),
			HandedOffAt:     toOptionalTimestamp(t.HandedOffAt),
			RedactedAt:      toOptionalTimestamp(t.RedactedAt),
		}
		if actor.IsStaff() {
			addForStaff(&shown, t)
		}
		return shown
	}
}

// addForStaff adds a ticket's staff-only members.
func addForStaff(shown *api.Ticket, t sqlc.Ticket) {
	shown.Priority = api.TicketPriority(t.Priority)
	shown.AssigneeID, shown.TeamID = t.AssigneeID, t.TeamID
	shown.Tags = t.Tags
	shown.CustomFields, _ = ticket.Fields(t.CustomFields) // The database stores only objects.
	shown.ExternalID, shown.HandoffNote = valueOf(t.ExternalID), valueOf(t.HandoffNote)
	shown.SnoozedUntil = toOptionalTimestamp(t.SnoozedUntil)
	shown.FirstResponseDueAt = toOptionalTimestamp(t.FirstResponseDueAt)
	shown.ResolutionDueAt = toOptionalTimestamp(t.ResolutionDueAt)
	shown.WaitingSince = toOptionalTimestamp(t.WaitingSince)
}

func toTicketWithMessages(actor auth.Actor, row ticket.View, messages []ticket.Message) api.TicketWithMessages {
	t := toTicket(actor)(row)
	return api.TicketWithMessages{
		ID:                 t.ID,
		Title:              t.Title,
		Description:        t.Description,
		Status:             t.Status,
		AIMode:             t.AIMode,
		UserID:             t.UserID,
		Customer:           t.Customer,
		CreatedAt:          t.CreatedAt,
		UpdatedAt:          t.UpdatedAt,
		LastMessageAt:      t.LastMessageAt,
		FirstResponseAt:    t.FirstResponseAt,
		ResolvedAt:         t.ResolvedAt,
		MergedInto:         t.MergedInto,
		HandoffReason:      t.HandoffReason,
		HandedOffAt:        t.HandedOffAt,
		RedactedAt:         t.RedactedAt,
		HandoffNote:        t.HandoffNote,
		Priority:           t.Priority,
		AssigneeID:         t.AssigneeID,
		TeamID:             t.TeamID,
		Tags:               t.Tags,
		CustomFields:       t.CustomFields,
		ExternalID:         t.ExternalID,
		SnoozedUntil:       t.SnoozedUntil,
		FirstResponseDueAt: t.FirstResponseDueAt,
		ResolutionDueAt:    t.ResolutionDueAt,
		WaitingSince:       t.WaitingSince,
		Messages:           convertAll(messages, toMessage(actor)),
	}
}

// toMessage converts messages for the actor.
func toMessage(actor auth.Actor) func(ticket.Message) api.Message {
	staff := actor.IsStaff()
	return func(m ticket.Message) api.Message {
		message := api.Message{
			ID:           m.ID,
			TicketID:     m.TicketID,
			Content:      m.Content,
			IsAI:         m.Author == sqlc.MessageAuthorAI,
			Author:       api.MessageAuthor{Kind: api.MessageAuthorKind(m.Author), Name: m.AuthorName},
			CreatedAt:    toTimestamp(m.CreatedAt),
			SupersededBy: m.SupersededBy,
			RedactedAt:   toOptionalTimestamp(m.RedactedAt),
		}
		if staff {
			message.Author.ID, message.IsNote = m.AuthorID, m.IsNote
		}
		return message
	}
}

func toMessageFeedback(f sqlc.MessageFeedback) api.MessageFeedback {
	return api.MessageFeedback{
		MessageID: f.MessageID,
		Rating:    api.Rating(f.Rating),
		Comment:   valueOf(f.Comment),
		CreatedAt: toTimestamp(f.CreatedAt),
		UpdatedAt: toTimestamp(f.UpdatedAt),
	}
}

func toFieldErrors(fields []apperr.Field) []api.FieldError {
	if len(fields) == 0 {
		return nil
	}
	return convertAll(fields[:min(len(fields), contract.MaxFaults)], func(f apperr.Field) api.FieldError {
		return api.FieldError{
			Pointer: truncate(f.Pointer, maxPointerRunes), Code: api.FieldErrorCode(f.Code), In: api.FieldErrorIn(f.In),
			Limit: f.Limit, Allowed: f.Allowed,
		}
	})
}

func convertAll[From, To any](from []From, convert func(From) To) []To {
	to := make([]To, len(from))
	for i, f := range from {
		to[i] = convert(f)
	}
	return to
}

// valueOf returns the value, or the zero value for nil.
func valueOf[T any](value *T) T {
	if value == nil {
		var none T
		return none
	}
	return *value
}

// orNil returns nil for an empty text.
func orNil[T ~string](text T) *T {
	if text == "" {
		return nil
	}
	return &text
}

// versionTag returns the entity tag of a version.
func versionTag(version int64) *string { return new(strconv.Quote(strconv.FormatInt(version, 10))) }

// truncate cuts s to n characters.
func truncate(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n])
}

func fromSignUpRequest(r api.SignUpRequest) account.NewAccount {
	return account.NewAccount{Email: r.Email, Password: r.Password, Role: fromRole(api.Role(r.Role))}
}

func fromCreateUserRequest(r api.CreateUserRequest) account.NewAccount {
	return account.NewAccount{
		Email: r.Email, Password: r.Password, Role: fromRole(r.Role), DisplayName: orNil(r.DisplayName),
	}
}

func fromRole(role api.Role) auth.Role {
	if role == "" {
		return auth.RoleUser
	}
	return auth.Role(role)
}

func fromCreateMessageRequest(r api.CreateMessageRequestObject) ticket.NewMessage {
	message := ticket.NewMessage{Content: r.Body.Content, ClientID: r.Body.ClientID}
	if r.Params.IfMatch != nil {
		message.Accept = ifMatch(r.Params.IfMatch)
	}
	return message
}

func fromPutMessageFeedbackRequest(r api.PutMessageFeedbackRequest) (sqlc.FeedbackRating, *string) {
	return sqlc.FeedbackRating(r.Rating), orNil(r.Comment)
}

func fromListUsersParams(p api.ListUsersParams) account.Filter {
	f := account.Filter{Email: p.Email, IDs: fromIDs(p.IDs)}
	if p.Role == api.ListUsersParamsRoleStaff {
		f.Staff = true
	} else {
		f.Role = orNil(auth.Role(p.Role))
	}
	return f
}

// fromIDs returns the ids of a list that matches the contract's pattern, nil for all.
func fromIDs(list string) []uuid.UUID {
	if list == "" {
		return nil
	}
	var ids []uuid.UUID
	for id := range strings.SplitSeq(list, ",") {
		ids = append(ids, uuid.MustParse(id))
	}
	return ids
}

func fromUpdateUserRequest(r api.UpdateUserRequest) account.Change {
	return account.Change{Role: orNil(auth.Role(r.Role)), Disabled: r.Disabled, DisplayName: r.DisplayName}
}
