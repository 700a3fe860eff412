export type ClientOptions = {
    baseUrl: `${string}://${string}` | (string & {});
};
/**
 * A UUID in its canonical form. Ids made by the server are of version 7 (RFC 9562).
 */
export type ID = string;
/**
 * UTC, RFC 3339, with exactly six fractional digits.
 */
export type Timestamp = string;
/**
 * `*`, or entity tags in double quotes, separated by commas (RFC 9110, section 8.8.3).
 */
export type EntityTags = string;
/**
 * An e-mail address: ASCII after Unicode normalisation (NFKC), local part of at most 64 characters, no quotes,
 * comments or display names. White space around it is removed.
 *
 */
export type Email = string;
/**
 * What an account may do. `user` is a customer; `agent` and `admin` are staff.
 */
export type Role = 'user' | 'agent' | 'admin';
/**
 * Where a ticket stands.
 */
export type TicketStatus = 'open' | 'pending' | 'resolved' | 'closed';
/**
 * Whether the AI answers in the ticket. `off` leaves it to humans.
 */
export type AIMode = 'on' | 'off';
/**
 * One line of text, without control characters or characters that turn the direction of writing. Escape sequences of
 * terminals are removed.
 *
 */
export type TicketTitle = string;
/**
 * Text of any language, without control characters other than tab and line breaks. Vertical tabs, form feeds, U+0085,
 * U+2028 and U+2029 become U+000A, and escape sequences of terminals are removed; everything else is kept byte for byte.
 *
 */
export type TicketDescription = string;
/**
 * 8 to 128 characters of any kind, counted as sent and compared in Unicode form NFC, so that it does not matter how a
 * keyboard composes a letter. The most common passwords are refused.
 *
 */
export type NewPassword = string;
/**
 * Gets the session's next tokens, once. Opaque; begins with `srt_`.
 */
export type RefreshToken = string;
/**
 * A new account. Its role is `user` when none is given.
 */
export type SignUpRequest = {
    email: Email;
    password: NewPassword;
    role?: Role;
};
/**
 * Credentials.
 */
export type LogInRequest = {
    /**
     * The account's e-mail address; case and white space around it do not matter.
     */
    email: string;
    /**
     * The account's password.
     */
    password: string;
};
/**
 * Credentials in the OAuth 2.0 password form.
 */
export type LogInForm = {
    /**
     * The form's kind. May be left out.
     */
    grant_type?: 'password';
    /**
     * The account's e-mail address; case and white space around it do not matter.
     */
    username: string;
    /**
     * The account's password.
     */
    password: string;
    /**
     * Accepted and ignored; the account's role decides.
     */
    scope?: string;
    /**
     * Accepted and ignored.
     */
    client_id?: string;
    /**
     * Accepted and ignored.
     */
    client_secret?: string;
};
/**
 * A refresh token.
 */
export type RefreshRequest = {
    refresh_token: RefreshToken;
};
/**
 * The current password, and the one to come.
 */
export type ChangePasswordRequest = {
    /**
     * The account's password.
     */
    current_password: string;
    new_password: NewPassword;
};
/**
 * The tokens of a session and how to use them (RFC 6749, section 5.1).
 */
export type AccessToken = {
    /**
     * Send it as `Authorization: Bearer <access_token>`. Opaque to clients.
     */
    access_token: string;
    /**
     * Always `bearer`.
     */
    token_type: 'bearer';
    /**
     * Seconds until the access token ends.
     */
    expires_in: number;
    refresh_token: RefreshToken;
};
/**
 * What began with a log-in and goes on by refreshing its tokens.
 */
export type Session = {
    id: ID;
    created_at: Timestamp;
    /**
     * When its tokens were last exchanged for the next ones, or, before that, when it began.
     */
    last_used_at: Timestamp;
    /**
     * When it ends unless it is refreshed before.
     */
    expires_at: Timestamp;
    /**
     * What the client that logged in called itself, cut to 200 characters. May be empty.
     */
    user_agent: string;
    /**
     * The network of the client that logged in, such as 203.0.113.0/24. May be empty.
     */
    ip: string;
    /**
     * Whether it is the session of the access token that asks.
     */
    current: boolean;
};
/**
 * An account.
 */
export type User = {
    id: ID;
    email: Email;
    role: Role;
};
/**
 * A new account. Its role is `user` when none is given.
 */
export type CreateUserRequest = {
    email: Email;
    password: NewPassword;
    role?: Role;
};
/**
 * A change of an account. What is left out stays as it is.
 */
export type UpdateUserRequest = {
    role?: Role;
    /**
     * Whether the account is disabled.
     */
    disabled?: boolean;
};
/**
 * An account, as administrators see it.
 */
export type Account = {
    id: ID;
    email: Email;
    role: Role;
    /**
     * Whether nobody can log in to it.
     */
    disabled: boolean;
    created_at: Timestamp;
};
/**
 * What an API key may do, as far as its service's role allows it. `tickets:read` reads tickets, messages and AI responses,
 * `tickets:write` opens and changes tickets, adds messages and rates answers, `ai` starts, streams and cancels AI
 * responses, `users` looks after accounts (role `admin`), `on_behalf` acts for the service's customers.
 *
 */
export type Scope = 'tickets:read' | 'tickets:write' | 'ai' | 'users' | 'on_behalf';
/**
 * What an API key may do.
 */
export type Scopes = Array<Scope>;
/**
 * What the key is for, one line of text, as a ticket's title is.
 */
export type APIKeyName = string;
/**
 * A new API key. `role` is that of the new service's account, `user` when none is given; it may not stand together with
 * `service_id`, because that account has its role already.
 *
 */
export type CreateAPIKeyRequest = {
    name: APIKeyName;
    scopes: Scopes;
    role?: Role;
    /**
     * The service that gets a further key, as another of its keys names it.
     */
    service_id?: string;
    /**
     * When the key ends by itself (RFC 3339), in the future and in UTC before the year 10000; never when it is left out.
     *
     */
    expires_at?: string;
};
/**
 * An API key, without the key itself.
 */
export type APIKey = {
    id: ID;
    /**
     * The service, which is the id of its account too.
     */
    service_id: ID;
    name: APIKeyName;
    /**
     * How the key begins, to recognise it by.
     */
    prefix: string;
    role: Role;
    scopes: Scopes;
    created_at: Timestamp;
    /**
     * When the key was used last, to about a minute. Absent while it was not.
     */
    last_used_at?: Timestamp;
    /**
     * When the key ends by itself. Absent if it does not.
     */
    expires_at?: Timestamp;
    /**
     * When the key was revoked. Absent unless it was.
     */
    revoked_at?: Timestamp;
};
/**
 * A new API key with the key itself, which is shown this once.
 */
export type CreatedAPIKey = APIKey & {
    /**
     * The key, for the `Authorization` header. Keep it as a secret.
     */
    key: string;
};
/**
 * A new ticket.
 */
export type CreateTicketRequest = {
    title: TicketTitle;
    description: TicketDescription;
};
/**
 * A change of a ticket. What is left out stays as it is.
 */
export type UpdateTicketRequest = {
    status?: TicketStatus;
    ai_mode?: AIMode;
};
/**
 * A customer's question and where it stands.
 */
export type Ticket = {
    id: ID;
    title: TicketTitle;
    description: TicketDescription;
    status: TicketStatus;
    ai_mode: AIMode;
    /**
     * The customer who opened it.
     */
    user_id: ID;
    created_at: Timestamp;
    /**
     * When its status or its AI mode last changed.
     */
    updated_at: Timestamp;
};
/**
 * A ticket with its conversation.
 */
export type TicketWithMessages = Ticket & {
    /**
     * The latest 100 messages, oldest first.
     */
    messages: Array<Message>;
};
/**
 * A new message.
 */
export type CreateMessageRequest = {
    /**
     * Text of any language, without control characters other than tab and line breaks. Vertical tabs, form feeds, U+0085,
     * U+2028 and U+2029 become U+000A, and escape sequences of terminals are removed; everything else is kept byte for
     * byte.
     *
     */
    content: string;
};
/**
 * One message of a ticket's conversation.
 */
export type Message = {
    id: ID;
    /**
     * The ticket it belongs to.
     */
    ticket_id: ID;
    /**
     * What was said. Plain text; show it escaped.
     */
    content: string;
    /**
     * Whether the AI wrote it.
     */
    is_ai: boolean;
    created_at: Timestamp;
    /**
     * The answer that was generated in place of this one. Absent on every message that stands.
     */
    superseded_by?: ID;
};
/**
 * A rating.
 */
export type PutMessageFeedbackRequest = {
    rating: Rating;
    comment?: FeedbackComment;
};
/**
 * What a ticket's customer thinks of an answer.
 */
export type MessageFeedback = {
    /**
     * The answer that is rated.
     */
    message_id: ID;
    rating: Rating;
    comment?: FeedbackComment;
    created_at: Timestamp;
    updated_at: Timestamp;
};
/**
 * Whether the answer helped.
 */
export type Rating = 'up' | 'down';
/**
 * Why, in the customer's words. Text that is pasted is taken as in a ticket's description.
 */
export type FeedbackComment = string;
/**
 * What to answer, and how. `{}` asks for the answer to the newest turn.
 */
export type CreateAIResponseRequest = {
    /**
     * Whether to answer a turn again that is answered.
     */
    regenerate?: boolean;
    model?: Model;
};
/**
 * One generated answer to one turn of a ticket.
 */
export type AIResponse = {
    id: ID;
    /**
     * The ticket it answers.
     */
    ticket_id: ID;
    /**
     * The customer's message that it answers. Absent when that is the ticket's description.
     */
    turn?: ID;
    status: AIResponseStatus;
    attempt: Attempt;
    model: Model;
    /**
     * The message that the answer is stored as. Absent until it is complete.
     */
    message_id?: ID;
    finish_reason?: FinishReason;
    usage: Usage;
    error?: AIResponseError;
    created_at: Timestamp;
    /**
     * When the first piece of text was committed, of the newest attempt.
     */
    first_token_at?: Timestamp;
    /**
     * When it ended.
     */
    finished_at?: Timestamp;
};
/**
 * Where an answer stands: `streaming`, it is being written; `completed`, it is stored as a message; `failed`,
 * `cancelled`, it has ended without one; `superseded`, a human took over, the customer said something else first,
 * or it was generated again.
 *
 */
export type AIResponseStatus = 'streaming' | 'completed' | 'failed' | 'cancelled' | 'superseded';
/**
 * Why an answer ended without a message.
 */
export type AIResponseError = {
    code: AIFailureCode;
    /**
     * Whether asking again may succeed.
     */
    retryable: boolean;
};
/**
 * A token for one ticket's stream.
 */
export type StreamToken = {
    /**
     * Opaque to clients.
     */
    token: string;
    /**
     * The stream's address with the token in it, relative to the server.
     */
    url: string;
    /**
     * When no further stream can be opened with it.
     */
    expires_at: Timestamp;
};
/**
 * Some events of an AI response.
 */
export type AIResponseEvents = {
    /**
     * The AI response they belong to.
     */
    ai_response_id: ID;
    /**
     * The events, in their order. Empty when none came in time.
     */
    events: Array<NumberedEvent>;
    /**
     * The number to go on after.
     */
    last_seq: number;
    /**
     * The attempt that wrote that event; absent while there is none.
     */
    attempt?: Attempt;
    /**
     * Whether the last of these events is the response's last.
     */
    ended: boolean;
};
/**
 * An event with its number.
 */
export type NumberedEvent = {
    /**
     * Numbers the events of an AI response from 1. 0 for a `reset` that is meant for this caller alone.
     */
    seq: number;
    event: AIResponseEvent;
};
/**
 * One event of an AI answer's stream.
 */
export type AIResponseEvent = ({
    type: 'start';
} & StartEvent) | ({
    type: 'delta';
} & DeltaEvent) | ({
    type: 'reset';
} & ResetEvent) | ({
    type: 'done';
} & DoneEvent) | ({
    type: 'failed';
} & FailedEvent);
/**
 * `event: start`. What the stream is about; the only event without an id.
 */
export type StartEvent = {
    /**
     * The kind of event.
     */
    type: 'start';
    /**
     * The AI response being streamed.
     */
    ai_response_id: ID;
    /**
     * The ticket it answers.
     */
    ticket_id: ID;
    model: Model;
    attempt: Attempt;
};
/**
 * The next piece of the answer, the only event without a name: append `content` to what you have.
 */
export type DeltaEvent = {
    /**
     * The kind of event.
     */
    type: 'delta';
    /**
     * A piece of text.
     */
    content: string;
};
/**
 * `event: reset`. Clear what you have shown: the text begins anew with the next delta.
 */
export type ResetEvent = {
    /**
     * The kind of event.
     */
    type: 'reset';
    attempt: Attempt;
};
/**
 * `event: done`. The answer is complete, and `message` is what was stored: the deltas since the last reset, joined.
 */
export type DoneEvent = {
    /**
     * The kind of event.
     */
    type: 'done';
    /**
     * The AI response that ended.
     */
    ai_response_id: ID;
    message: Message;
    finish_reason: FinishReason;
    usage: Usage;
};
/**
 * `event: failed`. There is no answer; what was shown is not stored.
 */
export type FailedEvent = {
    /**
     * The kind of event.
     */
    type: 'failed';
    /**
     * The AI response that ended.
     */
    ai_response_id: ID;
    code: AIFailureCode;
    /**
     * What happened, for people.
     */
    detail: string;
    /**
     * Whether asking again may succeed.
     */
    retryable: boolean;
};
/**
 * Why an answer ended without a message. `superseded`: a human took over, the ticket was closed, or the customer said
 * something else first. `cancelled`: somebody asked for that. `draining`: the
 * server was stopped before the answer was complete. The others are as in `Problem`.
 *
 */
export type AIFailureCode = 'ai_misconfigured' | 'ai_no_answer' | 'ai_overloaded' | 'ai_protocol' | 'ai_stalled' | 'ai_timeout' | 'cancelled' | 'conversation_not_accepted' | 'db_busy' | 'db_unavailable' | 'draining' | 'internal' | 'superseded';
/**
 * Why the model stopped: `stop`, it was finished; `length`, the answer reached its limit and is cut.
 *
 */
export type FinishReason = 'stop' | 'length';
/**
 * What the answer took, as upstream counted it. Of an answer that was cut off before upstream said, every piece of
 * text that came counts as one token; what nobody knows is zero.
 *
 */
export type Usage = {
    /**
     * Tokens read.
     */
    prompt_tokens: number;
    /**
     * Tokens written, reasoning included.
     */
    completion_tokens: number;
    /**
     * Tokens written while reasoning.
     */
    reasoning_tokens?: number;
    /**
     * Tokens read from upstream's cache.
     */
    cached_tokens?: number;
};
/**
 * The model's name at the upstream.
 */
export type Model = string;
/**
 * Which attempt at this answer it is, from 1.
 */
export type Attempt = number;
/**
 * The result of a probe.
 */
export type Health = {
    /**
     * Always `ok`.
     */
    status: 'ok';
};
/**
 * An error (RFC 9457).
 */
export type Problem = {
    /**
     * `/problems/` and the code.
     */
    type: string;
    /**
     * The kind of problem, for people.
     */
    title: string;
    /**
     * The response's status code.
     */
    status: number;
    /**
     * This very problem, for people. Never repeats a value that was sent.
     */
    detail?: string;
    code: ProblemCode;
    /**
     * The request's name in the server's log.
     */
    request_id: string;
    /**
     * Present and true when the same request may succeed later.
     */
    retryable?: boolean;
    /**
     * Where the request breaks a rule.
     */
    errors?: Array<FieldError>;
};
/**
 * One place of a request that breaks a rule.
 */
export type FieldError = {
    /**
     * A JSON pointer (RFC 6901) into the body; for a query parameter or a header, its name after a slash.
     *
     */
    pointer: string;
    code: FieldErrorCode;
};
/**
 * Which rule was broken.
 */
export type FieldErrorCode = 'duplicate' | 'invalid_characters' | 'invalid_format' | 'invalid_type' | 'not_allowed' | 'out_of_range' | 'required' | 'too_long' | 'too_short' | 'unknown';
/**
 * The problem's stable identifier.
 */
export type ProblemCode = 'ai_disabled' | 'ai_misconfigured' | 'ai_no_answer' | 'ai_overloaded' | 'ai_protocol' | 'ai_quota' | 'ai_stalled' | 'ai_timeout' | 'cancelled' | 'conversation_not_accepted' | 'db_busy' | 'db_unavailable' | 'draining' | 'email_taken' | 'forbidden' | 'idempotency_in_progress' | 'idempotency_mismatch' | 'internal' | 'invalid_credentials' | 'invalid_idempotency_key' | 'invalid_parameter' | 'invalid_token' | 'invalid_transition' | 'last_admin' | 'malformed_request' | 'method_not_allowed' | 'not_acceptable' | 'not_found' | 'nothing_to_answer' | 'payload_too_large' | 'precondition_failed' | 'rate_limited' | 'role_not_allowed' | 'schema_dirty' | 'server_busy' | 'superseded' | 'ticket_closed' | 'token_reuse' | 'too_many_attempts' | 'too_many_streams' | 'unauthenticated' | 'unsupported_media_type' | 'validation_failed' | 'weak_password';
/**
 * The session's id. Any other spelling of a UUID than the canonical one is not found.
 */
export type SessionID = ID;
/**
 * The account's id. Any other spelling of a UUID than the canonical one is not found.
 */
export type UserID = ID;
/**
 * The API key's id. Any other spelling of a UUID than the canonical one is not found.
 */
export type APIKeyID = ID;
/**
 * The ticket's id. Any other spelling of a UUID than the canonical one is not found.
 */
export type TicketID = ID;
/**
 * The AI response's id.
 */
export type AIResponseID = ID;
/**
 * The message's id.
 */
export type MessageID = ID;
/**
 * The most items a page may have.
 */
export type Limit = number;
/**
 * Where the page begins. Taken from the `Link` header of the page before; not to be made up.
 */
export type Cursor = string;
/**
 * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
 * characters, different for every effect. See "Retries".
 *
 */
export type IdempotencyKey = string;
/**
 * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
 * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
 *
 */
export type OnBehalfOf = string;
/**
 * Change the ticket only if its `ETag` is one of these, otherwise `412`. `*` is any. The tag names the ticket's version,
 * so what a compressing proxy makes of it (`W/"3"`, `"3-gzip"`) is taken for the same.
 *
 */
export type IfMatch = EntityTags;
/**
 * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
 * 13.1.2).
 *
 */
export type IfNoneMatch = EntityTags;
/**
 * The id of the last event you have, as it came: `<ai_response_id>:<number>`, from the second attempt on followed by
 * `:<attempt>`. A browser's `EventSource` sends it by itself. An id that is not of this answer
 * is ignored: the answer then comes from its start, after a `reset` whose id has the number 0.
 *
 */
export type LastEventID = string;
/**
 * The same as `Last-Event-ID`, for replacements of `EventSource` that cannot send the header. The header counts if there
 * is one.
 *
 */
export type LastEventIDInQuery = string;
export type SignUpData = {
    body: SignUpRequest;
    headers?: {
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path?: never;
    query?: never;
    url: '/auth/signup';
};
export type SignUpErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * The role is not yours to give.
     */
    403: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * There is an account with this e-mail address.
     */
    409: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed, or has failed or signed up too often.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type SignUpError = SignUpErrors[keyof SignUpErrors];
export type SignUpResponses = {
    /**
     * The account was created.
     */
    201: User;
};
export type SignUpResponse = SignUpResponses[keyof SignUpResponses];
export type LogInData = {
    body: LogInRequest;
    headers?: {
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path?: never;
    query?: never;
    url: '/auth/login';
};
export type LogInErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no account with this e-mail address and password.
     */
    401: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed, or has failed or signed up too often.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type LogInError = LogInErrors[keyof LogInErrors];
export type LogInResponses = {
    /**
     * The password is right.
     */
    200: AccessToken;
};
export type LogInResponse = LogInResponses[keyof LogInResponses];
export type RefreshSessionData = {
    body: RefreshRequest;
    headers?: {
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path?: never;
    query?: never;
    url: '/auth/refresh';
};
export type RefreshSessionErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * The refresh token is not valid (any longer), or was used before.
     */
    401: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type RefreshSessionError = RefreshSessionErrors[keyof RefreshSessionErrors];
export type RefreshSessionResponses = {
    /**
     * The next tokens of the session.
     */
    200: AccessToken;
};
export type RefreshSessionResponse = RefreshSessionResponses[keyof RefreshSessionResponses];
export type LogOutData = {
    body?: never;
    headers?: {
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path?: never;
    query?: never;
    url: '/auth/logout';
};
export type LogOutErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type LogOutError = LogOutErrors[keyof LogOutErrors];
export type LogOutResponses = {
    /**
     * The session has ended.
     */
    204: void;
};
export type LogOutResponse = LogOutResponses[keyof LogOutResponses];
export type ListSessionsData = {
    body?: never;
    headers?: {
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path?: never;
    query?: {
        /**
         * The most items a page may have.
         */
        limit?: number;
        /**
         * Where the page begins. Taken from the `Link` header of the page before; not to be made up.
         */
        cursor?: string;
    };
    url: '/auth/sessions';
};
export type ListSessionsErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type ListSessionsError = ListSessionsErrors[keyof ListSessionsErrors];
export type ListSessionsResponses = {
    /**
     * One page of sessions, newest first.
     */
    200: Array<Session>;
};
export type ListSessionsResponse = ListSessionsResponses[keyof ListSessionsResponses];
export type EndSessionData = {
    body?: never;
    path: {
        /**
         * The session's id. Any other spelling of a UUID than the canonical one is not found.
         */
        session_id: ID;
    };
    query?: never;
    url: '/auth/sessions/{session_id}';
};
export type EndSessionErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type EndSessionError = EndSessionErrors[keyof EndSessionErrors];
export type EndSessionResponses = {
    /**
     * The session has ended.
     */
    204: void;
};
export type EndSessionResponse = EndSessionResponses[keyof EndSessionResponses];
export type GetMeData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path?: never;
    query?: never;
    url: '/me';
};
export type GetMeErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type GetMeError = GetMeErrors[keyof GetMeErrors];
export type GetMeResponses = {
    /**
     * Your account.
     */
    200: User;
};
export type GetMeResponse = GetMeResponses[keyof GetMeResponses];
export type ChangePasswordData = {
    body: ChangePasswordRequest;
    headers?: {
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path?: never;
    query?: never;
    url: '/me/password';
};
export type ChangePasswordErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no valid access token, or the current password is wrong.
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed, or has failed or signed up too often.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type ChangePasswordError = ChangePasswordErrors[keyof ChangePasswordErrors];
export type ChangePasswordResponses = {
    /**
     * The password has been changed.
     */
    204: void;
};
export type ChangePasswordResponse = ChangePasswordResponses[keyof ChangePasswordResponses];
export type ListUsersData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path?: never;
    query?: {
        /**
         * How the e-mail address begins, or all of it. Case and Unicode form do not matter.
         */
        email?: string;
        /**
         * The accounts' role.
         */
        role?: Role;
        /**
         * The most items a page may have.
         */
        limit?: number;
        /**
         * Where the page begins. Taken from the `Link` header of the page before; not to be made up.
         */
        cursor?: string;
    };
    url: '/users';
};
export type ListUsersErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type ListUsersError = ListUsersErrors[keyof ListUsersErrors];
export type ListUsersResponses = {
    /**
     * One page of accounts, newest first.
     */
    200: Array<Account>;
};
export type ListUsersResponse = ListUsersResponses[keyof ListUsersResponses];
export type CreateUserData = {
    body: CreateUserRequest;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path?: never;
    query?: never;
    url: '/users';
};
export type CreateUserErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * There is an account with this e-mail address.
     */
    409: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type CreateUserError = CreateUserErrors[keyof CreateUserErrors];
export type CreateUserResponses = {
    /**
     * The account was created.
     */
    201: Account;
};
export type CreateUserResponse = CreateUserResponses[keyof CreateUserResponses];
export type GetUserData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path: {
        /**
         * The account's id. Any other spelling of a UUID than the canonical one is not found.
         */
        user_id: ID;
    };
    query?: never;
    url: '/users/{user_id}';
};
export type GetUserErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type GetUserError = GetUserErrors[keyof GetUserErrors];
export type GetUserResponses = {
    /**
     * The account.
     */
    200: Account;
};
export type GetUserResponse = GetUserResponses[keyof GetUserResponses];
export type UpdateUserData = {
    body: UpdateUserRequest;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
    };
    path: {
        /**
         * The account's id. Any other spelling of a UUID than the canonical one is not found.
         */
        user_id: ID;
    };
    query?: never;
    url: '/users/{user_id}';
};
export type UpdateUserErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * No enabled administrator would be left.
     */
    409: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type UpdateUserError = UpdateUserErrors[keyof UpdateUserErrors];
export type UpdateUserResponses = {
    /**
     * The account as it is afterwards.
     */
    200: Account;
};
export type UpdateUserResponse = UpdateUserResponses[keyof UpdateUserResponses];
export type ListApiKeysData = {
    body?: never;
    headers?: {
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path?: never;
    query?: {
        /**
         * The most items a page may have.
         */
        limit?: number;
        /**
         * Where the page begins. Taken from the `Link` header of the page before; not to be made up.
         */
        cursor?: string;
    };
    url: '/api-keys';
};
export type ListApiKeysErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type ListApiKeysError = ListApiKeysErrors[keyof ListApiKeysErrors];
export type ListApiKeysResponses = {
    /**
     * One page of API keys, newest first.
     */
    200: Array<APIKey>;
};
export type ListApiKeysResponse = ListApiKeysResponses[keyof ListApiKeysResponses];
export type CreateApiKeyData = {
    body: CreateAPIKeyRequest;
    headers?: {
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path?: never;
    query?: never;
    url: '/api-keys';
};
export type CreateApiKeyErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type CreateApiKeyError = CreateApiKeyErrors[keyof CreateApiKeyErrors];
export type CreateApiKeyResponses = {
    /**
     * The key was created.
     */
    201: CreatedAPIKey;
};
export type CreateApiKeyResponse = CreateApiKeyResponses[keyof CreateApiKeyResponses];
export type RevokeApiKeyData = {
    body?: never;
    path: {
        /**
         * The API key's id. Any other spelling of a UUID than the canonical one is not found.
         */
        api_key_id: ID;
    };
    query?: never;
    url: '/api-keys/{api_key_id}';
};
export type RevokeApiKeyErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type RevokeApiKeyError = RevokeApiKeyErrors[keyof RevokeApiKeyErrors];
export type RevokeApiKeyResponses = {
    /**
     * The key is revoked.
     */
    204: void;
};
export type RevokeApiKeyResponse = RevokeApiKeyResponses[keyof RevokeApiKeyResponses];
export type ListTicketsData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path?: never;
    query?: {
        /**
         * The most items a page may have.
         */
        limit?: number;
        /**
         * Where the page begins. Taken from the `Link` header of the page before; not to be made up.
         */
        cursor?: string;
    };
    url: '/tickets';
};
export type ListTicketsErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type ListTicketsError = ListTicketsErrors[keyof ListTicketsErrors];
export type ListTicketsResponses = {
    /**
     * One page of tickets, newest first.
     */
    200: Array<Ticket>;
};
export type ListTicketsResponse = ListTicketsResponses[keyof ListTicketsResponses];
export type CreateTicketData = {
    body: CreateTicketRequest;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path?: never;
    query?: never;
    url: '/tickets';
};
export type CreateTicketErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * A request with the same `Idempotency-Key` is under way.
     */
    409: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type CreateTicketError = CreateTicketErrors[keyof CreateTicketErrors];
export type CreateTicketResponses = {
    /**
     * The ticket was opened.
     */
    201: Ticket;
};
export type CreateTicketResponse = CreateTicketResponses[keyof CreateTicketResponses];
export type GetTicketData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path: {
        /**
         * The ticket's id. Any other spelling of a UUID than the canonical one is not found.
         */
        ticket_id: ID;
    };
    query?: never;
    url: '/tickets/{ticket_id}';
};
export type GetTicketErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type GetTicketError = GetTicketErrors[keyof GetTicketErrors];
export type GetTicketResponses = {
    /**
     * The ticket.
     */
    200: TicketWithMessages;
};
export type GetTicketResponse = GetTicketResponses[keyof GetTicketResponses];
export type UpdateTicketData = {
    body: UpdateTicketRequest;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * Change the ticket only if its `ETag` is one of these, otherwise `412`. `*` is any. The tag names the ticket's version,
         * so what a compressing proxy makes of it (`W/"3"`, `"3-gzip"`) is taken for the same.
         *
         */
        'If-Match'?: EntityTags;
    };
    path: {
        /**
         * The ticket's id. Any other spelling of a UUID than the canonical one is not found.
         */
        ticket_id: ID;
    };
    query?: never;
    url: '/tickets/{ticket_id}';
};
export type UpdateTicketErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The ticket's status does not allow the change.
     */
    409: Problem;
    /**
     * The ticket's version is none of those in `If-Match`; nothing was changed.
     */
    412: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type UpdateTicketError = UpdateTicketErrors[keyof UpdateTicketErrors];
export type UpdateTicketResponses = {
    /**
     * The ticket as it is after the change.
     */
    200: Ticket;
};
export type UpdateTicketResponse = UpdateTicketResponses[keyof UpdateTicketResponses];
export type ListMessagesData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path: {
        /**
         * The ticket's id. Any other spelling of a UUID than the canonical one is not found.
         */
        ticket_id: ID;
    };
    query?: {
        /**
         * The most items a page may have.
         */
        limit?: number;
        /**
         * Where the page begins. Taken from the `Link` header of the page before; not to be made up.
         */
        cursor?: string;
    };
    url: '/tickets/{ticket_id}/messages';
};
export type ListMessagesErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type ListMessagesError = ListMessagesErrors[keyof ListMessagesErrors];
export type ListMessagesResponses = {
    /**
     * One page of messages, oldest first.
     */
    200: Array<Message>;
};
export type ListMessagesResponse = ListMessagesResponses[keyof ListMessagesResponses];
export type CreateMessageData = {
    body: CreateMessageRequest;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path: {
        /**
         * The ticket's id. Any other spelling of a UUID than the canonical one is not found.
         */
        ticket_id: ID;
    };
    query?: never;
    url: '/tickets/{ticket_id}/messages';
};
export type CreateMessageErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The ticket is closed, or a request with the same `Idempotency-Key` is under way.
     */
    409: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type CreateMessageError = CreateMessageErrors[keyof CreateMessageErrors];
export type CreateMessageResponses = {
    /**
     * The message was added.
     */
    201: Message;
};
export type CreateMessageResponse = CreateMessageResponses[keyof CreateMessageResponses];
export type StreamAiResponseData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The id of the last event you have, as it came: `<ai_response_id>:<number>`, from the second attempt on followed by
         * `:<attempt>`. A browser's `EventSource` sends it by itself. An id that is not of this answer
         * is ignored: the answer then comes from its start, after a `reset` whose id has the number 0.
         *
         */
        'Last-Event-ID'?: string;
    };
    path: {
        /**
         * The ticket's id. Any other spelling of a UUID than the canonical one is not found.
         */
        ticket_id: ID;
    };
    query?: {
        /**
         * The same as `Last-Event-ID`, for replacements of `EventSource` that cannot send the header. The header counts if there
         * is one.
         *
         */
        lastEventId?: string;
    };
    url: '/tickets/{ticket_id}/ai-response';
};
export type StreamAiResponseErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * There is nothing that the AI may answer.
     */
    409: Problem;
    /**
     * The AI's upstream does not accept this conversation. Asking again does not help.
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed, or has used up what an account may ask of the AI: answers at a
     * time, in a minute, or in a day.
     *
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The AI's upstream refused this server, or answered something that is not an answer.
     */
    502: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
    /**
     * The AI's upstream did not answer in time.
     */
    504: Problem;
};
export type StreamAiResponseError = StreamAiResponseErrors[keyof StreamAiResponseErrors];
export type StreamAiResponseResponses = {
    /**
     * The stream of events. It ends with `done` or `failed`.
     */
    200: AIResponseEvent;
    /**
     * The event named by `Last-Event-ID` is the end of this answer; there is nothing more to come.
     */
    204: void;
};
export type StreamAiResponseResponse = StreamAiResponseResponses[keyof StreamAiResponseResponses];
export type ListAiResponsesData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path: {
        /**
         * The ticket's id. Any other spelling of a UUID than the canonical one is not found.
         */
        ticket_id: ID;
    };
    query?: {
        /**
         * The most items a page may have.
         */
        limit?: number;
        /**
         * Where the page begins. Taken from the `Link` header of the page before; not to be made up.
         */
        cursor?: string;
    };
    url: '/tickets/{ticket_id}/ai-responses';
};
export type ListAiResponsesErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type ListAiResponsesError = ListAiResponsesErrors[keyof ListAiResponsesErrors];
export type ListAiResponsesResponses = {
    /**
     * One page of AI responses, newest first.
     */
    200: Array<AIResponse>;
};
export type ListAiResponsesResponse = ListAiResponsesResponses[keyof ListAiResponsesResponses];
export type CreateAiResponseData = {
    body: CreateAIResponseRequest;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path: {
        /**
         * The ticket's id. Any other spelling of a UUID than the canonical one is not found.
         */
        ticket_id: ID;
    };
    query?: never;
    url: '/tickets/{ticket_id}/ai-responses';
};
export type CreateAiResponseErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * There is nothing that the AI may answer, or a request with the same `Idempotency-Key` is under way.
     */
    409: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed, or has used up what an account may ask of the AI: answers at a
     * time, in a minute, or in a day.
     *
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type CreateAiResponseError = CreateAiResponseErrors[keyof CreateAiResponseErrors];
export type CreateAiResponseResponses = {
    /**
     * The AI response that was there already.
     */
    200: AIResponse;
    /**
     * The answer was started.
     */
    201: AIResponse;
};
export type CreateAiResponseResponse = CreateAiResponseResponses[keyof CreateAiResponseResponses];
export type CreateStreamTokenData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path: {
        /**
         * The ticket's id. Any other spelling of a UUID than the canonical one is not found.
         */
        ticket_id: ID;
    };
    query?: never;
    url: '/tickets/{ticket_id}/stream-tokens';
};
export type CreateStreamTokenErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type CreateStreamTokenError = CreateStreamTokenErrors[keyof CreateStreamTokenErrors];
export type CreateStreamTokenResponses = {
    /**
     * The token.
     */
    201: StreamToken;
};
export type CreateStreamTokenResponse = CreateStreamTokenResponses[keyof CreateStreamTokenResponses];
export type GetAiResponseData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path: {
        /**
         * The AI response's id.
         */
        ai_response_id: ID;
    };
    query?: never;
    url: '/ai-responses/{ai_response_id}';
};
export type GetAiResponseErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type GetAiResponseError = GetAiResponseErrors[keyof GetAiResponseErrors];
export type GetAiResponseResponses = {
    /**
     * The AI response.
     */
    200: AIResponse;
};
export type GetAiResponseResponse = GetAiResponseResponses[keyof GetAiResponseResponses];
export type StreamAiResponseByIdData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The id of the last event you have, as it came: `<ai_response_id>:<number>`, from the second attempt on followed by
         * `:<attempt>`. A browser's `EventSource` sends it by itself. An id that is not of this answer
         * is ignored: the answer then comes from its start, after a `reset` whose id has the number 0.
         *
         */
        'Last-Event-ID'?: string;
    };
    path: {
        /**
         * The AI response's id.
         */
        ai_response_id: ID;
    };
    query?: {
        /**
         * The same as `Last-Event-ID`, for replacements of `EventSource` that cannot send the header. The header counts if there
         * is one.
         *
         */
        lastEventId?: string;
    };
    url: '/ai-responses/{ai_response_id}/stream';
};
export type StreamAiResponseByIdErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type StreamAiResponseByIdError = StreamAiResponseByIdErrors[keyof StreamAiResponseByIdErrors];
export type StreamAiResponseByIdResponses = {
    /**
     * The stream of events. It ends with `done` or `failed`.
     */
    200: AIResponseEvent;
    /**
     * The event named by `Last-Event-ID` is the end of this answer; there is nothing more to come.
     */
    204: void;
};
export type StreamAiResponseByIdResponse = StreamAiResponseByIdResponses[keyof StreamAiResponseByIdResponses];
export type ListAiResponseEventsData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path: {
        /**
         * The AI response's id.
         */
        ai_response_id: ID;
    };
    query?: {
        /**
         * The number of the last event you have; 0 for none.
         */
        after?: number;
        /**
         * The attempt that wrote that event, `attempt` of the page before. With it, an event that the database has lost
         * in a crash is not taken for the one which took its number.
         *
         */
        attempt?: number;
        /**
         * Seconds to wait for an event when there is none yet.
         */
        wait?: number;
    };
    url: '/ai-responses/{ai_response_id}/events';
};
export type ListAiResponseEventsErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type ListAiResponseEventsError = ListAiResponseEventsErrors[keyof ListAiResponseEventsErrors];
export type ListAiResponseEventsResponses = {
    /**
     * The events, in their order.
     */
    200: AIResponseEvents;
};
export type ListAiResponseEventsResponse = ListAiResponseEventsResponses[keyof ListAiResponseEventsResponses];
export type CancelAiResponseData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * Makes it safe to send the request again: with the same key it has its effect once. 1 to 255 visible ASCII
         * characters, different for every effect. See "Retries".
         *
         */
        'Idempotency-Key'?: string;
    };
    path: {
        /**
         * The AI response's id.
         */
        ai_response_id: ID;
    };
    query?: never;
    url: '/ai-responses/{ai_response_id}/cancel';
};
export type CancelAiResponseErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type CancelAiResponseError = CancelAiResponseErrors[keyof CancelAiResponseErrors];
export type CancelAiResponseResponses = {
    /**
     * The AI response as it is after this.
     */
    202: AIResponse;
};
export type CancelAiResponseResponse = CancelAiResponseResponses[keyof CancelAiResponseResponses];
export type GetMessageFeedbackData = {
    body?: never;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
        /**
         * The `ETag` of what you have: if it is still current, the response is `304` without a body (RFC 9110, section
         * 13.1.2).
         *
         */
        'If-None-Match'?: EntityTags;
    };
    path: {
        /**
         * The message's id.
         */
        message_id: ID;
    };
    query?: never;
    url: '/messages/{message_id}/feedback';
};
export type GetMessageFeedbackErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type GetMessageFeedbackError = GetMessageFeedbackErrors[keyof GetMessageFeedbackErrors];
export type GetMessageFeedbackResponses = {
    /**
     * The rating.
     */
    200: MessageFeedback;
};
export type GetMessageFeedbackResponse = GetMessageFeedbackResponses[keyof GetMessageFeedbackResponses];
export type PutMessageFeedbackData = {
    body: PutMessageFeedbackRequest;
    headers?: {
        /**
         * The customer that the service acts for, by the id that they have there: 1 to 128 visible ASCII characters, compared
         * exactly. For API keys with the scope `on_behalf` only. See the section Authentication.
         *
         */
        'X-On-Behalf-Of'?: string;
    };
    path: {
        /**
         * The message's id.
         */
        message_id: ID;
    };
    query?: never;
    url: '/messages/{message_id}/feedback';
};
export type PutMessageFeedbackErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * There is no access token, or it is not valid (any longer).
     */
    401: Problem;
    /**
     * The account's role does not allow this, or the API key's scopes do not.
     */
    403: Problem;
    /**
     * There is no such thing, or it is not yours.
     */
    404: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * The body is larger than 64 KiB, or, for a new ticket or message, 128 KiB.
     */
    413: Problem;
    /**
     * The body's media type, character set or content coding is not one that the operation takes.
     */
    415: Problem;
    /**
     * The body was understood and breaks a rule; `errors` says where. Or the `Idempotency-Key` was used for another
     * request.
     *
     */
    422: Problem;
    /**
     * The caller sends more requests than are allowed.
     */
    429: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type PutMessageFeedbackError = PutMessageFeedbackErrors[keyof PutMessageFeedbackErrors];
export type PutMessageFeedbackResponses = {
    /**
     * The rating as it is stored.
     */
    200: MessageFeedback;
};
export type PutMessageFeedbackResponse = PutMessageFeedbackResponses[keyof PutMessageFeedbackResponses];
export type GetLivenessData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/livez';
};
export type GetLivenessErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
};
export type GetLivenessError = GetLivenessErrors[keyof GetLivenessErrors];
export type GetLivenessResponses = {
    /**
     * The process is alive.
     */
    200: Health;
};
export type GetLivenessResponse = GetLivenessResponses[keyof GetLivenessResponses];
export type GetReadinessData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/readyz';
};
export type GetReadinessErrors = {
    /**
     * The request could not be parsed, or a query parameter or header is not one of the operation's or has a wrong value.
     */
    400: Problem;
    /**
     * The operation cannot answer in any media type of the `Accept` header.
     */
    406: Problem;
    /**
     * A fault of the server. The log has it under the request id.
     */
    500: Problem;
    /**
     * The server, its database or the AI's upstream cannot take the request now. Try again later.
     */
    503: Problem;
};
export type GetReadinessError = GetReadinessErrors[keyof GetReadinessErrors];
export type GetReadinessResponses = {
    /**
     * The server is ready.
     */
    200: Health;
};
export type GetReadinessResponse = GetReadinessResponses[keyof GetReadinessResponses];
