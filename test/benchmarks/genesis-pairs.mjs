/** Our side of the genesis-pair row: makes pairs as the feeding threads do, a number of them for each line. */
import { Random } from '../../shared/dist/kernel/index.js';
import { genesisTransformsSchema } from '../../shared/dist/wire/index.js';
import { makeGenesisPair } from '../../site-agent/dist/objectives/models-genesis.js';
import { clocked, peakRssMiB, send, serve } from './line-channel.mjs';

const SIZE = [64, 64, 32];
const transforms = genesisTransformsSchema.parse({});
const random = new Random('genesis-pair/patch');
const patch = Float32Array.from({ length: 64 * 64 * 32 }, () => random.uniform24());
const clock = clocked();
let made = 0;

function pairs(count) {
  const { value: _, ...times } = clock(() => {
    for (let pair = 0; pair < Number(count); pair++) {
      makeGenesisPair(patch, SIZE, transforms, new Random(`genesis-pair/${made++}`));
    }
  });
  return times;
}

send({ engine: `Node ${process.versions.node}` });
serve({ pairs, facts: () => ({ peakRssMiB: peakRssMiB() }) });
