import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes, FederationError } from '@consilium/shared/kernel';
import type { BlobStore } from '../../coordinator/src/blobs/blob-store.js';
import { loadCoordinatorConfig } from '../../coordinator/src/config/coordinator-config.js';
import { openCoordinator } from '../../coordinator/src/main.js';
import { MODEL, enrolSites, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, constantUpdate, enrolWith, idOf, offerOf, type RawSite } from '../fixtures/raw-site.js';

describe('the coordinator, told wrong things over its wire', () => {
  let coordinator: TestCoordinator;
  const sites: RawSite[] = [];

  const enrol = async (...names: string[]): Promise<RawSite[]> => {
    const enrolled = await enrolSites(coordinator, ...names);
    sites.push(...enrolled);
    return enrolled;
  };

  beforeEach(async () => {
    coordinator = await TestCoordinator.open();
  });

  afterEach(async () => {
    for (const site of sites.splice(0)) site.disconnect();
    await coordinator.remove();
  });

  it('refuses campaigns that name what does not exist, and strangers everywhere', async () => {
    await enrol('site-a');
    await expect(askOperator(coordinator, 'POST', '/api/campaigns', plan('x', { sites: ['nobody'], quorum: 1 }))).rejects.toThrow(
      'not enrolled: nobody',
    );
    await expect(askOperator(coordinator, 'POST', '/api/campaigns', plan('x', { quorum: 2 }))).rejects.toThrow('quorum');
    await expect(askOperator(coordinator, 'POST', '/api/campaigns', { name: 'x', training: {} })).rejects.toThrow(
      'training.steps',
    );
    const wrong = { url: coordinator.url, operatorToken: 'wrong' };
    await expect(askOperator(wrong, 'GET', '/api/sites')).rejects.toThrow('OPERATOR_REFUSED');
    expect((await fetch(`${coordinator.url}/api/health`)).status).toBe(200);
    expect(await (await enrolWith(coordinator, 'enrol_unknown')).json()).toMatchObject({ code: 'TOKEN_REFUSED' });
    const { token } = (await askOperator(coordinator, 'POST', '/api/sites', { name: 'site-b' })) as { token: string };
    expect((await enrolWith(coordinator, token, 99)).status).toBe(426);
    expect((await enrolWith(coordinator, token)).status).toBe(200);
    expect(await (await enrolWith(coordinator, token)).json()).toMatchObject({ code: 'TOKEN_REFUSED' });
    await expect(askOperator(coordinator, 'POST', '/api/sites', { name: 'site-b' })).rejects.toThrow('NAME_TAKEN');
  });

  it('refuses messages and uploads that are not what the protocol says', async () => {
    const [a, b] = await enrol('site-a', 'site-b');
    if (a === undefined || b === undefined) throw new Error('two sites');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs'));
    const { participationId, plan: round } = await a.trainAssignment(1);
    for (const message of [undefined, null, 7, { participationId: 3 }, { participationId, patient: 'x' }]) {
      expect(await a.ask('participation:accept', message)).toMatchObject({ ok: false, error: { code: 'MESSAGE_REFUSED' } });
    }
    const foreign = await b.createUpload(participationId, round.base.digest, 100);
    expect([foreign.status, await foreign.json()]).toMatchObject([404, { code: 'NOT_FOUND' }]);
    const huge = await a.createUpload(participationId, round.base.digest, 100 * round.base.bytes);
    expect([huge.status, await huge.json()]).toMatchObject([400, { code: 'MESSAGE_REFUSED' }]);
    const mine = (await a.createUpload(participationId, round.base.digest, 100)).headers.get('location') ?? '';
    expect((await b.append(mine, 0, new Uint8Array(10))).status).toBe(404);
    expect((await a.append(mine, 50, new Uint8Array(10))).status).toBe(409);
  });

  it('says "disk full" when an upload cannot be written, and resumes when it can', async () => {
    const [a] = await enrol('site-a');
    if (a === undefined) throw new Error('one site');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { quorum: 1 }));
    const { participationId } = await a.trainAssignment(1);
    const bytes = constantUpdate(MODEL, 0.5);
    const location = (await a.createUpload(participationId, digestOfBytes(bytes), bytes.length)).headers.get('location') ?? '';
    const spooled = join(coordinator.home, 'uploads', idOf(location));
    await rm(spooled);
    await symlink('/dev/full', spooled);
    const full = await a.append(location, 0, bytes);
    expect([full.status, await full.json()]).toMatchObject([503, { code: 'DISK_FULL', retryable: true }]);
    await rm(spooled);
    await writeFile(spooled, '');
    expect(await a.offsetOf(location)).toBe(0);
    expect((await a.append(location, 0, bytes)).status).toBe(204);
  });
});

describe('a coordinator that cannot start', () => {
  it('says so when its folder or its port is taken, and leaves no lock behind', async () => {
    const running = await TestCoordinator.open();
    const other = await mkdtemp(join(tmpdir(), 'coordinator-'));
    const open = (home: string, port: number) =>
      openCoordinator(loadCoordinatorConfig({ flags: { home, port, logLevel: 'silent' }, environment: {} }).config);
    try {
      await expect(open(running.home, 0)).rejects.toMatchObject({ code: 'COORDINATOR_ALREADY_RUNNING', exitCode: 2 });
      await expect(open(other, Number(new URL(running.url).port))).rejects.toMatchObject({ code: 'PORT_BUSY', exitCode: 2 });
      await (await open(other, 0)).stop();
      await expect(open(join(running.home, 'operator.token', 'below'), 0)).rejects.toMatchObject({ code: 'FOLDER_MISSING' });
    } finally {
      await running.remove();
      await rm(other, { recursive: true });
    }
  });
});

describe('a coordinator whose disk fills up', () => {
  it('leaves the update open and takes it once there is space', async () => {
    let isFull = true;
    const whenFull = (store: BlobStore): BlobStore => ({
      write: (parts) => store.write(parts),
      place: (path, digest) => store.place(path, digest),
      remove: (digest) => store.remove(digest),
      has: (digest) => store.has(digest),
      localPath: (digest) => store.localPath(digest),
      adopt: (path, digest) => {
        if (isFull) throw FederationError.from(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
        return store.adopt(path, digest);
      },
    });
    const coordinator = await TestCoordinator.open({ blobs: whenFull });
    const [a] = await enrolSites(coordinator, 'site-a');
    if (a === undefined) throw new Error('one site');
    try {
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: 1 }));
      const assignment = await a.trainAssignment(1);
      const bytes = constantUpdate(MODEL, 0.5);
      const offer = offerOf(assignment, await a.upload(assignment.participationId, bytes), bytes, 10);
      expect(await a.offer(offer)).toMatchObject({ ok: false, error: { code: 'DISK_FULL', retryable: true } });
      isFull = false;
      expect(await a.offer(offer)).toMatchObject({ ok: true, value: { outcome: 'accepted' } });
    } finally {
      a.disconnect();
      await coordinator.remove();
    }
  });
});
