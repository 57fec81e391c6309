/**
 * How long a trainer takes from its start to its first operation: everything that the trainer's program loads, then
 * TensorFlow with the self-test of its private kernels, then one operation. argv: the time of the start, Date.now().
 */
import { openTrainerRuntime } from '../../site-agent/dist/trainer/trainer-runtime.js';
import '../../site-agent/dist/trainer/orders.js';
import { peakRssMiB, send } from './line-channel.mjs';

const [, , startedAt, threads] = process.argv;
const loadedMs = Date.now() - Number(startedAt);
const limits = { threads: threads === undefined ? undefined : Number(threads) };
const runtime = openTrainerRuntime(limits, { announce: () => undefined });
runtime.runOne('Neg', [{ name: 'T', type: 4, value: 1 }], [runtime.scalar(1)]).free();
send({ seconds: (Date.now() - Number(startedAt)) / 1000, programSeconds: loadedMs / 1000, peakRssMiB: peakRssMiB() });
