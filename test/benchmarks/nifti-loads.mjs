/** Our side of the nifti-load row: loads the file named on the command line, once for each line. */
import { createHash } from 'node:crypto';
import { readNiftiVolume } from '../../site-agent/dist/volumes/nifti/nifti-volume.js';
import { peakRssMiB, processorSeconds, receive, send } from './line-channel.mjs';

const path = process.argv[2];

send({ engine: `Node ${process.versions.node}` });
for (let digest, line = receive(); line !== undefined; line = receive()) {
  const [startedProcessor, started] = [processorSeconds(), performance.now()];
  const { voxels } = await readNiftiVolume(path);
  const seconds = (performance.now() - started) / 1000;
  const used = processorSeconds() - startedProcessor;
  digest ??= createHash('sha256').update(new Uint8Array(voxels.buffer)).digest('hex');
  send({ seconds, processorSeconds: used, digest, peakRssMiB: peakRssMiB() });
}
