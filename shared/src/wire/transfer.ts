import { z } from 'zod';

/**
 * The data plane's paths. Uploads speak tus 1.0 (resumable), downloads are ranged GETs by digest; both carry the site's
 * credential. Weights are never compressed in transit: they do not compress.
 */
export const DATA_PATHS = {
  enrolment: '/api/site/enrolment',
  credential: '/api/site/credential',
  uploads: '/api/site/uploads',
  blobs: '/api/site/blobs',
  campaigns: '/api/site/campaigns',
  lineTest: '/api/site/line-test',
} as const;

/** The largest body that a test of the line may send; the coordinator counts it and throws it away. */
export const MOST_LINE_TEST_BYTES = 16 * 2 ** 20;

/** POST /api/site/line-test: what arrived, and how long it took from the first byte to the last. */
export const lineTestAnswerSchema = z.object({ receivedBytes: z.int(), tookMs: z.number() });
export type LineTestAnswer = z.infer<typeof lineTestAnswerSchema>;

/** tus metadata keys that an update's upload carries. */
export const UPLOAD_METADATA = { participationId: 'participationId', digest: 'digest' } as const;
