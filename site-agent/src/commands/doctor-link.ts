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

const PATIENCE_MS = 5000;

/** The way to the coordinator, step by step: whether it answers, whether WebSockets pass, and whether it lets this site in. */
export async function checkLink(config: AgentConfig): Promise<Check[]> {
  const coordinatorUrl = config.coordinatorUrl ?? readIdentity(config.folder)?.coordinatorUrl;
  let line: OutgoingLine;
  try {
    line = outgoingLine(config);
  } catch (thrown) {
    const { message, remedy, code } = FederationError.from(thrown);
    return [{ name: 'authority', status: 'failed', finding: message, remedy, code }];
  }
  const coordinator = await checkCoordinator(coordinatorUrl, line);
  if (coordinatorUrl === undefined || coordinator.status !== 'ok') return [coordinator];
  return [coordinator, await checkWebSocket(coordinatorUrl, line), ...(await checkWelcome(config, line))];
}

/** Whether anything answers at the coordinator's address; waits at most five seconds. Undefined: not joined yet. */
export async function checkCoordinator(coordinatorUrl: string | undefined, line: OutgoingLine = PLAIN_LINE): Promise<Check> {
  const name = 'coordinator';
  if (coordinatorUrl === undefined) return { name, status: 'ok', finding: 'not joined yet' };
  try {
    const url = coordinatorAddress(coordinatorUrl, '/');
    const order = { method: 'GET', url, headers: {}, stallMs: PATIENCE_MS, signal: AbortSignal.timeout(PATIENCE_MS), line };
    const { status, body } = await exchange(order);
    const proxy = line.proxyTo(url);
    if (proxy !== undefined && !isCoordinators(body)) return proxyCheck(withoutSecrets(proxy), status, body);
    const way = proxy === undefined ? '' : `, through the proxy ${withoutSecrets(proxy)}`;
    return { name, status: 'ok', finding: `${coordinatorUrl} answers${way}` };
  } catch (error) {
    const reason = reasonOf(error);
    const elsewhere = `Check the address and the network; a running agent keeps trying by itself (${reason}).`;
    const finding = `${coordinatorUrl} does not answer: ${reasonInWords(reason)}`;
    return { name, status: 'warning', finding, remedy: certificateRemedy(reason) ?? elsewhere, code: 'COORDINATOR_UNREACHABLE' };
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

/** Whether the coordinator still knows this site; nothing to say of a folder that has not joined. */
async function checkWelcome(config: AgentConfig, line: OutgoingLine): Promise<Check[]> {
  const name = 'membership';
  try {
    const identity = readIdentity(config.folder);
    if (identity === undefined) return [];
    const access = siteAccess(config.folder, identity, { coordinatorUrl: config.coordinatorUrl, line });
    await fetchCatalogue(access, PATIENCE_MS);
    const how = identity.credential === undefined ? 'signs with its own key' : 'shows a bearer credential';
    return [{ name, status: 'ok', finding: `the coordinator knows "${identity.siteName}", which ${how}` }];
  } catch (thrown) {
    const { message, remedy, code, kind } = FederationError.from(thrown);
    return [{ name, status: kind === 'access' || kind === 'input' ? 'failed' : 'warning', finding: message, remedy, code }];
  }
}
