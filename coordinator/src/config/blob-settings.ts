import { parseSizeBytes } from '@consilium/shared/kernel';
import { sizeField } from '@consilium/shared/wire';
import { z } from 'zod';
import type { BucketPlace } from '../blobs/s3-bucket.js';

const BUCKET_URL = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9!_.*'()/-]{1,200}))?\/?$/;

/** Where weight files lie; a part of the coordinator's settings. */
export const blobSettingFields = {
  blobs: z
    .string()
    .regex(BUCKET_URL, 'it must look like s3://bucket or s3://bucket/folder')
    .optional()
    .describe('object store for weight files, in place of a folder in the home folder'),
  s3Endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('address of an object store other than Amazon’s'),
  s3Region: z.string().min(1).max(64).default('us-east-1').describe('region of the object store'),
  blobCache: sizeField.default('20GiB').describe('what weight files of an object store may take on this disk'),
};

type BlobSettingValues = z.infer<z.ZodObject<typeof blobSettingFields>>;

export interface BlobSettings {
  /** Undefined for a folder in the home folder. */
  readonly bucket: BucketPlace | undefined;
  readonly cacheBytes: number;
}

export function compileBlobSettings({ blobs, s3Endpoint, s3Region, blobCache }: BlobSettingValues): BlobSettings {
  const [, bucket, folder] = BUCKET_URL.exec(blobs ?? '') ?? [];
  const prefix = folder === undefined ? '' : `${folder.replace(/\/+$/, '')}/`;
  const place = bucket === undefined ? undefined : { bucket, prefix, endpoint: s3Endpoint, region: s3Region };
  // Of Node releases to come (decision 25): several lines on every command, and between the lines of a log in JSON.
  if (place !== undefined) process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  return { bucket: place, cacheBytes: parseSizeBytes(blobCache) };
}
