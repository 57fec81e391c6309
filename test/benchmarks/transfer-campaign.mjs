/** A campaign on a real coordinator whose sites stand ready to deliver, for `bench:transfer`. */
import { setTimeout as pause } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { manifestOf } from '../../shared/dist/models/index.js';
import { elementCount } from '../../shared/dist/weights/index.js';
import { newSigningKey } from '../../shared/dist/identity/index.js';
import { PROTOCOL_VERSION, SITE_NAMESPACE } from '../../shared/dist/wire/index.js';
import { enrol } from '../../site-agent/dist/link/enrolment.js';
import { benchIdentity } from './transfer-identity.mjs';

const WIDEST = 64;

/** The narrowest network with at least this many bytes of 32-bit weights, or the widest there is (261 MB). */
function modelOfBytes(bytes) {
  for (let width = 1; ; width++) {
    const model = {
      architecture: 'genesis-unet3d',
      width,
      norm: 'instance',
      upsampling: 'transposed',
      inputChannels: 1,
      outputs: 1,
    };
    const parameters = manifestOf(model).tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
    if (4 * parameters >= bytes || width === WIDEST) return model;
  }
}

/** Enrols the sites, starts the campaign and waits until each site is asked to train. */
export async function startCampaign({ url, operatorToken }, { sites, bytes, digest, bearer }) {
  const ask = async (path, body) => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${operatorToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  };
  const shown = [];
  for (let index = 0; index < sites; index++) {
    const { token } = await ask('/api/sites', { name: `site-${String(index).padStart(3, '0')}` });
    const key = bearer ? undefined : newSigningKey();
    const { credential } = await enrol(url, token, '0.0.0', { key });
    shown.push(bearer ? { credential } : { pem: key.privateKey.export({ format: 'pem', type: 'pkcs8' }) });
  }
  const plan = {
    name: 'transfer',
    model: modelOfBytes(bytes),
    training: { steps: 1 },
    rounds: 1,
    quorum: sites,
    seed: 7,
    digest,
  };
  await ask('/api/campaigns', plan);
  return Promise.all(shown.map((secrets) => assignmentOf(url, secrets)));
}

async function assignmentOf(url, secrets) {
  const shown = await benchIdentity(url, secrets).handshake();
  const auth = { protocolVersion: PROTOCOL_VERSION, ...shown, agentVersion: '0.0.0' };
  const socket = io(`${url}${SITE_NAMESPACE}`, { auth, transports: ['websocket'], forceNew: true });
  try {
    for (;;) {
      const answer = await socket.timeout(60_000).emitWithAck('site:sync', {});
      const assignment = answer.ok ? answer.value.assignment : undefined;
      if (assignment?.kind === 'train') {
        return { secrets, participationId: assignment.participationId, base: assignment.plan.base };
      }
      await pause(50);
    }
  } finally {
    socket.close();
  }
}
