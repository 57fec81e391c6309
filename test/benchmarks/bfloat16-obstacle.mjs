import { bfloat16Support } from '../../site-agent/dist/engine/devices/bfloat16-support.js';

/** Why a case's steps are not measured on this processor: a site would take 32-bit floats instead. Undefined when they can be. */
export function bfloat16Obstacle({ precision }) {
  if (precision !== 'bf16' || bfloat16Support({ kind: 'cpu' }) !== 'poor') return undefined;
  return 'not measured: without AVX-512 a plan of bfloat16 is trained in 32-bit floats';
}
