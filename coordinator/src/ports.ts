/** Injection tokens of the things that are values or ports rather than classes. */
export const CONFIG = Symbol('CoordinatorConfig');
export const HOME = Symbol('HomeFolder');
export const CLOCK = Symbol('Clock');
/** Of the home folder. */
export const OPERATOR_TOKEN = Symbol('OperatorToken');
export const BLOB_STORE = Symbol('BlobStore');
/** Where spans of rounds and requests go. */
export const SPANS = Symbol('SpanRecorder');
/** The key that signs the credentials of sites. */
export const COORDINATOR_KEY = Symbol('CoordinatorKey');
