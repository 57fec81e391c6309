export * from './initial-weights.js';
export * from './manifest-of.js';
export * from './model-spec.js';
export * from './unet3d-parameters.js';
export * from './weight-metadata.js';
