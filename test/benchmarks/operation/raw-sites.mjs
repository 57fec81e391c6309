/** Sites that speak the wire by hand, in a process of their own; they answer the messages of the process that started it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { DATA_PATHS, PROTOCOL_VERSION, SITE_NAMESPACE } from '../../../shared/dist/wire/index.js';
import { answerParent } from '../answer-parent.mjs';

const sites = [];

async function connect({ url, token, names }) {
  for (const name of names) {
    const invitation = await post(`${url}/api/sites`, { name }, token);
    const { credential } = await post(`${url}${DATA_PATHS.enrolment}`, {
      protocolVersion: PROTOCOL_VERSION,
      token: invitation.token,
      agentVersion: '0.0.0',
    });
    const auth = { protocolVersion: PROTOCOL_VERSION, credential, agentVersion: '0.0.0' };
    const socket = io(`${url}${SITE_NAMESPACE}`, { auth, transports: ['websocket'], forceNew: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
    sites.push({ socket });
  }
  return null;
}

async function post(url, body, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(answer));
  return answer;
}

/** Until each site is asked to train. */
async function awaitParts() {
  for (const site of sites) {
    while (site.participationId === undefined) {
      const { assignment } = await ask(site, 'site:sync', {});
      if (assignment?.kind === 'train') site.participationId = assignment.participationId;
      else await sleep(50);
    }
  }
  return null;
}

/** Every so many milliseconds, or as soon as the report before is answered; returns how many reports there were. */
async function talk({ everyMs, forMs }) {
  const endMs = performance.now() + forMs;
  const counts = sites.map(async (site, index) => {
    await sleep((everyMs * index) / sites.length); // as agents: not all at the same moment
    let step = 0;
    for (; performance.now() < endMs; step++) {
      const { participationId } = site;
      const said = ask(site, 'participation:progress', {
        participationId,
        phase: 'training',
        step,
        steps: 1e6,
        loss: 0.1,
        share: 0.1,
      });
      await (everyMs === 0 ? said : Promise.all([said, sleep(everyMs)]));
    }
    return step;
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

async function listen({ forMs }) {
  const latenciesMs = [];
  for (const endMs = performance.now() + forMs; performance.now() < endMs; await sleep(10)) {
    const askedMs = performance.now();
    await ask(sites[0], 'site:sync', {});
    latenciesMs.push(performance.now() - askedMs);
  }
  return latenciesMs;
}

async function ask({ socket }, event, message) {
  const answer = await socket.timeout(60_000).emitWithAck(event, message);
  if (!answer.ok) throw new Error(`${event}: ${answer.error.code}`);
  return answer.value;
}

const answers = { connect, awaitParts, talk, listen };

process.on('disconnect', () => process.exit());
answerParent(answers);
