export { type CallOptions, type SupportOptions } from './caller.js';
export { Failed, NetworkError, NoAnswer, NotModified, Problem, ProtocolError, isProblem } from './errors.js';
export { type Page } from './pages.js';
export * from './support.js';
export type * from './api/types.gen.js';
