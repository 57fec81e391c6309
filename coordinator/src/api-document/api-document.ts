/** The OpenAPI description of {@link ROUTES}; its schemas are those by which requests are checked. */
import { KIND_RULES } from '@consilium/shared/kernel';
import { DATA_PATHS } from '@consilium/shared/wire';
import { z } from 'zod';
import { COORDINATOR_VERSION } from '../config/coordinator-version.js';
import { type ApiRoute, type RouteAccess, ROUTES } from './routes.js';

type JsonObject = Record<string, unknown>;

const refusalSchema = z.object({
  code: z.string().describe('stable; each has a page in docs/errors'),
  message: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  remedy: z.string().optional(),
});

const DESCRIPTION = `Research software, not a medical device.

Operators send a token of their account, or that of the coordinator's folder (operator.token), as a bearer token. Each route says which
role an operator needs: read, operate or administer. Site agents sign each request with a key of their own (DPoP, RFC 9449); those that
joined before there were keys send a bearer credential. Uploads of updates speak tus 1.0.0 below ${DATA_PATHS.uploads}, events socket.io: docs/reference/protocol.md
describes both.`;

/** OpenAPI 3.1 lets a bearer scheme name the roles that it must have. */
function securityOf(access: RouteAccess): readonly JsonObject[] {
  if (access === 'anybody') return [];
  return access === 'site' ? [{ site: [] }] : [{ operator: [access] }];
}

/** As JSON, OpenAPI 3.1. */
export function describeApi(): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const route of ROUTES) paths[route.path] = { ...paths[route.path], [route.method]: describeRoute(route) };
  const bearer = (description: string): JsonObject => ({ type: 'http', scheme: 'bearer', description });
  return {
    openapi: '3.1.0',
    info: {
      title: 'Consilium coordinator',
      version: COORDINATOR_VERSION,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: { operator: bearer("an operator's token"), site: bearer("a site's credential") },
      schemas: { Refusal: schemaOf(refusalSchema, 'output') },
      responses: {
        Refusal: {
          description: 'Refused; the code tells why.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } },
        },
      },
    },
  };
}

function describeRoute({
  method,
  path,
  access,
  summary,
  parameters = {},
  query = {},
  body,
  carries,
  status = 200,
  answer,
}: ApiRoute): JsonObject {
  const content =
    'contentType' in answer
      ? { [answer.contentType]: { schema: {} } }
      : { 'application/json': { schema: schemaOf(answer, 'output') } };
  return {
    operationId: `${method} ${path}`,
    summary,
    security: securityOf(access),
    parameters: [
      ...Object.entries(parameters).map(([name, schema]) => describeParameter(name, 'path', schema)),
      ...Object.entries(query).map(([name, schema]) => describeParameter(name, 'query', schema)),
    ],
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    ...(carries && { requestBody: { required: true, content: { [carries.contentType]: { schema: BYTES } } } }),
    responses: { [status]: { description: 'Done.', content }, ...REFUSALS },
  };
}

/** Any bytes. */
const BYTES = { type: 'string', format: 'binary' };

/** One description for every way to be refused. */
const REFUSALS = Object.fromEntries(
  [...new Set([400, 401, 404, 410, 413, 429, ...Object.values(KIND_RULES).map(({ httpStatus }) => httpStatus)])]
    .filter((status) => status !== 500)
    .sort((a, b) => a - b)
    .map((status) => [status, { $ref: '#/components/responses/Refusal' }]),
);

function describeParameter(name: string, place: 'path' | 'query', schema: z.ZodType): JsonObject {
  return { name, in: place, required: place === 'path', schema: schemaOf(schema, 'input') };
}

/** What a schema cannot say in JSON Schema (checks that join several fields) is left out: such requests are refused with the reason. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const described = z.toJSONSchema(schema, { io, unrepresentable: 'any', target: 'draft-2020-12' });
  // The document as a whole says which kind of schema it holds.
  return { ...described, $schema: undefined };
}
