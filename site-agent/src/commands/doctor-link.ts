import { FederationError } from '@consilium/shared/kernel';
import type { AgentConfig } from '../config/agent-config.js';
import { withoutSecrets } from '../config/proxy-setting.js';
import { readIdentity } from '../config/site-identity.js';
import { certificateRemedy, reasonInWords } from '../link/connect-error.js';
import { coordinatorAddress, errorOfResponse, reasonOf } from '../link/coordinator-address.js';
import { exchange } from '../link/http-exchange.js';
import { type OutgoingLine, outgoingLine, PLAIN_LINE } from '../link/outgoing-line.js';
import { probeWebSocket } from '../link/probe-websocket.js';
import { siteAccess } from '../link/site-access.js';
import { fetchCatalogue } from '../link/site-catalogue.js';
import type { Check } from '@consilium/shared/terminal';
import type { SiteCampaign } from '@consilium/shared/wire';
import type { CoordinatorAccess } from '../link/request-identity.js';
import { smaller } from '../policy/narrow-limits.js';
import { PolicyFile } from '../policy/policy-file.js';
import { bytesOf, type SitePolicy } from '../policy/site-policy.js';
import { within } from './doctor-bounds.js';
import { type ClockFacts, dateOf, judgeClock } from './doctor-clock.js';
import { checkCertificate, checkName, describeProxy } from './doctor-line.js';
import { checkUpload } from './doctor-upload.js';

const PATIENCE_MS = 5000;
/** Of the whole of a check: a request may open several connections. */
const LIMIT_MS = 12_000;
/** Measuring has limits of its own, and may ask for a credential before. */
const UPLOAD_LIMIT_MS = 30_000;

export interface LinkOptions {
  /** Send random bytes to measure how fast uploads are; as well when left out. */
  readonly measuresUpload?: boolean | undefined;
}

/** The way to the coordinator, step by step, each of bounded time: what fails first explains what follows. */
export async function checkLink(config: AgentConfig, { measuresUpload = true }: LinkOptions = {}): Promise<Check[]> {
  const coordinatorUrl = config.coordinatorUrl ?? readIdentity(config.folder)?.coordinatorUrl;
  let line: OutgoingLine;
  try {
    line = outgoingLine(config);
  } catch (thrown) {
    const { message, remedy, code } = FederationError.from(thrown);
    return [{ name: 'authority', status: 'failed', finding: message, remedy, code }];
  }
  if (coordinatorUrl === undefined) return [NOT_JOINED];
  const namesAuthority = config.authority !== undefined;
  const below = [
    ...(await within('DNS', LIMIT_MS, async () => [await checkName(coordinatorUrl, line)])),
    describeProxy(coordinatorUrl, line),
    ...(await within('TLS', LIMIT_MS, async (signal) => [
      await checkCertificate(coordinatorUrl, line, { namesAuthority, signal }),
    ])),
  ];
  const { check, clock } = await askCoordinator(coordinatorUrl, line);
  if (check.status !== 'ok') return [...below, check];
  const webSocket = await within('WebSocket', LIMIT_MS, async () => [await checkWebSocket(coordinatorUrl, line)]);
  const hasHours = config.hours !== undefined || rulesNow(config)?.hours !== undefined;
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const clocks = clock === undefined ? [] : [judgeClock({ ...clock, timeZone, hasHours })];
  return [...below, check, ...clocks, ...webSocket, ...(await checkWelcome(config, line, measuresUpload))];
}

const NOT_JOINED: Check = { name: 'coordinator', status: 'ok', finding: 'not joined yet' };

/** Whether anything answers at the coordinator's address; waits at most five seconds. Undefined: not joined yet. */
export async function checkCoordinator(coordinatorUrl: string | undefined, line: OutgoingLine = PLAIN_LINE): Promise<Check> {
  return coordinatorUrl === undefined ? NOT_JOINED : (await askCoordinator(coordinatorUrl, line)).check;
}

interface Asked {
  readonly check: Check;
  /** Undefined where nothing of the coordinator's was heard. */
  readonly clock?: Pick<ClockFacts, 'coordinatorMs' | 'askedAtMs' | 'answeredAtMs'>;
}

async function askCoordinator(coordinatorUrl: string, line: OutgoingLine): Promise<Asked> {
  const name = 'coordinator';
  try {
    const url = coordinatorAddress(coordinatorUrl, '/');
    const order = { method: 'GET', url, headers: {}, stallMs: PATIENCE_MS, signal: AbortSignal.timeout(PATIENCE_MS), line };
    // The first answer opens the line; only the second one tells the time closely.
    await exchange(order);
    const askedAtMs = Date.now();
    const { status, headers, body } = await exchange(order);
    const coordinatorMs = dateOf(headers.date);
    const clock = coordinatorMs === undefined ? {} : { clock: { coordinatorMs, askedAtMs, answeredAtMs: Date.now() } };
    const proxy = line.proxyTo(url);
    if (proxy !== undefined && !isCoordinators(body)) return { check: proxyCheck(withoutSecrets(proxy), status, body) };
    const way = proxy === undefined ? '' : `, through the proxy ${withoutSecrets(proxy)}`;
    return { check: { name, status: 'ok', finding: `${coordinatorUrl} answers${way}` }, ...clock };
  } catch (error) {
    const reason = reasonOf(error);
    const elsewhere = `Check the address and the network; a running agent keeps trying by itself (${reason}).`;
    const finding = `${coordinatorUrl} does not answer: ${reasonInWords(reason)}`;
    const remedy = certificateRemedy(reason) ?? elsewhere;
    return { check: { name, status: 'warning', finding, remedy, code: 'COORDINATOR_UNREACHABLE' } };
  }
}

/** A coordinator answers everything in JSON with a code or a status of its own; what else comes back is the proxy's. */
function isCoordinators(body: string): boolean {
  try {
    const answer: unknown = JSON.parse(body);
    return typeof answer === 'object' && answer !== null && ('code' in answer || 'status' in answer);
  } catch {
    return false;
  }
}

function proxyCheck(proxy: string, status: number, body: string): Check {
  const refused = errorOfResponse(status, body);
  const finding = `the proxy ${proxy} lets nothing through to the coordinator (HTTP ${status})`;
  const remedy =
    refused.code === 'PROXY_REFUSED'
      ? refused.remedy
      : 'Ask your IT department to let it pass: CONNECT to this address and port.';
  return { name: 'coordinator', status: 'failed', finding, remedy, code: 'PROXY_REFUSED' };
}

/** Without WebSockets an agent works by long polling. */
export async function checkWebSocket(coordinatorUrl: string, line: OutgoingLine = PLAIN_LINE): Promise<Check> {
  const name = 'WebSocket';
  const reason = await probeWebSocket(coordinatorUrl, line, PATIENCE_MS);
  if (reason === undefined) return { name, status: 'ok', finding: 'passes' };
  const remedy =
    'Something between this computer and the coordinator lets no WebSocket pass, often a proxy. Rounds go on by long polling, which ' +
    'takes more requests; have it pass "Upgrade: websocket" if you can.';
  return { name, status: 'warning', finding: `is blocked (${reason}): the agent uses long polling instead`, remedy };
}

/** Whether the coordinator still knows this site, and how fast its updates go; nothing to say of a folder that has not joined. */
async function checkWelcome(config: AgentConfig, line: OutgoingLine, measuresUpload: boolean): Promise<readonly Check[]> {
  let known: { readonly access: CoordinatorAccess; readonly campaigns: readonly SiteCampaign[] } | undefined;
  const membership = await within('membership', LIMIT_MS, async () => {
    const name = 'membership';
    try {
      const identity = readIdentity(config.folder);
      if (identity === undefined) return [];
      const access = siteAccess(config.folder, identity, { coordinatorUrl: config.coordinatorUrl, line });
      known = { access, campaigns: await fetchCatalogue(access, PATIENCE_MS) };
      const how = identity.credential === undefined ? 'signs with its own key' : 'shows a bearer credential';
      return [{ name, status: 'ok', finding: `the coordinator knows "${identity.siteName}", which ${how}` }];
    } catch (thrown) {
      const { message, remedy, code, kind } = FederationError.from(thrown);
      return [{ name, status: kind === 'access' || kind === 'input' ? 'failed' : 'warning', finding: message, remedy, code }];
    }
  });
  const rules = rulesNow(config);
  // A policy that cannot be read allows nothing, and may have held uploads back.
  if (!measuresUpload || known === undefined || rules === undefined) return membership;
  const { access, campaigns } = known;
  const most = smaller(config.uploadBytesPerSecond, bytesOf(rules.uploadLimit));
  return [...membership, ...(await within('upload', UPLOAD_LIMIT_MS, async () => [await checkUpload(access, campaigns, most)]))];
}

/** The policy as it is; undefined where it cannot be read, which the line on the policy says. */
function rulesNow({ policyFile, policyIsNamed }: AgentConfig): SitePolicy | undefined {
  const state = new PolicyFile(policyFile, policyIsNamed).read();
  if (state.kind === 'broken') return undefined;
  return state.kind === 'in-force' ? state.policy : {};
}
