export * from './clip-norm.js';
export * from './gaussian-noise.js';
export * from './privacy-ledger.js';
export * from './rdp-accountant.js';
