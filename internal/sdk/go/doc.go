// Package client is the Support Backend's SDK for Go. [New] returns a [Support], which has a method for each operation of the
// contract. It retries requests, resumes streams, follows pages, refreshes its token, and returns values and errors.
//
// # Log in
//
// SUPPORT_BASE_URL or [WithBaseURL] sets the server's URL. SUPPORT_TOKEN or [WithToken] sets an access token or a service's API
// key. LogIn returns a person's tokens; with [WithRefreshToken], the SDK replaces an access token that expires.
//
// # Ask and stream
//
// AskAI adds a question to a ticket and waits for the answer. StreamAIResponse yields the answer's events while it is written:
// each is a [Start], [Delta], [Reset], [Done] or [Failed]. [AnswerOf] waits for the end of such a stream.
//
// # Resume and relay to a browser
//
// The SDK resumes a stream that is cut off. Every event but a Start has an ID, and [WithLastEventID] begins a stream after one.
// [Relay] forwards a stream to a browser's EventSource, which resumes it by the same ids.
//
// # Acting for customers
//
// [Support.ForCustomer] returns a Support for one customer of a service, by the service's own id. All its methods act for that
// customer and for nobody else.
//
// # Staff use
//
// With the token of an agent or an administrator, the SDK sees every ticket. A staff message cancels an answer that is being
// written, and HandOffTicket leaves a ticket to people. In a ticket with [AIModeDraft], the stream of an answer is for staff and
// ends with a [Ready]: PublishAIResponse stores it as a message, and DiscardAIResponse discards it.
//
// # Errors and retries
//
// Every error response is a [*Problem]; [IsProblem] compares its code. The SDK retries safe requests, by default twice
// ([WithRetries]). The context of a call bounds it, retries included.
//
// Options of a call, such as [WithIdempotencyKey] and [WithIfMatch], take precedence over those of the client.
//
// # Sessions and storage
//
// A Support is safe for concurrent use. If several processes share a person's session, give each a [SessionStore] of the same
// file or row ([WithSessionStore]): one of them refreshes under the store's lock, and the others read the result.
//
// # Webhooks
//
// [VerifyWebhook] verifies that a request to your server is a delivery by the Support Backend, and returns its event.
//
// # Types
//
// The contract's types, such as [Ticket], are those of package plain, which also has a client that sends exactly one request
// per call.
package client
