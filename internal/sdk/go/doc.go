// Package client is the Support Backend's SDK for Go. [New] returns a [Support], which has a method for each operation of the
// contract: it retries, resumes streams, follows pages, keeps its token fresh, and returns values and errors.
//
// # Log in
//
// SUPPORT_BASE_URL or [WithBaseURL] says where the server is, SUPPORT_TOKEN or [WithToken] as whom to call: an access token,
// or the API key of a service. LogIn gets a person's tokens; with [WithRefreshToken], an access token that ends is replaced.
//
// # Ask and stream
//
// AskAI adds a question to a ticket and waits for the answer. StreamAIResponse yields the answer's events while it is written:
// each is a [Start], [Delta], [Reset], [Done] or [Failed]. [AnswerOf] waits for the end of such a stream.
//
// # Resume and relay to a browser
//
// A stream that is cut is resumed by itself. Every event but a Start has an ID, and [WithLastEventID] begins a stream after
// one. [Relay] passes a stream on to the EventSource of a browser, which resumes it by the same ids.
//
// # Acting for customers
//
// [Support.ForCustomer] returns a Support for one customer of a service, by the service's own id: all its methods act for that
// customer and for nobody else.
//
// # Staff use
//
// The token of an agent or an administrator sees every ticket. A message by staff ends an answer that is being written, and
// HandOffTicket leaves a ticket to people. In a ticket with [AIModeDraft], the stream of an answer is for staff and ends with a
// [Ready]: PublishAIResponse makes a message of it, and DiscardAIResponse does not.
//
// # Errors and retries
//
// Any response that is no success is a [*Problem]; [IsProblem] compares its code. What may be sent twice is sent again, by
// default twice ([WithRetries]). The context of a call bounds it with all its retries.
//
// Options of a call, such as [WithIdempotencyKey] and [WithIfMatch], beat what the client has.
//
// # Sessions and storage
//
// A Support may be used by several goroutines. Where several processes share a person's session, give each a [SessionStore] of
// the same file or row ([WithSessionStore]): one of them refreshes, under the store's lock, and the others read what it got.
//
// # Types
//
// The types of the contract, such as [Ticket], are those of package plain, which also has the client that sends one request for
// each call.
package client
