/**
 * The coordinator of `bench:transfer`, in a process of its own: the built program on the given home folder. It answers the
 * messages of the process that started it; the figures are its own.
 */
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync, writeFileSync } from 'node:fs';
import { loadCoordinatorConfig } from '../../coordinator/dist/config/coordinator-config.js';
import { openCoordinator } from '../../coordinator/dist/main.js';
import { answerParent } from './answer-parent.mjs';

const sockets = new Map();
subscribe('http.server.request.start', ({ socket }) => {
  if (!sockets.has(socket)) sockets.set(socket, { read: socket.bytesRead, written: socket.bytesWritten });
});

/** HTTP bytes of all connections so far, in both directions, headers included. */
function wireBytes() {
  const counts = [...sockets.keys()].map(({ bytesRead, bytesWritten }) => [bytesRead, bytesWritten]);
  return { read: sum(counts.map(([read]) => read)), written: sum(counts.map(([, written]) => written)) };
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

function processorSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function statusMiB(field) {
  const text = readFileSync('/proc/self/status', 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN) / 1024;
}

/** From here on the peak counts anew; Linux only. */
function forgetPeak() {
  writeFileSync('/proc/self/clear_refs', '5');
}

const answers = {
  facts: () => ({
    wire: wireBytes(),
    processorSeconds: processorSeconds(),
    residentMiB: statusMiB('VmRSS'),
    peakMiB: statusMiB('VmHWM'),
  }),
  forgetPeak,
};

const [home, settings] = process.argv.slice(2);
const flags = { home, port: 0, logLevel: 'error', ...JSON.parse(settings ?? '{}') };
const running = await openCoordinator(loadCoordinatorConfig({ flags, environment: {} }).config);
process.on('disconnect', () => running.stop());
answerParent(answers, { url: running.url, operatorToken: running.operatorToken });
