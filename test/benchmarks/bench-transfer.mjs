/**
 * How fast weights travel: the built coordinator in one process, the site agent's own transfers in another, loopback, files on
 * disk, digests checked where the product checks them. Prints one JSON line.
 *
 * usage: npm run bench:transfer -- [--bytes 400MB] [--streams 1] [--digest blake3|sha256] [--repeats 3]
 *   [--uploads-at-once N] [--skip-downloads] [--bearer] [--tls]
 * Each stream is a site of its own; the figures are of all streams together, medians over the repeats, of processes that have made
 * one transfer before (`repeats` begins with that cold one, which does not count). Build first (npm run build).
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDigest, parseSizeBytes } from '../../shared/dist/kernel/index.js';
import { AskedProcess } from './asked-process.mjs';
import { machineFacts } from './machine-facts.mjs';
import { makeCertificate } from './own-certificate.mjs';
import { printResult } from './print-result.mjs';
import { median, round } from './statistics.mjs';
import { startCampaign } from './transfer-campaign.mjs';

const GB = 1e9;

function readOptions(args) {
  const text = (fallback) => ({ type: 'string', default: fallback });
  const options = { bytes: text('400MB'), streams: text('1'), digest: text('blake3'), repeats: text('3') };
  const { values } = parseArgs({
    args,
    options: {
      ...options,
      'uploads-at-once': { type: 'string' },
      'skip-downloads': { type: 'boolean' },
      bearer: { type: 'boolean' },
      tls: { type: 'boolean' },
    },
  });
  return {
    bytes: parseSizeBytes(values.bytes),
    streams: Number(values.streams),
    digest: values.digest,
    repeats: Number(values.repeats),
    skipDownloads: values['skip-downloads'] ?? false,
    bearer: values.bearer ?? false,
    tls: values.tls ?? false,
    settings: values['uploads-at-once'] === undefined ? {} : { uploadsAtOnce: Number(values['uploads-at-once']) },
  };
}

/** Random bytes, so that nothing on the way could make them fewer. */
async function makeUpdate(path, bytes, algorithm) {
  const block = randomBytes(1 << 20);
  const running = openDigest(algorithm);
  const file = await open(path, 'w');
  for (let left = bytes, index = 0; left > 0; left -= block.length, index++) {
    block.writeUInt32LE(index);
    const part = block.subarray(0, Math.min(left, block.length));
    running.update(part);
    await file.write(part);
  }
  await file.sync();
  await file.close();
  return running.finish();
}

async function measure(options) {
  const folder = await mkdtemp(join(tmpdir(), 'bench-transfer-'));
  try {
    const update = join(folder, 'update');
    const digest = await makeUpdate(update, options.bytes, options.digest);
    const home = join(folder, 'home');
    const parts = await prepare(home, options);
    const pair = await startPair(home, options.tls ? makeCertificate(folder) : undefined, options);
    try {
      const { base } = parts[0];
      const [idle, common] = [await pair.coordinator.ask('facts'), { coordinatorUrl: pair.coordinator.ready.url, parts }];
      const upload = { ask: 'upload', order: { ...common, path: update, digest }, bytes: options.bytes * parts.length };
      const download = { ask: 'download', order: { ...common, folder, ...base }, bytes: base.bytes * parts.length };
      const repeats = [];
      for (let repeat = 0; repeat <= options.repeats; repeat++) {
        const uploaded = await measureOnce(pair, upload);
        repeats.push({ upload: uploaded, download: options.skipDownloads ? undefined : await measureOnce(pair, download) });
      }
      return summary(options, idle.residentMiB, repeats, base);
    } finally {
      await pair.site.stop();
      await pair.coordinator.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** In a coordinator of its own, so that making the first version does not count in the memory of the measured one. */
async function prepare(home, { streams, bytes, digest, bearer }) {
  const coordinator = await AskedProcess.start('./transfer-coordinator.mjs', [home]);
  try {
    return await startCampaign(coordinator.ready, { sites: streams, bytes, digest, bearer });
  } finally {
    await coordinator.stop();
  }
}

async function startPair(home, certificate, { settings }) {
  const tls = certificate && { tlsCertificate: certificate.file, tlsKey: certificate.key };
  const coordinator = await AskedProcess.start('./transfer-coordinator.mjs', [home, JSON.stringify({ ...settings, ...tls })]);
  // The certificate is its own authority.
  const environment = certificate && { NODE_EXTRA_CA_CERTS: certificate.file };
  return { coordinator, site: await AskedProcess.start('./transfer-site.mjs', [], environment) };
}

async function measureOnce({ coordinator, site }, { ask, order, bytes }) {
  await coordinator.ask('forgetPeak');
  const before = await coordinator.ask('facts');
  const { value, seconds, processorSeconds } = await site.ask(ask, order);
  const after = await coordinator.ask('facts');
  const direction = ask === 'upload' ? 'read' : 'written';
  return {
    waits: (value ?? []).flatMap(({ waits }) => waits),
    gigabytesPerSecond: bytes / GB / seconds,
    wireBytesRatio: (after.wire[direction] - before.wire[direction]) / bytes,
    siteProcessorSecondsPerGB: processorSeconds / (bytes / GB),
    coordinatorProcessorSecondsPerGB: (after.processorSeconds - before.processorSeconds) / (bytes / GB),
    peakRssMiB: after.peakMiB,
  };
}

function summary({ bytes, streams, digest, tls }, idleRssMiB, [cold, ...repeats], base) {
  const middle = (name, field) =>
    repeats[0][name] === undefined ? null : round(median(repeats.map((repeat) => repeat[name][field])), 4);
  const processor = (name) => ({
    coordinator: middle(name, 'coordinatorProcessorSecondsPerGB'),
    site: middle(name, 'siteProcessorSecondsPerGB'),
  });
  return {
    bench: 'transfer',
    ...{ bytes, streams, digest, tls, downloadBytes: base.bytes, downloadDigest: base.digest.split(':')[0] },
    gigabytesPerSecond: middle('upload', 'gigabytesPerSecond'),
    downloadGigabytesPerSecond: middle('download', 'gigabytesPerSecond'),
    wireBytesRatio: middle('upload', 'wireBytesRatio'),
    downloadWireBytesRatio: middle('download', 'wireBytesRatio'),
    cpuSecondsPerGB: { upload: processor('upload'), download: processor('download') },
    receiverIdleRssMiB: round(idleRssMiB, 1),
    receiverPeakRssMiB: round(Math.max(...[cold, ...repeats].map(({ upload }) => upload.peakRssMiB)), 1),
    waits: repeats.flatMap(({ upload: { waits } }) => waits),
    repeats: [cold, ...repeats].map(({ upload, download }) => ({
      gigabytesPerSecond: round(upload.gigabytesPerSecond),
      downloadGigabytesPerSecond: round(download?.gigabytesPerSecond),
    })),
    machine: machineFacts(),
  };
}

await printResult(() => measure(readOptions(process.argv.slice(2))));
