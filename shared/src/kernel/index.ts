export * from './assert.js';
export * from './clock.js';
export * from './digest.js';
export * from './error-codes.js';
export * from './federation-error.js';
export * from './ids.js';
export * from './random.js';
export * from './units.js';
