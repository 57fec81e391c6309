import { z } from 'zod';
import { digestField, positiveInteger } from './fields.js';

/** A model version as the wire names it; the bytes are fetched by digest. */
export const versionReferenceSchema = z.strictObject({
  /** 1 is the seeded start; each finished round adds one. */
  number: positiveInteger,
  digest: digestField,
  bytes: positiveInteger,
});
export type VersionReference = z.infer<typeof versionReferenceSchema>;

/** The file by which a version is made from the one before it. */
export const versionDeltaSchema = z.strictObject({
  parent: digestField,
  digest: digestField,
  bytes: positiveInteger,
});
export type VersionDelta = z.infer<typeof versionDeltaSchema>;
