/** Every HTTP route of the coordinator, as other people's programs may use it. A test holds this table and the controllers together. */
import {
  auditPageSchema,
  callerViewSchema,
  campaignPlanSchema,
  campaignViewSchema,
  credentialAnswerSchema,
  credentialRequestSchema,
  DATA_PATHS,
  digestField,
  enrolmentAnswerSchema,
  enrolmentRequestSchema,
  federatedPassportSchema,
  invitedOperatorSchema,
  issuedTokenSchema,
  lineTestAnswerSchema,
  MOST_LINE_TEST_BYTES,
  nameField,
  newOperatorSchema,
  newTokenSchema,
  operatorAccountViewSchema,
  type OperatorRole,
  operatorTokenViewSchema,
  retentionAnswerSchema,
  retentionOrderSchema,
  retentionViewSchema,
  roleChangeSchema,
  signedInSchema,
  signInSchema,
  siteCampaignSchema,
  siteDetailsSchema,
  siteViewSchema,
  UPDATE_STATES,
  updateDecisionSchema,
  updateViewSchema,
  versionPinSchema,
  versionViewSchema,
} from '@consilium/shared/wire';
import { z } from 'zod';

/** Whose token a route wants: a site's, or that of an operator of at least this role. */
export type RouteAccess = OperatorRole | 'site' | 'anybody';

export interface ApiRoute {
  readonly method: 'get' | 'post';
  /** With parameters in braces. */
  readonly path: string;
  readonly access: RouteAccess;
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, z.ZodType>>;
  readonly query?: Readonly<Record<string, z.ZodType>>;
  readonly body?: z.ZodType;
  /** A body that is no JSON. */
  readonly carries?: { readonly contentType: string };
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

const operatorName = nameField.describe('name of the operator');

const CAMPAIGNS = '/api/campaigns';
const CAMPAIGN = `${CAMPAIGNS}/{idOrName}`;
const UPDATES = '/api/updates';
const SESSION = '/api/operator';
const OPERATORS = '/api/operators';
const RETENTION = '/api/retention';

const forCampaign = { access: 'operate', parameters: { idOrName }, answer: campaignViewSchema } as const;
const forUpdate = { access: 'operate', parameters: { participationId }, answer: updateViewSchema } as const;
const forOperator = { access: 'administer', parameters: { name: operatorName } } as const;
const forVersion = { access: 'read', parameters: { idOrName, number } } as const;

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
    access: 'read',
    summary: 'Figures for Prometheus',
    answer: { contentType: 'text/plain' },
  },
  {
    method: 'post',
    path: `${SESSION}/sign-in`,
    access: 'anybody',
    summary: 'A token for a name and its password; the first password has to be replaced in the same request',
    body: signInSchema,
    answer: signedInSchema,
  },
  { method: 'get', path: SESSION, access: 'read', summary: 'Who asks, and what that one may do', answer: callerViewSchema },
  { method: 'post', path: `${SESSION}/sign-out`, access: 'read', summary: 'End the caller’s sign-in', answer: callerViewSchema },
  {
    method: 'get',
    path: `${SESSION}/tokens`,
    access: 'read',
    summary: 'The caller’s tokens for programs; those of everybody for administrators',
    answer: z.array(operatorTokenViewSchema),
  },
  {
    method: 'post',
    path: `${SESSION}/tokens`,
    access: 'read',
    summary: 'A token for a program; the answer is the only time that it is shown',
    body: newTokenSchema,
    status: 201,
    answer: issuedTokenSchema,
  },
  {
    method: 'post',
    path: `${SESSION}/tokens/{id}/revoke`,
    access: 'read',
    summary: 'End a token at once',
    parameters: { id: z.string().min(1).describe('id of the token') },
    answer: callerViewSchema,
  },
  {
    method: 'get',
    path: OPERATORS,
    access: 'administer',
    summary: 'All accounts',
    answer: z.array(operatorAccountViewSchema),
  },
  {
    method: 'post',
    path: OPERATORS,
    access: 'administer',
    summary: 'A new account; the answer is the only time that its first password is shown',
    body: newOperatorSchema,
    status: 201,
    answer: invitedOperatorSchema,
  },
  {
    ...forOperator,
    method: 'post',
    path: `${OPERATORS}/{name}/role`,
    summary: 'Another role, at once',
    body: roleChangeSchema,
    answer: operatorAccountViewSchema,
  },
  {
    ...forOperator,
    method: 'post',
    path: `${OPERATORS}/{name}/disable`,
    summary: 'End an account and everything that it has opened',
    answer: operatorAccountViewSchema,
  },
  {
    ...forOperator,
    method: 'post',
    path: `${OPERATORS}/{name}/reset`,
    summary: 'A new first password; what the account has opened is closed',
    answer: invitedOperatorSchema,
  },
  { method: 'get', path: '/api/sites', access: 'read', summary: 'All sites', answer: z.array(siteViewSchema) },
  {
    method: 'post',
    path: '/api/sites',
    access: 'operate',
    summary: 'Invite a site, or give an invited one another token; the answer is the only time that the token is shown',
    body: invitationSchema,
    status: 201,
    answer: invitationAnswerSchema,
  },
  {
    method: 'get',
    path: '/api/sites/{name}',
    access: 'read',
    summary: 'A site with its key, its credential and its campaigns',
    parameters: { name: siteName },
    answer: siteDetailsSchema,
  },
  {
    method: 'post',
    path: '/api/sites/{name}/revoke',
    access: 'operate',
    summary: 'End a site’s access at once',
    parameters: { name: siteName },
    answer: siteViewSchema,
  },
  {
    method: 'get',
    path: CAMPAIGNS,
    access: 'read',
    summary: 'All campaigns, newest first',
    answer: z.array(campaignViewSchema),
  },
  {
    method: 'post',
    path: CAMPAIGNS,
    access: 'operate',
    summary: 'Start a campaign: the content of a campaign file',
    body: campaignPlanSchema,
    status: 201,
    answer: campaignViewSchema,
  },
  { ...forCampaign, access: 'read', method: 'get', path: CAMPAIGN, summary: 'A campaign with its rounds and versions' },
  { ...forCampaign, method: 'post', path: `${CAMPAIGN}/pause`, summary: 'Plan no further round' },
  { ...forCampaign, method: 'post', path: `${CAMPAIGN}/resume`, summary: 'Go on after a pause' },
  { ...forCampaign, method: 'post', path: `${CAMPAIGN}/cancel`, summary: 'End a campaign for good; its versions stay' },
  {
    method: 'get',
    path: `${CAMPAIGN}/versions`,
    access: 'read',
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
    ...forVersion,
    access: 'operate',
    method: 'post',
    path: `${CAMPAIGN}/versions/{number}/pin`,
    summary: 'Keep a version under a name, whatever the rules of retention say',
    body: versionPinSchema,
    answer: versionViewSchema,
  },
  {
    ...forVersion,
    access: 'operate',
    method: 'post',
    path: `${CAMPAIGN}/versions/{number}/unpin`,
    summary: 'Leave a version to the rules of retention again',
    answer: versionViewSchema,
  },
  {
    method: 'get',
    path: UPDATES,
    access: 'read',
    summary: 'Delivered updates, newest first',
    query: { campaign: z.string().min(1), state: z.enum(UPDATE_STATES) },
    answer: z.array(updateViewSchema),
  },
  { ...forUpdate, access: 'read', method: 'get', path: `${UPDATES}/{participationId}`, summary: 'One delivered update' },
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
    access: 'read',
    summary: 'The audit log in order, up to 1,000 entries after the named one',
    query: { after: z.int().min(0).max(Number.MAX_SAFE_INTEGER) },
    answer: auditPageSchema,
  },
  {
    method: 'get',
    path: RETENTION,
    access: 'read',
    summary: 'The rules of retention; per campaign and kind what is held, what would go, what is gone',
    answer: retentionViewSchema,
  },
  {
    method: 'post',
    path: `${RETENTION}/apply`,
    access: 'administer',
    summary: 'Apply the rules of retention now, or see what that would drop',
    body: retentionOrderSchema,
    answer: retentionAnswerSchema,
  },
  {
    method: 'get',
    path: '/api/backup/records',
    access: 'administer',
    summary: 'All records of one moment, as lines of JSON',
    answer: { contentType: 'application/x-ndjson' },
  },
  {
    method: 'get',
    path: '/api/backup/blobs/{digest}',
    access: 'administer',
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
  {
    method: 'post',
    path: DATA_PATHS.lineTest,
    access: 'site',
    summary: `Bytes without meaning, at most ${MOST_LINE_TEST_BYTES}: counted and thrown away, so that a site can measure its line`,
    carries: WEIGHTS,
    answer: lineTestAnswerSchema,
  },
];
