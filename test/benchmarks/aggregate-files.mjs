/** Made models for `bench:aggregate`, and the average of them by plain 64-bit sums, independent of the product's loops. */
import { open } from 'node:fs/promises';
import { openDigest } from '../../shared/dist/kernel/index.js';
import { decodeElements, elementCount, encodeElements, encodeHeader } from '../../shared/dist/weights/index.js';

const TENSOR_ELEMENTS = 1 << 20;

/** Layers of a million weights, and what is left over as a last, odd one. */
export function madeManifest(parameters) {
  const tensors = [];
  for (let left = parameters; left > 0; left -= TENSOR_ELEMENTS) {
    const shape = left >= TENSOR_ELEMENTS ? [64, TENSOR_ELEMENTS / 64] : [left];
    tensors.push({ name: `layer${tensors.length}.weight`, shape, dtype: 'F32', scope: 'federated' });
  }
  return { tensors };
}

export function patchesOf(site) {
  return 100 + 37 * site;
}

const noise = Float32Array.from({ length: TENSOR_ELEMENTS }, (_, i) => (Math.sin(i * 12.9898) * 43758.5453) % 1);

/** Deltas of a site, or the base for −1: every site differs from every other in every weight. */
function valuesOf(site, layer, count) {
  const [scale, shift] = site < 0 ? [0.1, 0] : [1e-3, 1e-3 + site * 1e-5];
  const start = (layer * 7919 + (site + 1) * 104729) % TENSOR_ELEMENTS;
  return Float32Array.from({ length: count }, (_, i) => scale * noise[(start + i) % TENSOR_ELEMENTS] + shift);
}

export async function writeMadeModel(path, manifest, site, format) {
  const dtype = format.toUpperCase();
  const file = await open(path, 'w');
  await file.write(
    encodeHeader(
      manifest.tensors.map((tensor) => ({ ...tensor, dtype })),
      {},
    ).bytes,
  );
  for (const [layer, { shape }] of manifest.tensors.entries()) {
    await file.write(encodeElements(valuesOf(site, layer, elementCount(shape)), dtype));
  }
  await file.close();
}

/** The digest of the version that weighted averaging gives: sums in site order, one division, one rounding. */
export function referenceDigest({ manifest }, sites, format) {
  const running = openDigest('blake3');
  running.update(encodeHeader(manifest.tensors, {}).bytes);
  const order = Array.from({ length: sites }, (_, site) => site);
  const total = order.reduce((sum, site) => sum + patchesOf(site), 0);
  for (const [layer, { shape }] of manifest.tensors.entries()) {
    const count = elementCount(shape);
    const sums = new Float64Array(count);
    for (const site of order) {
      const values = valuesOf(site, layer, count);
      const read = format === 'f32' ? values : decodeElements(encodeElements(values, format.toUpperCase()), format.toUpperCase());
      const weight = patchesOf(site);
      for (let i = 0; i < count; i++) sums[i] += weight * read[i];
    }
    const base = valuesOf(-1, layer, count);
    running.update(
      encodeElements(
        Float32Array.from(base, (value, i) => value + sums[i] / total),
        'F32',
      ),
    );
  }
  return running.finish();
}
