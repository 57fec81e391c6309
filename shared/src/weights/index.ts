export * from './decode-range.js';
export * from './manifest.js';
export * from './number-format.js';
export * from './safetensors-file.js';
export { encodeHeader, HEADER_BYTES_LIMIT, type SafetensorsHeader, type StoredTensor } from './safetensors-header.js';
export * from './update-codec.js';
export * from './weight-set.js';
