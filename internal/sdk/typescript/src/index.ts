export { answerOf, relay } from './answer.js';
export { standingParts } from './chat.js';
export { Failed, NetworkError, NoAnswer, NotModified, Problem, ProtocolError, isProblem } from './errors.js';
export { type CallOptions, type SupportOptions } from './options.js';
export { type Page } from './pages.js';
export { browserSession, type Items, type SessionStore, type Tokens, type TokensChange } from './session.js';
export { type StreamEvent } from './stream.js';
export * from './support.js';
export type * from './api/types.gen.js';
