package apperr

// Code identifies a kind of problem. The list is closed and equals the contract's ProblemCode.
type Code string

// The codes, by subject.
const (
	Internal Code = "internal"

	MalformedRequest     Code = "malformed_request"
	InvalidParameter     Code = "invalid_parameter"
	NotFound             Code = "not_found"
	MethodNotAllowed     Code = "method_not_allowed"
	NotAcceptable        Code = "not_acceptable"
	PayloadTooLarge      Code = "payload_too_large"
	UnsupportedMediaType Code = "unsupported_media_type"
	ValidationFailed     Code = "validation_failed"
	RateLimited          Code = "rate_limited"
	TooManyAttempts      Code = "too_many_attempts"

	Unauthenticated    Code = "unauthenticated"
	InvalidCredentials Code = "invalid_credentials"
	InvalidToken       Code = "invalid_token"
	TokenReuse         Code = "token_reuse"
	Forbidden          Code = "forbidden"
	RoleNotAllowed     Code = "role_not_allowed"
	EmailTaken         Code = "email_taken"
	ExternalIDTaken    Code = "external_id_taken"
	NameTaken          Code = "name_taken"
	LastAdmin          Code = "last_admin"
	WeakPassword       Code = "weak_password"

	TicketClosed       Code = "ticket_closed"
	InvalidTransition  Code = "invalid_transition"
	PreconditionFailed Code = "precondition_failed"
	PromptPublished    Code = "prompt_published"

	PositionExpired Code = "position_expired"

	InvalidIdempotencyKey Code = "invalid_idempotency_key"
	IdempotencyInProgress Code = "idempotency_in_progress"
	IdempotencyMismatch   Code = "idempotency_mismatch"

	NothingToAnswer         Code = "nothing_to_answer"
	NothingToApply          Code = "nothing_to_apply"
	Superseded              Code = "superseded"
	Cancelled               Code = "cancelled"
	ConversationNotAccepted Code = "conversation_not_accepted"
	AIDisabled              Code = "ai_disabled"
	AIInReview              Code = "ai_in_review"
	HandedOff               Code = "handed_off"
	NotInReview             Code = "not_in_review"
	AIMisconfigured         Code = "ai_misconfigured"
	AINoAnswer              Code = "ai_no_answer"
	AIOverloaded            Code = "ai_overloaded"
	AIProtocol              Code = "ai_protocol"
	AIQuota                 Code = "ai_quota"
	AIStalled               Code = "ai_stalled"
	AITimeout               Code = "ai_timeout"

	ServerBusy     Code = "server_busy"
	TooManyStreams Code = "too_many_streams"
	DBBusy         Code = "db_busy"
	DBUnavailable  Code = "db_unavailable"
	SchemaDirty    Code = "schema_dirty"
	Draining       Code = "draining"
)

// FieldCode is the rule that a field breaks. The list is closed and equals the contract's FieldErrorCode.
type FieldCode string

// The field codes.
const (
	Duplicate         FieldCode = "duplicate"
	InvalidCharacters FieldCode = "invalid_characters"
	InvalidFormat     FieldCode = "invalid_format"
	InvalidType       FieldCode = "invalid_type"
	NotAllowed        FieldCode = "not_allowed"
	OutOfRange        FieldCode = "out_of_range"
	Required          FieldCode = "required"
	TooLong           FieldCode = "too_long"
	TooShort          FieldCode = "too_short"
	Unknown           FieldCode = "unknown"
)
