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
} as const;

/** tus metadata keys that an update's upload carries. */
export const UPLOAD_METADATA = { participationId: 'participationId', digest: 'digest' } as const;
