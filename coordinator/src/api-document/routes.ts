/** Every HTTP route of the coordinator, as other people's programs may use it. A test holds this table and the controllers together. */
import {
  auditPageSchema,
  campaignPlanSchema,
  campaignViewSchema,
  credentialAnswerSchema,
  credentialRequestSchema,
  DATA_PATHS,
  digestField,
  enrolmentAnswerSchema,
  enrolmentRequestSchema,
  federatedPassportSchema,
  nameField,
  siteCampaignSchema,
  siteDetailsSchema,
  siteViewSchema,
  UPDATE_STATES,
  updateDecisionSchema,
  updateViewSchema,
  versionViewSchema,
} from '@consilium/shared/wire';
import { z } from 'zod';

/** Whose token a route wants. */
export type RouteAccess = 'operator' | 'site' | 'anybody';

export interface ApiRoute {
  readonly method: 'get' | 'post';
  /** With parameters in braces. */
  readonly path: string;
  readonly access: RouteAccess;
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, z.ZodType>>;
  readonly query?: Readonly<Record<string, z.ZodType>>;
  readonly body?: z.ZodType;
  readonly status?: 200 | 201;
  /** JSON of this shape, or content of another type. */
  readonly answer: z.ZodType | { readonly contentType: string };
}

const idOrName = z.string().min(1).describe('id or name of the campaign');
const number = z.int().min(1).describe('number of the version');
const participationId = z.string().min(1).describe('id of the participation that delivered the update');
const siteName = nameField.describe('name of the site');

const healthSchema = z.object({ status: z.literal('ok'), protocolVersion: z.int() });
const invitationSchema = z.strictObject({ name: nameField });
const invitationAnswerSchema = z.object({ name: nameField, token: z.string(), expiresAtMs: z.number() });
const WEIGHTS = { contentType: 'application/octet-stream' } as const;

const CAMPAIGNS = '/api/campaigns';
const CAMPAIGN = `${CAMPAIGNS}/{idOrName}`;
const UPDATES = '/api/updates';

const forCampaign = { access: 'operator', parameters: { idOrName }, answer: campaignViewSchema } as const;
const forUpdate = { access: 'operator', parameters: { participationId }, answer: updateViewSchema } as const;
const forVersion = { access: 'operator', parameters: { idOrName, number } } as const;

export const ROUTES: readonly ApiRoute[] = [
  { method: 'get', path: '/healthz', access: 'anybody', summary: 'The process answers', answer: healthSchema },
  { method: 'get', path: '/api/health', access: 'anybody', summary: 'The same', answer: healthSchema },
  { method: 'get', path: '/readyz', access: 'anybody', summary: 'The database answers as well', answer: healthSchema },
  {
    method: 'get',
    path: '/api/openapi.json',
    access: 'anybody',
    summary: 'This document',
    answer: z.looseObject({ openapi: z.string() }),
  },
  {
    method: 'get',
    path: '/metrics',
    access: 'operator',
    summary: 'Figures for Prometheus',
    answer: { contentType: 'text/plain' },
  },
  { method: 'get', path: '/api/sites', access: 'operator', summary: 'All sites', answer: z.array(siteViewSchema) },
  {
    method: 'post',
    path: '/api/sites',
    access: 'operator',
    summary: 'Invite a site, or give an invited one another token; the answer is the only time that the token is shown',
    body: invitationSchema,
    status: 201,
    answer: invitationAnswerSchema,
  },
  {
    method: 'get',
    path: '/api/sites/{name}',
    access: 'operator',
    summary: 'A site with its key, its credential and its campaigns',
    parameters: { name: siteName },
    answer: siteDetailsSchema,
  },
  {
    method: 'post',
    path: '/api/sites/{name}/revoke',
    access: 'operator',
    summary: 'End a site’s access at once',
    parameters: { name: siteName },
    answer: siteViewSchema,
  },
  {
    method: 'get',
    path: CAMPAIGNS,
    access: 'operator',
    summary: 'All campaigns, newest first',
    answer: z.array(campaignViewSchema),
  },
  {
    method: 'post',
    path: CAMPAIGNS,
    access: 'operator',
    summary: 'Start a campaign: the content of a campaign file',
    body: campaignPlanSchema,
    status: 201,
    answer: campaignViewSchema,
  },
  { ...forCampaign, method: 'get', path: CAMPAIGN, summary: 'A campaign with its rounds and versions' },
  { ...forCampaign, method: 'post', path: `${CAMPAIGN}/pause`, summary: 'Plan no further round' },
  { ...forCampaign, method: 'post', path: `${CAMPAIGN}/resume`, summary: 'Go on after a pause' },
  { ...forCampaign, method: 'post', path: `${CAMPAIGN}/cancel`, summary: 'End a campaign for good; its versions stay' },
  {
    method: 'get',
    path: `${CAMPAIGN}/versions`,
    access: 'operator',
    summary: 'The model versions of a campaign',
    parameters: { idOrName },
    answer: z.array(versionViewSchema),
  },
  {
    ...forVersion,
    method: 'get',
    path: `${CAMPAIGN}/versions/{number}/passport`,
    summary: 'Where a version comes from, to be checked by anybody',
    answer: federatedPassportSchema,
  },
  {
    ...forVersion,
    method: 'get',
    path: `${CAMPAIGN}/versions/{number}/content`,
    summary: 'The weights, as safetensors; the digest is the entity tag, ranges are served',
    answer: WEIGHTS,
  },
  {
    method: 'get',
    path: UPDATES,
    access: 'operator',
    summary: 'Delivered updates, newest first',
    query: { campaign: z.string().min(1), state: z.enum(UPDATE_STATES) },
    answer: z.array(updateViewSchema),
  },
  { ...forUpdate, method: 'get', path: `${UPDATES}/{participationId}`, summary: 'One delivered update' },
  {
    ...forUpdate,
    method: 'post',
    path: `${UPDATES}/{participationId}/release`,
    summary: 'Let an update count that was held back',
    body: updateDecisionSchema,
  },
  {
    ...forUpdate,
    method: 'post',
    path: `${UPDATES}/{participationId}/discard`,
    summary: 'Let an update that was held back count never',
    body: updateDecisionSchema,
  },
  {
    method: 'get',
    path: '/api/audit',
    access: 'operator',
    summary: 'The audit log in order, up to 1,000 entries after the named one',
    query: { after: z.int().min(0).max(Number.MAX_SAFE_INTEGER) },
    answer: auditPageSchema,
  },
  {
    method: 'get',
    path: '/api/backup/records',
    access: 'operator',
    summary: 'All records of one moment, as lines of JSON',
    answer: { contentType: 'application/x-ndjson' },
  },
  {
    method: 'get',
    path: '/api/backup/blobs/{digest}',
    access: 'operator',
    summary: 'A file that the records name',
    parameters: { digest: digestField },
    answer: WEIGHTS,
  },
  {
    method: 'post',
    path: DATA_PATHS.enrolment,
    access: 'anybody',
    summary: 'Join with a one-time token; with a proof of a key in the DPoP header, the credential is bound to it',
    body: enrolmentRequestSchema,
    answer: enrolmentAnswerSchema,
  },
  {
    method: 'post',
    path: DATA_PATHS.credential,
    access: 'anybody',
    summary: 'A new credential for the key that the DPoP header proves, or for one that takes its place',
    body: credentialRequestSchema,
    answer: credentialAnswerSchema,
  },
  {
    method: 'get',
    path: DATA_PATHS.campaigns,
    access: 'site',
    summary: 'The campaigns that the asking site takes part in, with its own scores',
    answer: z.array(siteCampaignSchema),
  },
  {
    method: 'get',
    path: `${DATA_PATHS.campaigns}/{campaignId}/versions/{number}/passport`,
    access: 'site',
    summary: 'As for operators, of the asking site’s campaigns',
    parameters: { campaignId: z.string().min(1), number },
    answer: federatedPassportSchema,
  },
  {
    method: 'get',
    path: `${DATA_PATHS.blobs}/{digest}`,
    access: 'site',
    summary: 'A version, delta or state of one of the asking site’s campaigns',
    parameters: { digest: digestField },
    answer: WEIGHTS,
  },
];
