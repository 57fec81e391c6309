export * from './authorities.js';
export * from './key-file.js';
export * from './passport-signature.js';
export * from './proof.js';
export * from './signed-credential.js';
export * from './signing-key.js';
