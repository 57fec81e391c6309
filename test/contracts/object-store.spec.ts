import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, digestOfBytes, FederationError } from '@consilium/shared/kernel';
import { FilesystemBlobStore } from '../../coordinator/src/blobs/filesystem-blob-store.js';
import { backupCommand, restoreCommand } from '../../coordinator/src/commands/backup.js';
import { MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate, eventually, RawSite } from '../fixtures/raw-site.js';
import { runCommand } from '../fixtures/run-command.js';
import { describeWithObjectStore } from '../fixtures/start-object-store.js';

describeWithObjectStore('a coordinator whose weight files lie in an object store', (objects) => {
  let settings: Record<string, string>;
  let bucket: string;
  let site: RawSite;

  beforeEach(async () => {
    bucket = await objects().createBucket();
    settings = { blobs: `s3://${bucket}/federation`, s3Endpoint: objects().endpoint };
  });

  async function round(coordinator: TestCoordinator, number: number): Promise<string> {
    if (number === 1) {
      site = await RawSite.enrol(coordinator, 'a');
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 2, quorum: 1 }));
    } else site = RawSite.known(coordinator, 'a', site.credential);
    await site.connect();
    await site.deliver(await site.trainAssignment(number), constantUpdate(MODEL, 0.25 * number), 10);
    const made = await eventually(async () => {
      const { version } = await campaignView(coordinator, 'lungs');
      return version.number === number + 1 ? version.digest : undefined;
    });
    site.disconnect();
    return made;
  }

  async function content(coordinator: TestCoordinator, number: number): Promise<string> {
    const response = await fetch(`${coordinator.url}/api/campaigns/lungs/versions/${number}/content`, {
      headers: { authorization: `Bearer ${coordinator.operatorToken}` },
    });
    const { version, initialVersion, roundViews } = await campaignView(coordinator, 'lungs');
    const known = [version, initialVersion, ...roundViews.flatMap((view) => view.version ?? [])];
    const digest = known.find((one) => one.number === number)?.digest ?? '';
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(digestOfBytes(bytes, digest.startsWith('blake3') ? 'blake3' : 'sha256')).toBe(digest);
    return digest;
  }

  it('goes on after its disk was emptied, with the same bytes as one that keeps them on disk', async () => {
    const onDisk = await TestCoordinator.open();
    const expected = [await round(onDisk, 1), await round(onDisk, 2)];
    await onDisk.remove();

    const coordinator = await TestCoordinator.open({ settings });
    const first = await round(coordinator, 1);
    await coordinator.stop();
    await rm(join(coordinator.home, 'blob-cache'), { recursive: true });
    await coordinator.start();
    expect([first, await round(coordinator, 2)]).toEqual(expected);
    for (const number of [1, 2, 3]) await content(coordinator, number);
    // Three versions and two updates, and nothing of them in the folder.
    expect(await objects().keysIn(bucket)).toHaveLength(5);
    expect(await new FilesystemBlobStore(join(coordinator.home, 'blobs')).list()).toEqual([]);
    await coordinator.remove();
  });

  it('takes along what it has kept on disk before, and is backed up and restored like any other', async () => {
    const before = await TestCoordinator.open();
    await round(before, 1);
    await before.stop();
    const coordinator = await TestCoordinator.openIn(before.home, { settings });
    expect(await new FilesystemBlobStore(join(coordinator.home, 'blobs')).list()).toEqual([]);
    const version = await round(coordinator, 2);

    const folder = await mkdtemp(join(tmpdir(), 'object-backup-'));
    await runCommand(backupCommand(), [join(folder, 'backup'), '--url', coordinator.url, '--home', coordinator.home]);
    await coordinator.remove();
    const home = join(folder, 'again');
    await mkdir(home);
    await writeFile(join(home, 'coordinator.yaml'), `blobs: s3://${bucket}/restored\ns3Endpoint: ${objects().endpoint}\n`);
    await runCommand(restoreCommand(), [join(folder, 'backup'), '--home', home]);
    const restored = await TestCoordinator.openIn(home, { settings: { ...settings, blobs: `s3://${bucket}/restored` } });
    expect(await content(restored, 3)).toBe(version);
    await restored.remove();
    await rm(folder, { recursive: true });
  });

  it('is told in words when the bucket is not there, and keeps its keys to itself', async () => {
    const open = TestCoordinator.open({ settings: { ...settings, blobs: 's3://nobodys-bucket' } });
    const error = FederationError.from(await open.catch((thrown: unknown) => thrown));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', remedy: expect.stringContaining('AWS_ACCESS_KEY_ID') as string });
    expect(describeError(error) + String(error.stack)).not.toContain('test-secret');
    await expect(TestCoordinator.open({ settings: { blobs: 'https://bucket' } })).rejects.toThrow('s3://bucket');
  });
});
