/** The sites of `bench:transfer`, in a process of their own: the site agent's own transfers, several at once where asked. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadBlob } from '../../site-agent/dist/link/resumable-download.js';
import { uploadFile } from '../../site-agent/dist/link/resumable-upload.js';
import { answerParent } from './answer-parent.mjs';
import { benchIdentity } from './transfer-identity.mjs';

const answers = { upload: timed(upload), download: timed(download) };

/** One upload for each participation, all at once; answers with the upload identifiers. */
async function upload({ coordinatorUrl, path, digest, parts }) {
  return Promise.all(
    parts.map(async ({ secrets, participationId }) => {
      const identity = benchIdentity(coordinatorUrl, secrets);
      const told = { created: '', waits: [] };
      await uploadFile(
        {
          ...{ coordinatorUrl, identity, participationId, digest, path, uploadId: undefined },
          onCreated: (uploadId) => (told.created = uploadId),
        },
        { signal: new AbortController().signal, onWait: ({ code, message }) => told.waits.push(`${code}: ${message}`) },
      );
      return told;
    }),
  );
}

/** The same version once for each site, all at once, each to a file of its own. */
async function download({ coordinatorUrl, folder, digest, bytes, parts }) {
  await Promise.all(
    parts.map(async ({ secrets }, index) => {
      const identity = benchIdentity(coordinatorUrl, secrets);
      const path = join(folder, `version-${index}`);
      await downloadBlob({ coordinatorUrl, identity, digest, bytes, path }, { signal: new AbortController().signal });
    }),
  );
  await Promise.all(parts.map((_part, index) => rm(join(folder, `version-${index}`))));
}

function timed(work) {
  return async (order) => {
    const [cpuBefore, startedAt] = [process.cpuUsage(), performance.now()];
    const value = await work(order);
    const seconds = (performance.now() - startedAt) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    return { value, seconds, processorSeconds: (user + system) / 1e6 };
  };
}

answerParent(answers);
