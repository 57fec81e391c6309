/** Our side of the dicom-j2k row: reads the series in the folder named on the command line, once for each line. */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readDicomVolume } from '../../site-agent/dist/volumes/dicom/dicom-volume.js';
import { peakRssMiB, processorSeconds, receive, send } from './line-channel.mjs';

const folder = process.argv[2];

send({ engine: `Node ${process.versions.node}` });
for (let digest, line = receive(); line !== undefined; line = receive()) {
  const [startedProcessor, started] = [processorSeconds(), performance.now()];
  const files = readdirSync(folder).map((name) => join(folder, name));
  const { voxels } = await readDicomVolume({ kind: 'dicom', files, stack: 0, frame: 0 });
  const seconds = (performance.now() - started) / 1000;
  const used = processorSeconds() - startedProcessor;
  digest ??= createHash('sha256').update(new Uint8Array(voxels.buffer)).digest('hex');
  send({ seconds, processorSeconds: used, digest, peakRssMiB: peakRssMiB() });
}
