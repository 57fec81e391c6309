import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { makeNifti, makePhantom, writeNifti } from '../fixtures/make-volume.js';
import { FederationRig, waitFor } from './federation-rig.js';

describe('bad input on the command line gives one clear line and its exit code', () => {
  let rig: FederationRig;

  beforeAll(async () => {
    rig = new FederationRig();
    await rig.startCoordinator();
  }, 60_000);

  afterAll(() => rig.remove());

  async function campaignError(content: string): Promise<{ status: number | null; stderr: string }> {
    const file = join(rig.folder, 'bad-campaign.yaml');
    writeFileSync(file, content);
    return rig.run('coordinator', 'campaign', 'start', file, '--home', rig.coordinatorHome);
  }

  it('a wrong campaign file names its field', async () => {
    const wrong = 'name: x\nmodel: { architecture: genesis-unet3d }\ntraining: { steps: 0 }\nrounds: 1\n';
    expect(await campaignError(wrong)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/CAMPAIGN_INVALID.*training\.steps/) as string,
    });
    expect(await campaignError('name: [')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('CAMPAIGN_INVALID') as string,
    });
    const missing = await rig.run(
      'coordinator',
      'campaign',
      'start',
      join(rig.folder, 'absent.yaml'),
      '--home',
      rig.coordinatorHome,
    );
    expect(missing).toMatchObject({ status: 2, stderr: expect.stringContaining('absent.yaml') as string });
  });

  it('a campaign for a site that nobody enrolled names the site', async () => {
    const plan = 'name: y\nmodel: { architecture: genesis-unet3d }\ntraining: { steps: 1 }\nrounds: 1\nsites: [nowhere]\n';
    const refused = await campaignError(plan);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('nowhere');
  });

  it('a busy port, a missing folder and an absent coordinator', async () => {
    const holder = createServer();
    await new Promise<void>((settle) => holder.listen(0, '127.0.0.1', () => settle()));
    const address = holder.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const busy = await rig.run('coordinator', 'start', '--home', join(rig.folder, 'other'), '--port', String(port));
    expect(busy).toMatchObject({ status: 2, stderr: expect.stringContaining('PORT_BUSY') as string });
    await new Promise<void>((settle) => holder.close(() => settle()));

    const missing = await rig.run('site-agent', '--home', rig.siteHome('s'), 'index', join(rig.folder, 'no-such-folder'));
    expect(missing).toMatchObject({ status: 2, stderr: expect.stringContaining('FOLDER_MISSING') as string });

    const absent = await rig.run(
      'site-agent',
      '--home',
      rig.siteHome('s'),
      'join',
      '--coordinator',
      `http://127.0.0.1:${port}`,
      '--token',
      'x',
    );
    expect(absent).toMatchObject({ status: 5, stderr: expect.stringContaining('COORDINATOR_UNREACHABLE') as string });

    const alone = await rig.run('coordinator', 'site', 'list', '--home', join(rig.folder, 'nobody'));
    expect(alone).toMatchObject({ status: 5, stderr: expect.stringContaining('COORDINATOR_UNREACHABLE') as string });
  });

  it('a second coordinator on the same folder', async () => {
    const second = await rig.run('coordinator', 'start', '--home', rig.coordinatorHome, '--port', '0');
    expect(second).toMatchObject({ status: 2, stderr: expect.stringContaining('COORDINATOR_ALREADY_RUNNING') as string });
  });

  it('a token that is wrong or was used', async () => {
    const join = (name: string, token: string): Promise<{ status: number | null; stderr: string }> =>
      rig.run('site-agent', '--home', rig.siteHome(name), 'join', '--coordinator', rig.url, '--token', token);
    expect(await join('gamma', 'token_guess')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('TOKEN_REFUSED') as string,
    });
    const token = await rig.enrolmentToken('gamma');
    expect((await join('gamma', token)).status).toBe(0);
    expect(await join('delta', token)).toMatchObject({ status: 3, stderr: expect.stringContaining('TOKEN_REFUSED') as string });
  });

  it('a site that never joined, and one with nothing to train on', async () => {
    const stranger = await rig.run('site-agent', '--home', rig.siteHome('stranger'), 'start');
    expect(stranger).toMatchObject({ status: 3, stderr: expect.stringContaining('NOT_JOINED') as string });

    const scans = join(rig.folder, 'hopeless');
    mkdirSync(scans);
    writeFileSync(join(scans, 'text.nii'), 'this is not a scan');
    writeFileSync(join(scans, 'short.nii'), makeNifti(makePhantom('x', 'CT')).subarray(0, 5000));
    writeNifti(join(scans, 'flat.nii'), { sizes: [32, 32, 1] });
    const indexed = await rig.run('site-agent', '--home', rig.siteHome('gamma'), 'index', scans, '--modality', 'CT');
    expect(indexed.status).toBe(2);
    expect(indexed.stderr).toContain('COLLECTION_EMPTY');
    for (const name of ['text.nii', 'short.nii', 'flat.nii']) expect(indexed.stdout + indexed.stderr).toContain(name);

    const idle = await rig.run('site-agent', '--home', rig.siteHome('gamma'), 'start');
    expect(idle).toMatchObject({ status: 2, stderr: expect.stringContaining('COLLECTION_EMPTY') as string });
  });

  it('a hopeless file among good ones is listed with its reason and skipped', async () => {
    const scans = join(rig.folder, 'mixed');
    mkdirSync(scans);
    writeNifti(join(scans, 'good.nii.gz'), makePhantom('good', 'CT'));
    writeFileSync(join(scans, 'broken.nii.gz'), 'no gzip');
    const indexed = await rig.run('site-agent', '--home', rig.siteHome('gamma'), 'index', scans, '--modality', 'CT');
    expect(indexed.status).toBe(0);
    expect(indexed.stdout + indexed.stderr).toMatch(/broken\.nii\.gz/);
  });

  it('two agents with one identity: the second is refused, the first goes on', async () => {
    rig.startAgent('gamma');
    await waitFor('the first agent to connect', async () => (await rig.status('gamma'))?.connection === 'connected');
    const sameHome = await rig.run('site-agent', '--home', rig.siteHome('gamma'), 'start');
    expect(sameHome).toMatchObject({ status: 2, stderr: expect.stringContaining('AGENT_ALREADY_RUNNING') as string });
    expect((await rig.status('gamma'))?.connection).toBe('connected');

    const copiedHome = rig.siteHome('gamma-copy');
    mkdirSync(copiedHome);
    for (const name of ['identity.json', 'site.key']) copyFileSync(join(rig.siteHome('gamma'), name), join(copiedHome, name));
    await rig.run('site-agent', '--home', copiedHome, 'index', join(rig.folder, 'mixed'), '--modality', 'CT');
    const copied = await rig.run('site-agent', '--home', copiedHome, 'start');
    expect(copied).toMatchObject({ status: 2, stderr: expect.stringContaining('SITE_ALREADY_CONNECTED') as string });
    expect((await rig.status('gamma'))?.connection).toBe('connected');
  }, 40_000);

  it('an agent whose coordinator goes away waits, says so, and is back by itself', async () => {
    await rig.killCoordinator('SIGTERM');
    await waitFor('the agent to notice', async () => (await rig.status('gamma'))?.connection !== 'connected');
    await rig.startCoordinator();
    await waitFor('the agent to be back', async () => (await rig.status('gamma'))?.connection === 'connected');
  });
});
