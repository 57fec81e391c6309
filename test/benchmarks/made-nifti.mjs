/** NIfTI files of int16 voxels for measurements, made in memory. */

const HEADER_BYTES = 352;

/**
 * A single-file NIfTI-1 image, little-endian, with voxels of 1 mm. `sform` holds the three rows of stored index → millimetres;
 * `fill` is given the voxels to write, x fastest.
 */
export function makeNifti([nx, ny, nz], sform, fill) {
  const file = Buffer.alloc(HEADER_BYTES + 2 * nx * ny * nz);
  file.writeInt32LE(348, 0);
  [3, nx, ny, nz, 1, 1, 1, 1].forEach((size, index) => file.writeInt16LE(size, 40 + 2 * index));
  file.writeInt16LE(4, 70);
  file.writeInt16LE(16, 72);
  [1, 1, 1, 1].forEach((size, index) => file.writeFloatLE(size, 76 + 4 * index));
  file.writeFloatLE(HEADER_BYTES, 108);
  file.writeFloatLE(1, 112);
  file.writeUInt8(2, 123);
  file.writeInt16LE(1, 254);
  sform.forEach((entry, index) => file.writeFloatLE(entry, 280 + 4 * index));
  file.write('n+1\0', 344, 'latin1');
  fill(new Int16Array(file.buffer, file.byteOffset + HEADER_BYTES, nx * ny * nz));
  return file;
}

/** 32-bit random numbers, the same for a seed on every machine. */
export function randomBits(seed) {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
}
