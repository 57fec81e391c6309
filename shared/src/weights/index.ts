export * from './decode-range.js';
export * from './encode-range.js';
export * from './manifest.js';
export * from './number-format.js';
export type { SavedDict } from './pytorch/pickle-writer.js';
export { looksLikePytorch, PytorchFile } from './pytorch/pytorch-file.js';
export { savedState, type SavedState } from './pytorch/saved-state.js';
export * from './pytorch/write-checkpoint.js';
export * from './rebuild-version.js';
export * from './safetensors-file.js';
export {
  decodeHeader,
  encodeHeader,
  HEADER_BYTES_LIMIT,
  type SafetensorsHeader,
  type StoredTensor,
} from './safetensors-header.js';
export * from './update-codec.js';
export * from './version-delta.js';
export * from './weight-set.js';
