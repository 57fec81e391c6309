/** Injection tokens of the things that are values or ports rather than classes. */
export const CONFIG = Symbol('CoordinatorConfig');
export const HOME = Symbol('HomeFolder');
export const CLOCK = Symbol('Clock');
export const BLOB_STORE = Symbol('BlobStore');
/** The key that signs the credentials of sites. */
export const COORDINATOR_KEY = Symbol('CoordinatorKey');
