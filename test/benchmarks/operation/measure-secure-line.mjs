/**
 * What TLS and signed requests take of the upload rate: `bench:transfer` in the clear and with both, turn by turn; and beside each
 * pair what TLS takes of bare sockets, the least that any program of Node can pay.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseSizeBytes } from '../../../shared/dist/kernel/index.js';
import { AskedProcess } from '../asked-process.mjs';
import { makeCertificate } from '../own-certificate.mjs';
import { median, round } from '../statistics.mjs';

const PROGRAM = join(import.meta.dirname, '../bench-transfer.mjs');
const SOCKET = './operation/bare-socket.mjs';
const GB = 1e9;

export async function measureSecureLine({ bytes, repeats }) {
  const folder = await mkdtemp(join(tmpdir(), 'bench-line-'));
  try {
    const certificate = makeCertificate(folder);
    const turns = [];
    for (let repeat = 0; repeat < repeats; repeat++) {
      turns.push({
        plain: await upload(bytes, '--bearer'),
        secure: await upload(bytes, '--tls'),
        barePlain: await sendBare(bytes, undefined),
        bareSecure: await sendBare(bytes, certificate),
      });
    }
    return summary(bytes, turns);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function upload(bytes, flag) {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, '--bytes', bytes, '--skip-downloads', flag]);
  const { gigabytesPerSecond, cpuSecondsPerGB } = JSON.parse(stdout);
  return { rate: gigabytesPerSecond, processor: cpuSecondsPerGB.upload.coordinator + cpuSecondsPerGB.upload.site };
}

/** Once to warm both ends up, then three times. */
async function sendBare(size, certificate) {
  const bytes = parseSizeBytes(size);
  const [taker, sender] = [await AskedProcess.start(SOCKET), await AskedProcess.start(SOCKET)];
  try {
    const port = await taker.ask('listen', { certificate, bytes });
    const rates = [];
    let before = 0;
    for (let repeat = 0; repeat <= 3; repeat++) {
      const seconds = await sender.ask('send', { port, certificate, bytes });
      if (repeat === 0) before = await processorSeconds(taker, sender);
      else rates.push(bytes / GB / seconds);
    }
    const processor = ((await processorSeconds(taker, sender)) - before) / ((3 * bytes) / GB);
    return { rate: median(rates), processor };
  } finally {
    await sender.stop();
    await taker.stop();
  }
}

async function processorSeconds(...ends) {
  const seconds = await Promise.all(ends.map((end) => end.ask('processorSeconds')));
  return seconds[0] + seconds[1];
}

function summary(bytes, turns) {
  const middle = (kind, field) => round(median(turns.map((turn) => turn[kind][field])), 3);
  const shareLost = (plain, secure) => round(1 - median(turns.map((turn) => turn[secure].rate / turn[plain].rate)), 3);
  return {
    bytes,
    plainGigabytesPerSecond: middle('plain', 'rate'),
    secureGigabytesPerSecond: middle('secure', 'rate'),
    shareLost: shareLost('plain', 'secure'),
    ratios: turns.map(({ plain, secure }) => round(secure.rate / plain.rate, 3)),
    processorSecondsPerGB: { plain: middle('plain', 'processor'), secure: middle('secure', 'processor') },
    bareSockets: {
      plainGigabytesPerSecond: middle('barePlain', 'rate'),
      secureGigabytesPerSecond: middle('bareSecure', 'rate'),
      shareLost: shareLost('barePlain', 'bareSecure'),
      processorSecondsPerGB: { plain: middle('barePlain', 'processor'), secure: middle('bareSecure', 'processor') },
    },
  };
}
