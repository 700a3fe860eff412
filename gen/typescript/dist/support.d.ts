import type * as types from './api/types.gen.js';
import type { AIResponse, AIResponseEvent, AIResponseEvents, AIResponseID, APIKey, APIKeyID, AccessToken, Account, ChangePasswordRequest, CreateAIResponseRequest, CreateAPIKeyRequest, CreateMessageRequest, CreateTicketRequest, CreateUserRequest, CreatedAPIKey, Health, LogInRequest, Message, MessageFeedback, MessageID, PutMessageFeedbackRequest, RefreshRequest, Session, SessionID, SignUpRequest, StreamToken, Ticket, TicketID, TicketWithMessages, UpdateTicketRequest, UpdateUserRequest, User, UserID } from './api/types.gen.js';
import { type CallOptions, type SupportOptions } from './caller.js';
import { type Page } from './pages.js';
export type ListAIResponseEventsParams = NonNullable<types.ListAiResponseEventsData['query']>;
export type ListAIResponsesParams = NonNullable<types.ListAiResponsesData['query']>;
export type ListAPIKeysParams = NonNullable<types.ListApiKeysData['query']>;
export type ListMessagesParams = NonNullable<types.ListMessagesData['query']>;
export type ListSessionsParams = NonNullable<types.ListSessionsData['query']>;
export type ListTicketsParams = NonNullable<types.ListTicketsData['query']>;
export type ListUsersParams = NonNullable<types.ListUsersData['query']>;
/**
 * The SDK: a method for each operation of the contract, which retries what may be retried, keeps its access token fresh, and
 * returns values, or throws problems.
 */
export declare class Support {
    #private;
    constructor(options?: SupportOptions);
    /**
     * Waits for the answer to the ticket's newest turn and returns the message it is stored as. It throws Failed when the answer
     * ends without one.
     */
    askAI(ticketId: TicketID, options?: CallOptions): Promise<Message>;
    /**
     * Calls POST /ai-responses/{ai_response_id}/cancel.
     *
     * Cancel an AI response.
     *
     * Ends an answer that is being written, at whichever server that is: its readers get `failed` with the code
     * `cancelled`, nothing of it is published, and the upstream is told to stop within a second. The turn may be asked
     * again. One that has ended stays as it is, so cancelling twice is the same as once.
     *
     * Cancelling twice is the same as once: `Idempotency-Key` has no effect here.
     */
    cancelAIResponse(aiResponseId: AIResponseID, options?: CallOptions): Promise<AIResponse>;
    /**
     * Calls POST /me/password.
     *
     * Change your password.
     *
     * Replaces your account's password and ends all its sessions but the caller's own. A wrong current password answers
     * `401 invalid_credentials`.
     *
     * Sent twice, it still changes the password once: the second response is `401 invalid_credentials`. `Idempotency-Key` has no effect here.
     */
    changePassword(body: ChangePasswordRequest, options?: CallOptions): Promise<void>;
    /**
     * Calls POST /tickets/{ticket_id}/ai-responses.
     *
     * Start the AI's answer.
     *
     * Starts the answer to the ticket's turn and returns at once; read it from `GET /ai-responses/{ai_response_id}/stream`
     * or `…/events`. While an answer is being written in the ticket, whichever turn it is to, that one is returned
     * (`200`); so is the one that stands when the turn is answered already.
     *
     * `regenerate: true` asks for another answer to a turn that is answered. When it is complete, it takes the place
     * of the one before: that message stays in the history with `superseded_by`, its AI response becomes `superseded`,
     * and the AI does not read it any more. A regeneration that fails leaves the answer that stands as it is.
     *
     * `model` is one of the models that the server offers; without it, the first of them answers. When a model cannot
     * answer, the server goes on with its others: the AI response names the one that writes.
     */
    createAIResponse(ticketId: TicketID, body: CreateAIResponseRequest, options?: CallOptions): Promise<AIResponse>;
    /**
     * Calls POST /api-keys.
     *
     * Create an API key.
     *
     * Creates an API key for a service. The response is the only place where the key is shown.
     *
     * Without `service_id` the service is a new one: it gets an account of its own, without a password, which has the `role`.
     * With the `service_id` of another key, the key is a further one of that service, with the role that it has: to replace a
     * key, create the next one so and revoke the old one when nobody uses it any more. Tickets and customers belong to the
     * service, not to its key.
     *
     * Sent twice, it makes two keys; revoke the one whose response was lost. Keys are never stored to be given out again:
     * `Idempotency-Key` has no effect here.
     */
    createAPIKey(body: CreateAPIKeyRequest, options?: CallOptions): Promise<CreatedAPIKey>;
    /**
     * Calls POST /tickets/{ticket_id}/messages.
     *
     * Add a message to a ticket.
     *
     * Adds a message by the caller: by the ticket's customer, or by staff. Whether a message is the AI's is the
     * server's to say. A closed ticket takes no messages (`409 ticket_closed`): reopen it first.
     *
     * A message by staff ends an AI answer that is still being written: a human always wins.
     */
    createMessage(ticketId: TicketID, body: CreateMessageRequest, options?: CallOptions): Promise<Message>;
    /**
     * Calls POST /tickets/{ticket_id}/stream-tokens.
     *
     * Get a token for a browser's EventSource.
     *
     * A token that reads this one ticket's `GET /tickets/{ticket_id}/ai-response` and nothing else, for three minutes.
     * Give `url` to `new EventSource(url)`. A stream that was opened in time is read to its end.
     *
     * Tokens are never stored to be given out again: `Idempotency-Key` has no effect here.
     */
    createStreamToken(ticketId: TicketID, options?: CallOptions): Promise<StreamToken>;
    /**
     * Calls POST /tickets.
     *
     * Open a ticket.
     *
     * Opens a ticket for the caller. The description is the first thing that the staff and the AI read: it can be
     * answered at once, without a further message.
     */
    createTicket(body: CreateTicketRequest, options?: CallOptions): Promise<Ticket>;
    /**
     * Calls POST /users.
     *
     * Create an account with any role.
     *
     * Creates an account, for staff too. Its role is `user` when none is given. The rules for the e-mail address and the
     * password are those of `POST /auth/signup`.
     *
     * Sent twice, it still makes one account: the second response is `409 email_taken`. `Idempotency-Key` has no effect here.
     */
    createUser(body: CreateUserRequest, options?: CallOptions): Promise<Account>;
    /**
     * Calls DELETE /auth/sessions/{session_id}.
     *
     * End one of your sessions.
     *
     * Ends a session of your account, with all its tokens, as `POST /auth/logout` does with the caller's own.
     */
    endSession(sessionId: SessionID, options?: CallOptions): Promise<void>;
    /**
     * Calls GET /ai-responses/{ai_response_id}.
     *
     * Get an AI response.
     *
     * Where an answer stands, what it took, and, once it is complete, the message that it became.
     */
    getAIResponse(aiResponseId: AIResponseID, options?: CallOptions): Promise<AIResponse>;
    /**
     * Calls GET /livez.
     *
     * Is the process alive?.
     *
     * Answers as long as the process can answer at all, and depends on nothing else: restart the process when it
     * does not.
     */
    getLiveness(options?: CallOptions): Promise<Health>;
    /**
     * Calls GET /me.
     *
     * Get your own account.
     *
     * The account that the access token belongs to.
     */
    getMe(options?: CallOptions): Promise<User>;
    /**
     * Calls GET /messages/{message_id}/feedback.
     *
     * Get the rating of an answer.
     *
     * What the ticket's customer thinks of the answer. `404` while they have not said.
     */
    getMessageFeedback(messageId: MessageID, options?: CallOptions): Promise<MessageFeedback>;
    /**
     * Calls GET /readyz.
     *
     * Should this server get requests?.
     *
     * Answers `200` when the database answers, its schema is the one this server knows, and the server is not shutting
     * down. Otherwise `503` with the code `db_unavailable`, `schema_dirty` or `draining`: send requests elsewhere. The
     * AI's upstream is not asked.
     */
    getReadiness(options?: CallOptions): Promise<Health>;
    /**
     * Calls GET /tickets/{ticket_id}.
     *
     * Get a ticket with its conversation.
     *
     * The ticket and its latest 100 messages, oldest first. Older messages are read with
     * `GET /tickets/{ticket_id}/messages`.
     */
    getTicket(ticketId: TicketID, options?: CallOptions): Promise<TicketWithMessages>;
    /**
     * Calls GET /users/{user_id}.
     *
     * Get an account.
     *
     * One account, by its id.
     */
    getUser(userId: UserID, options?: CallOptions): Promise<Account>;
    /**
     * Calls GET /ai-responses/{ai_response_id}/events.
     *
     * Poll one AI response's events.
     *
     * The events after number `after`, for clients that cannot read a stream. When there are none yet, the answer waits for
     * the next ones, up to `wait` seconds. Go on with `last_seq` and `attempt` as the next `after` and `attempt` until `ended` is true.
     *
     * A `reset` with the number 0 means that `after` is no event of this AI response: clear what you have shown.
     */
    listAIResponseEvents(aiResponseId: AIResponseID, params?: ListAIResponseEventsParams, options?: CallOptions): Promise<AIResponseEvents>;
    /**
     * Iterates over all the items of GET /tickets/{ticket_id}/ai-responses, from the page that params begin with. It asks for the next page when it
     * is needed.
     *
     * List the AI responses of a ticket.
     *
     * Every answer that was begun in the ticket, newest first, however it ended.
     */
    listAIResponses(ticketId: TicketID, params?: ListAIResponsesParams, options?: CallOptions): AsyncGenerator<AIResponse, void, undefined>;
    /** Returns one page of listAIResponses. */
    listAIResponsesPage(ticketId: TicketID, params?: ListAIResponsesParams, options?: CallOptions): Promise<Page<AIResponse>>;
    /**
     * Iterates over all the items of GET /api-keys, from the page that params begin with. It asks for the next page when it
     * is needed.
     *
     * List API keys.
     *
     * All API keys, newest first, also those that have expired or were revoked. The keys themselves are not stored.
     */
    listAPIKeys(params?: ListAPIKeysParams, options?: CallOptions): AsyncGenerator<APIKey, void, undefined>;
    /** Returns one page of listAPIKeys. */
    listAPIKeysPage(params?: ListAPIKeysParams, options?: CallOptions): Promise<Page<APIKey>>;
    /**
     * Iterates over all the items of GET /tickets/{ticket_id}/messages, from the page that params begin with. It asks for the next page when it
     * is needed.
     *
     * List a ticket's messages.
     *
     * The conversation, oldest first. The order is the order in which messages were accepted, so a reader who follows
     * the pages while others write misses none and gets none twice.
     */
    listMessages(ticketId: TicketID, params?: ListMessagesParams, options?: CallOptions): AsyncGenerator<Message, void, undefined>;
    /** Returns one page of listMessages. */
    listMessagesPage(ticketId: TicketID, params?: ListMessagesParams, options?: CallOptions): Promise<Page<Message>>;
    /**
     * Iterates over all the items of GET /auth/sessions, from the page that params begin with. It asks for the next page when it
     * is needed.
     *
     * List your sessions.
     *
     * Your account's sessions that have not ended, the one that began last first.
     */
    listSessions(params?: ListSessionsParams, options?: CallOptions): AsyncGenerator<Session, void, undefined>;
    /** Returns one page of listSessions. */
    listSessionsPage(params?: ListSessionsParams, options?: CallOptions): Promise<Page<Session>>;
    /**
     * Iterates over all the items of GET /tickets, from the page that params begin with. It asks for the next page when it
     * is needed.
     *
     * List tickets.
     *
     * Your tickets, newest first; for staff, everybody's. Nothing is cut silently: when there are more than `limit`,
     * the `Link` header names the next page.
     */
    listTickets(params?: ListTicketsParams, options?: CallOptions): AsyncGenerator<Ticket, void, undefined>;
    /** Returns one page of listTickets. */
    listTicketsPage(params?: ListTicketsParams, options?: CallOptions): Promise<Page<Ticket>>;
    /**
     * Iterates over all the items of GET /users, from the page that params begin with. It asks for the next page when it
     * is needed.
     *
     * List accounts.
     *
     * All accounts, newest first, or those whose e-mail address begins in a certain way or that have a certain role.
     */
    listUsers(params?: ListUsersParams, options?: CallOptions): AsyncGenerator<Account, void, undefined>;
    /** Returns one page of listUsers. */
    listUsersPage(params?: ListUsersParams, options?: CallOptions): Promise<Page<Account>>;
    /**
     * Calls POST /auth/login.
     *
     * Begin a session.
     *
     * Begins a session: exchanges an e-mail address and a password for an access token and a refresh token. JSON is the usual form; the OAuth 2.0 password
     * form (RFC 6749, section 4.3.2, with the address as `username`) is accepted too, so that the Authorize button of
     * an API explorer works.
     *
     * An unknown address, a disabled account and a wrong password cannot be told apart, neither by the answer nor by
     * its time. An account has 1000 sessions at most; a further one ends the oldest.
     *
     * Tokens are never stored to be given out again: `Idempotency-Key` has no effect here.
     */
    logIn(body: LogInRequest, options?: CallOptions): Promise<AccessToken>;
    /**
     * Calls POST /auth/logout.
     *
     * End your session.
     *
     * Ends the session that the access token belongs to, with all its tokens. Every server refuses them within a second,
     * and streams that are open end within a minute.
     *
     * Logging out twice is the same as once: `Idempotency-Key` has no effect here.
     */
    logOut(options?: CallOptions): Promise<void>;
    /**
     * Calls PUT /messages/{message_id}/feedback.
     *
     * Rate an answer.
     *
     * Rates an answer of the AI. Only the ticket's customer may: for everybody else, and for what is no answer of the AI,
     * there is nothing to rate (`404`). A second rating replaces the first.
     */
    putMessageFeedback(messageId: MessageID, body: PutMessageFeedbackRequest, options?: CallOptions): Promise<MessageFeedback>;
    /**
     * Calls POST /auth/refresh.
     *
     * Get the session's next tokens.
     *
     * Exchanges a refresh token for a new access token and the session's next refresh token. A session that is not
     * refreshed for 7 days ends, and any session ends 30 days after its log-in.
     *
     * A refresh token is for one use: keep the one that comes back. When the response was lost, send the same token again,
     * within the 7 days that it is valid: as long as the token in that response has not been used, you get another one,
     * and the lost one is void. Any other second use, and the use of a void token, means that two parties have the
     * session's tokens: the response is `401 token_reuse`, and the session ends for both. A token of a session that has
     * ended gets `401 invalid_token`. A session may be refreshed 60 times at once, and then once every 10 seconds
     * (`429 rate_limited`).
     *
     * Tabs or processes that share a session share its stored token: take a lock, read the token again, refresh only if
     * nobody else has done so meanwhile, and store the new token before the lock is released. The SDKs do this.
     *
     * Tokens are never stored to be given out again: `Idempotency-Key` has no effect here.
     */
    refreshSession(body: RefreshRequest, options?: CallOptions): Promise<AccessToken>;
    /**
     * Calls DELETE /api-keys/{api_key_id}.
     *
     * Revoke an API key.
     *
     * Ends an API key for good. Every server refuses it within a second, and streams that are open end within a minute. The
     * service's account, its other keys and its customers stay. Revoking a key twice is the same as once.
     */
    revokeAPIKey(apiKeyId: APIKeyID, options?: CallOptions): Promise<void>;
    /**
     * Calls POST /auth/signup.
     *
     * Create an account.
     *
     * Creates a customer account. The e-mail address is stored in lower case and Unicode form NFKC, without white space around
     * it, and belongs to one account only. Nobody has an address under `.invalid`. A password has 8 to 128 characters of any
     * kind; the most common passwords are refused.
     *
     * Anybody may call this, so nobody gets more than the role `user` from it: any other role answers
     * `403 role_not_allowed`. Staff accounts are made by `POST /users`, the first one by `support admin create`.
     *
     * Sent twice, it still makes one account: the second response is `409 email_taken`. `Idempotency-Key` has no effect here.
     */
    signUp(body: SignUpRequest, options?: CallOptions): Promise<User>;
    /**
     * Reads the events of GET /tickets/{ticket_id}/ai-response. What is cut is resumed; the events end with done or failed, or with an error.
     *
     * Stream the AI's answer.
     *
     * Streams the answer to the newest customer message of the ticket (to its description while there is none) as
     * server-sent events; their kinds, and how to resume, are in the section Streaming. The first call starts the answer,
     * further calls join it while it runs, and once it is finished they replay it: a turn is answered once, however often
     * and by however many readers it is asked for.
     *
     * A turn that has just failed is answered with the same failure for at least five seconds, and not begun again; after that
     * this operation begins it again. `POST /tickets/{ticket_id}/ai-responses` does so at once. `409 nothing_to_answer` means that staff have already replied. A new message of
     * the customer replaces an answer that has not begun yet; one that has begun is finished first.
     *
     * A browser's `EventSource`, which cannot send `Authorization`, gives a token from
     * `POST /tickets/{ticket_id}/stream-tokens` as `stream_token`.
     */
    streamAIResponse(ticketId: TicketID, options?: CallOptions): AsyncGenerator<AIResponseEvent, void, undefined>;
    /**
     * Reads the events of GET /ai-responses/{ai_response_id}/stream. What is cut is resumed; the events end with done or failed, or with an error.
     *
     * Stream one AI response.
     *
     * The events of this AI response, as in `GET /tickets/{ticket_id}/ai-response`, whether it is being written or has
     * ended. It never starts an answer. How the response ended is always its last event. The events are kept for 24 hours; after
     * that the whole text comes as one delta.
     */
    streamAIResponseByID(aiResponseId: AIResponseID, options?: CallOptions): AsyncGenerator<AIResponseEvent, void, undefined>;
    /**
     * Calls PATCH /tickets/{ticket_id}.
     *
     * Change a ticket.
     *
     * Changes what the body names, all of it or nothing.
     *
     * `status` moves the ticket along `open` → `pending` → `resolved` → `closed`, one step at a time, or reopens it: a
     * `pending`, `resolved` or `closed` ticket may go back to `open`. Any other change, also to the status it already
     * has, answers `409 invalid_transition`. Closing a ticket ends an AI answer that is still being
     * written: it is not published.
     *
     * `ai_mode: off` hands the ticket off to humans: an AI answer that is still being written ends unpublished, and no
     * further one begins until it is `on` again. The ticket's customer and staff may change both.
     *
     * With `If-Match`, the change is made only while the ticket has that version.
     */
    updateTicket(ticketId: TicketID, body: UpdateTicketRequest, options?: CallOptions): Promise<Ticket>;
    /**
     * Calls PATCH /users/{user_id}.
     *
     * Change a role, disable or enable an account.
     *
     * Changes an account's role, or disables or enables it. Every change ends the access tokens that the account has,
     * within a second on every server; a client gets one with the new role by `POST /auth/refresh`. Disabling an account
     * ends its sessions too, and nobody can log in to it. The last enabled administrator stays one: `409 last_admin`.
     */
    updateUser(userId: UserID, body: UpdateUserRequest, options?: CallOptions): Promise<Account>;
}
/**
 * Returns an SDK. In Node, it is for the server at SUPPORT_BASE_URL, with the access token SUPPORT_TOKEN, unless the options say
 * otherwise. It sends nothing yet. Redirects are not followed.
 */
export declare function createSupport(options?: SupportOptions): Support;
