import { z } from 'zod';
import { FederationError } from '@consilium/shared/kernel';
import {
  DATA_PATHS,
  type ModelPassport,
  parseWith,
  type SiteCampaign,
  siteCampaignSchema,
  verifyPassport,
} from '@consilium/shared/wire';
import { coordinatorAddress, errorOfResponse, reasonOf } from './coordinator-address.js';
import { exchange } from './http-exchange.js';
import { type CoordinatorAccess, sendAs } from './request-identity.js';

/** An answer of this length is that of no coordinator. */
const LONGEST_ANSWER_BYTES = 64 << 20;

/**
 * The campaigns that this site takes part in, with their versions. Throws COORDINATOR_UNREACHABLE, also for a coordinator that is
 * too old to be asked.
 */
export async function fetchCatalogue(access: CoordinatorAccess, stallMs = 20_000): Promise<SiteCampaign[]> {
  const answer = await ask(access, DATA_PATHS.campaigns, stallMs);
  return parseWith(z.array(siteCampaignSchema), answer, 'MESSAGE_REFUSED', 'the coordinator’s list of versions');
}

/** The passport of a version, checked against itself; signed where the coordinator signs. */
export async function fetchPassport(access: CoordinatorAccess, campaignId: string, number: number): Promise<ModelPassport> {
  const path = `${DATA_PATHS.campaigns}/${encodeURIComponent(campaignId)}/versions/${number}/passport?signed=yes`;
  return verifyPassport(await ask(access, path, 60_000));
}

async function ask({ coordinatorUrl, identity, line }: CoordinatorAccess, path: string, stallMs: number): Promise<unknown> {
  const asked = { method: 'GET', url: coordinatorAddress(coordinatorUrl, path) };
  const { status, body } = await sendAs(identity, asked, (headers) =>
    exchange({ ...asked, headers, stallMs, signal: AbortSignal.timeout(10 * stallMs), line }),
  ).catch((cause: unknown) => {
    if (cause instanceof FederationError) throw cause;
    throw new FederationError('COORDINATOR_UNREACHABLE', `the coordinator does not answer (${reasonOf(cause)})`, {
      cause,
      remedy: 'Check that it runs and that this computer may reach it.',
    });
  });
  if (status === 404 && path === DATA_PATHS.campaigns) {
    throw new FederationError('COORDINATOR_UNREACHABLE', 'the coordinator is too old to list versions', {
      retryable: false,
      remedy: 'Its operator can upgrade it; versions of your rounds are fetched by the agent all the same.',
    });
  }
  if (status !== 200) throw errorOfResponse(status, body);
  if (body.length > LONGEST_ANSWER_BYTES) throw new FederationError('MESSAGE_REFUSED', 'the coordinator’s answer is too long');
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new FederationError('COORDINATOR_UNREACHABLE', 'something else than a coordinator answers', { cause });
  }
}
