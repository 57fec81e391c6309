import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FederationError } from '@consilium/shared/kernel';
import {
  type ArchiveHabits,
  beginParts,
  type Interference,
  MadeArchive,
  type MadeSeries,
  sendPart,
  sendParts,
} from '../../../../test/fixtures/made-archive.js';
import { makeArchived } from '../../../../test/fixtures/make-archived.js';
import { SiteHashes } from '../site-hashes.js';
import { ArchiveLink } from './archive-link.js';
import type { AttemptPlan } from './few-attempts.js';
import { pullArchive, type PullOptions, type PullSummary } from './pull-archive.js';
import { pullSeries } from './pull-series.js';
import { PulledFolder } from './pulled-folder.js';
import { removePulledOf } from './remove-pulled.js';
import { searchSeries } from './search-series.js';
import type { ArchivedSeries, SeriesFilter } from './series-filter.js';

const QUICK: AttemptPlan = { attempts: 3, backoff: { firstMs: 5, capMs: 20, floorMs: 1 } };
const ALL: SeriesFilter = { modalities: [], bodyParts: [], from: undefined, to: undefined };

let home: string;
let hashes: SiteHashes;
let folder: PulledFolder;
let archive: MadeArchive | undefined;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'pull-'));
  hashes = SiteHashes.open(join(home, 'salt'));
  folder = new PulledFolder(join(home, 'pulled'));
});
afterEach(async () => {
  await archive?.close();
  archive = undefined;
  await rm(home, { recursive: true });
});

async function open(series: readonly MadeSeries[], habits: ArchiveHabits = {}): Promise<MadeArchive> {
  archive = await MadeArchive.open(series, habits);
  return archive;
}

async function pull(from: MadeArchive, options: Partial<PullOptions> = {}, filter = ALL): Promise<PullSummary> {
  const link = new ArchiveLink({ url: from.url, authorization: from.habits.authorization, attempts: QUICK, stallMs: 400 });
  const { wanted } = await searchSeries(link, filter);
  const isOptedOut = (): boolean => false;
  return pullArchive(wanted, { link, folder, hashes, isOptedOut, attempts: QUICK, reservedBytes: 0, ...options });
}

async function instancesHere({ series }: MadeSeries): Promise<number> {
  return (await folder.files(hashes.series(series))).length;
}

/** Interferes with retrievals of whole series only, so many times. */
function wholeSeries(times: number, act: (response: Parameters<Interference>[1]) => void): Interference {
  return (path, response) => {
    if (!/\/series\/[\d.]+$/.test(path) || times-- <= 0) return false;
    act(response);
    return true;
  };
}

describe('pullArchive', () => {
  const habits: readonly ArchiveHabits[] = [
    {},
    { singleInstancesOnly: true },
    { knowsNoTransferSyntax: true },
    { singleInstancesOnly: true, sendsSinglePart: true },
    { authorization: 'Bearer ey.token' },
    { pageSize: 4 },
  ];

  it.each(habits)('brings everything, once, from an archive with the habits %j', async (habit) => {
    const series = [makeArchived(1), makeArchived(2, { slices: 1 }), makeArchived(3)];
    const made = await open(series, habit);
    await expect(pull(made)).resolves.toMatchObject({ pulled: 3, alreadyHere: 0, instances: 19, damaged: 0, failures: [] });
    expect(await Promise.all(series.map(instancesHere))).toEqual([9, 1, 9]);
    const before = made.requests.length;
    await expect(pull(made)).resolves.toMatchObject({ pulled: 0, alreadyHere: 3, instances: 0, bytes: 0 });
    expect(made.requests.slice(before).every((path) => path === '/series')).toBe(true);
  });

  it('keeps files for their owner only, under names that tell nothing', async () => {
    const series = makeArchived(1, { patient: 'MUSTER^ANNA' });
    await pull(await open([series]));
    const root = join(home, 'pulled');
    const names = await readdir(root, { recursive: true });
    expect(names.filter((name) => !/^[0-9a-f]{32}(\/([0-9a-f]{32}\.dcm|\.pulled\.json))?$/.test(name))).toEqual([]);
    expect(names).toHaveLength(1 + 9 + 1);
    for (const name of ['', ...names]) {
      const facts = await stat(join(root, name));
      expect(facts.mode & 0o777).toBe(facts.isDirectory() ? 0o700 : 0o600);
    }
  });

  it('stops after so many new series, and goes on with the others', async () => {
    const series = [1, 2, 3, 4, 5].map((number) => makeArchived(number, { slices: 3 }));
    const made = await open(series);
    await expect(pull(made, { most: 2 })).resolves.toMatchObject({ pulled: 2, left: 3 });
    await expect(pull(made, { most: 2 })).resolves.toMatchObject({ pulled: 2 });
    await expect(pull(made, { most: 2 })).resolves.toMatchObject({ pulled: 1, left: 0 });
  });

  it('goes on with what is missing after a cut, and does not ask again for what came', async () => {
    const series = makeArchived(1);
    const files = [...series.instances.values()];
    const made = await open([series]);
    made.interference = wholeSeries(1, (response) => {
      beginParts(response);
      for (const file of files.slice(0, 5)) sendPart(response, file);
      sendPart(response, (files[5] as Buffer).subarray(0, 200));
      setTimeout(() => response.destroy(), 50);
    });
    await expect(pull(made)).resolves.toMatchObject({ pulled: 1, instances: 9, failures: [] });
    expect(made.retrievals()).toEqual({ whole: 1, single: 4 });
    expect(await instancesHere(series)).toBe(9);
  });

  it('lists a series that fails, without its identifiers, and pulls the others', async () => {
    const series = [makeArchived(1), makeArchived(2), makeArchived(3)];
    const made = await open(series);
    made.interference = (path, response) => {
      if (!path.includes('/series/1.2.2.1')) return false;
      response.writeHead(500).end();
      return true;
    };
    const summary = await pull(made);
    expect(summary).toMatchObject({ pulled: 2 });
    expect(summary.failures).toMatchObject([
      { series: hashes.series('1.2.2.1').slice(0, 8), error: { code: 'TRANSFER_BROKEN' } },
    ]);
    expect(summary.failures[0]?.error.message).toBe('the archive answers with HTTP status 500');
  });

  it('does not let series that fail use up the limit, or end the others by silence', async () => {
    const made = await open([makeArchived(1), makeArchived(2), makeArchived(3), makeArchived(4)]);
    made.interference = (path, response) => {
      if (!/series\/1\.2\.[12]\.1/.test(path)) return false;
      response.destroy();
      return true;
    };
    const summary = await pull(made, { most: 1 });
    expect(summary).toMatchObject({ pulled: 1, failures: [{ error: { code: 'TRANSFER_BROKEN' } }, {}] });
  });

  it('asks no more for a series of which the archive counts more than it lists', async () => {
    const series = makeArchived(1);
    const made = await open([series]);
    const { instances } = series;
    made.interference = (path, response) => {
      if (path === '/series') {
        const texts = { '0020000D': series.examination, '0020000E': series.series, '00201209': instances.size + 2 };
        const object = Object.fromEntries(Object.entries(texts).map(([tag, value]) => [tag, { vr: 'UI', Value: [value] }]));
        response.end(JSON.stringify([object]));
      }
      return path === '/series';
    };
    await expect(pull(made)).resolves.toMatchObject({ pulled: 1 });
    const before = made.requests.length;
    await expect(pull(made)).resolves.toMatchObject({ alreadyHere: 1 });
    expect(made.requests.slice(before).every((path) => path === '/series')).toBe(true);
  });

  it('waits as long as a busy archive asks for', async () => {
    const made = await open([makeArchived(1)]);
    made.interference = wholeSeries(1, (response) => response.writeHead(503, { 'retry-after': '1' }).end());
    const startedMs = performance.now();
    await expect(pull(made)).resolves.toMatchObject({ pulled: 1 });
    expect(performance.now() - startedMs).toBeGreaterThan(900);
  });

  it('cuts a connection on which nothing moves', async () => {
    const series = makeArchived(1, { slices: 2 });
    const made = await open([series]);
    made.interference = wholeSeries(1, (response) => {
      beginParts(response);
      for (const file of series.instances.values()) sendPart(response, file);
    });
    await expect(pull(made)).resolves.toMatchObject({ pulled: 1, instances: 2 });
    expect(made.retrievals()).toEqual({ whole: 1, single: 1 });
  });

  it('ends when the archive answers no more, or takes the credentials no longer', async () => {
    const series = [makeArchived(1), makeArchived(2), makeArchived(3)];
    const made = await open(series, { authorization: 'Basic x' });
    made.interference = (path, response) => {
      if (path === '/series') return false;
      response.writeHead(401).end();
      return true;
    };
    await expect(pull(made)).rejects.toMatchObject({ code: 'ARCHIVE_REFUSED' });
    const link = new ArchiveLink({ url: 'http://127.0.0.1:9/rs', attempts: QUICK });
    await expect(searchSeries(link, ALL)).rejects.toMatchObject({ code: 'ARCHIVE_UNREACHABLE' });
  });
});

describe('pullArchive, from an archive that sends nonsense', () => {
  it('passes over damaged instances, says how many, and does not ask for them for ever', async () => {
    const series = makeArchived(1);
    const instances = new Map([...series.instances].map(([uid, file], n) => [uid, n === 3 ? Buffer.from('nothing') : file]));
    const made = await open([{ ...series, instances }]);
    await expect(pull(made)).resolves.toMatchObject({ pulled: 1, instances: 8, damaged: 1, failures: [] });
    const before = made.requests.length;
    await expect(pull(made)).resolves.toMatchObject({ alreadyHere: 1 });
    expect(made.requests.length - before).toBeLessThanOrEqual(2);
  });

  it('keeps nothing of another series', async () => {
    const [one, other] = [makeArchived(1), makeArchived(2)];
    const made = await open([one]);
    made.interference = wholeSeries(1, (response) => sendParts(response, [...other.instances.values()]));
    await expect(pull(made)).resolves.toMatchObject({ pulled: 1, instances: 9 });
    expect(await folder.list()).toEqual([hashes.series(one.series)]);
    expect(await instancesHere(one)).toBe(9);
  });

  it('does not listen to an archive that sends for ever', async () => {
    const series = makeArchived(1);
    const [file = Buffer.alloc(0)] = series.instances.values();
    const made = await open([series]);
    made.interference = (path, response) => {
      if (!/\/series\/[\d.]+(\/instances\/[\d.]+)?$/.test(path)) return false;
      beginParts(response);
      const send = (): void => {
        if (response.destroyed) return;
        for (let n = 0; n < 10; n++) sendPart(response, file);
        setImmediate(send);
      };
      send();
      return true;
    };
    const { pulled, failures } = await pull(made);
    expect({ pulled, codes: failures.map(({ error }) => error.code) }).toEqual({ pulled: 0, codes: ['ARCHIVE_ANSWER_INVALID'] });
    expect(await instancesHere(series)).toBe(1);
  });

  it('ends an instance without end', async () => {
    const made = await open([makeArchived(1)]);
    made.interference = (path, response) => {
      if (!/\/series\/[\d.]+(\/instances\/[\d.]+)?$/.test(path)) return false;
      beginParts(response);
      const send = (): void => {
        if (response.destroyed) return;
        sendPart(response, Buffer.alloc(0));
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) continue;
        response.once('drain', () => response.write(Buffer.alloc(65_536)));
      };
      send();
      return true;
    };
    const summary = await pull(made, { mostInstanceBytes: 1 << 16, attempts: { ...QUICK, attempts: 1 } });
    expect(summary).toMatchObject({ pulled: 0, failures: [{ error: { code: 'ARCHIVE_ANSWER_INVALID' } }] });
    const [series = ''] = await folder.list();
    expect((await readdir(folder.pathOf(series))).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it.each(['text/html', 'multipart/related', ''])('refuses an answer of the kind "%s"', async (kind) => {
    const made = await open([makeArchived(1)]);
    made.interference = (path, response) => {
      if (!/\/series\/[\d.]+(\/instances\/[\d.]+)?$/.test(path)) return false;
      response.writeHead(200, kind === '' ? {} : { 'content-type': kind }).end('hello');
      return true;
    };
    await expect(pull(made)).resolves.toMatchObject({ pulled: 0, failures: [{ error: { code: 'ARCHIVE_ANSWER_INVALID' } }] });
  });

  it('follows redirects on the same host only, and takes credentials nowhere', async () => {
    const [good, evil] = [
      await open([makeArchived(1)], { authorization: 'Bearer t' }),
      await MadeArchive.open([makeArchived(1)]),
    ];
    const seen: (string | undefined)[] = [];
    evil.interference = (_path, _response, request) => void seen.push(request.headers.authorization) === undefined && false;
    good.interference = (path, response, request) => {
      if (path !== '/series' || request.url?.includes('moved') === true) return false;
      response.writeHead(307, { location: `${request.url}&moved=1` }).end();
      return true;
    };
    await expect(pull(good)).resolves.toMatchObject({ pulled: 1 });
    good.interference = (path, response) => {
      if (path === '/series') response.writeHead(302, { location: `${evil.url}${path}` }).end();
      return path === '/series';
    };
    await expect(pull(good)).rejects.toMatchObject({
      code: 'ARCHIVE_ANSWER_INVALID',
      message: expect.stringMatching(/another host/) as string,
    });
    expect(seen).toEqual([]);
    await evil.close();
  });
});

describe('what was pulled', () => {
  it('is completed when files were lost, damaged, or the archive has got more', async () => {
    const series = makeArchived(1);
    const name = hashes.series(series.series);
    await pull(await open([{ ...series, instances: new Map([...series.instances].slice(0, 7)) }]));
    await archive?.close();
    const made = await open([series]);
    await expect(pull(made)).resolves.toMatchObject({ pulled: 1, instances: 2 });
    const [first, second] = await folder.files(name);
    await rm(first?.path ?? '');
    await truncate(second?.path ?? '', 0); // as a power cut leaves it
    await expect(pull(made)).resolves.toMatchObject({ pulled: 1, instances: 2 });
    expect(await instancesHere(series)).toBe(9);
    await writeFile(join(folder.pathOf(name), '.pulled.json'), '{');
    await expect(pull(made)).resolves.toMatchObject({ alreadyHere: 1, instances: 0 });
  });

  it('is not pulled for patients who opted out, whether the archive names them or only the files do', async () => {
    const [one, two] = [makeArchived(1, { patient: 'A' }), makeArchived(2, { patient: 'B' })];
    const isOptedOut = (patient: string): boolean => patient === hashes.patient('A');
    const made = await open([one, two]);
    await expect(pull(made, { isOptedOut })).resolves.toMatchObject({ pulled: 1, optedOut: 1 });
    expect(made.requests.some((path) => path.includes('/series/1.2.1.1'))).toBe(false);
    await made.close();
    await expect(pull(await open([one, two], { statesNothing: true }), { isOptedOut })).resolves.toMatchObject({
      alreadyHere: 1,
      optedOut: 1,
    });
    expect(await folder.list()).toEqual([hashes.series(two.series)]);
  });

  it('goes with a patient who is forgotten, whole or half pulled', async () => {
    const series = [makeArchived(1, { patient: 'A' }), makeArchived(2, { patient: 'B' }), makeArchived(3, { patient: 'A' })];
    await pull(await open(series));
    const half = hashes.series('1.2.3.1');
    await rm(join(folder.pathOf(half), '.pulled.json'));
    await expect(removePulledOf(hashes.patient('A'), folder.root, hashes)).resolves.toBe(2);
    expect(await folder.list()).toEqual([hashes.series('1.2.2.1')]);
    const abandoned = join(folder.pathOf(hashes.series('1.2.2.1')), `.arriving.${2 ** 30}.p_1.partial`);
    await writeFile(abandoned, 'half a file');
    await expect(removePulledOf(hashes.patient('C'), folder.root, hashes)).resolves.toBe(0);
    await expect(stat(abandoned)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(removePulledOf(hashes.patient('A'), join(home, 'nothing'), hashes)).resolves.toBe(0);
  });

  it('waits on a full disk, saying so, and ends without somebody to wait', async () => {
    const made = await open([makeArchived(1)]);
    await expect(pull(made, { reservedBytes: 2 ** 60 })).rejects.toMatchObject({ code: 'DISK_FULL' });
    const said: string[] = [];
    const waitForSpace = async ({ code }: FederationError): Promise<void> => {
      said.push(code);
      context.reservedBytes = 0;
    };
    const link = new ArchiveLink({ url: made.url, attempts: QUICK });
    const attempts = { ...QUICK, waitForSpace };
    const context = { link, folder, hashes, isOptedOut: () => false, attempts, reservedBytes: 2 ** 60 };
    const { wanted } = await searchSeries(link, ALL);
    await expect(pullSeries(wanted[0] as ArchivedSeries, context)).resolves.toMatchObject({ is: 'pulled', instances: 9 });
    expect(said).toEqual(['DISK_FULL']);
  });
});
