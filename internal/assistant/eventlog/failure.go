package eventlog

import "github.com/supportbackend/support/internal/apperr"

// details explain each code to readers.
var details = map[apperr.Code]string{
	apperr.AINoAnswer:              "The AI used all its tokens before it began to answer.",
	apperr.AIOverloaded:            "The AI service is overloaded or cannot be reached.",
	apperr.AIMisconfigured:         "The AI service refuses this server.",
	apperr.ConversationNotAccepted: "The AI does not accept this conversation.",
	apperr.AITimeout:               "The AI service did not answer in time.",
	apperr.AIStalled:               "The AI service stopped sending.",
	apperr.AIProtocol:              "The AI service ended the answer early or sent something unexpected.",
	apperr.Superseded:              "A human took over the ticket, or a new message arrived, before the answer was complete.",
	apperr.Cancelled:               "The answer was cancelled.",
}

// Failure returns the error for a code in a log.
func Failure(code apperr.Code) *apperr.Error { return apperr.New(code, details[code]) }
