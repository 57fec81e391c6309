import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTask } from '../fixtures/make-labelled-cases.js';
import { type CommandResult, FederationRig } from './federation-rig.js';

const CAMPAIGN = {
  name: 'tiny',
  model: { architecture: 'genesis-unet3d', width: 2 },
  patch: { sizeVoxels: [16, 16, 8] },
  training: { optimizer: { kind: 'adam', learningRate: 0.01 }, batchSize: 2, steps: 4 },
  probe: { patches: 2 },
  rounds: 2,
  seed: 7,
};

interface Listed {
  readonly number: number | null;
  readonly digest: string;
  readonly path: string | null;
  readonly pins: readonly string[];
  readonly skill: number | null;
  readonly offered: boolean | null;
}

describe('model versions at a site, with real processes', () => {
  const rig = new FederationRig();
  const command = (...words: string[]): Promise<CommandResult> =>
    rig.run('site-agent', '--home', rig.siteHome('alpha'), ...words);
  const succeed = async (...words: string[]): Promise<string> => {
    const { status, stdout, stderr } = await command(...words);
    if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}: ${stderr}`);
    return stdout;
  };
  const list = async (...words: string[]): Promise<Listed[]> =>
    JSON.parse(await succeed('model', 'list', '--json', ...words)) as Listed[];
  let pulledPath = '';

  beforeAll(async () => {
    await rig.startCoordinator();
    await rig.prepareSite('alpha', ['a1', 'a2']);
    rig.startAgent('alpha');
    await rig.startCampaign(CAMPAIGN);
    await rig.waitForCampaign('tiny', ({ state }) => state === 'finished');
    expect(await rig.killAgent('alpha', 'SIGTERM')).toBe(0);
  }, 180_000);
  afterAll(() => rig.remove());

  it('lists what is here beside what the coordinator offers, and says so when it is away', async () => {
    const versions = await list();
    expect(versions.map(({ number }) => number).sort()).toEqual([1, 2, 3]);
    expect(versions.every(({ offered, path }) => offered === true && path !== null)).toBe(true);
    expect(versions.find(({ number }) => number === 3)?.skill).toEqual(expect.any(Number));
    expect((await list('--here')).map(({ offered }) => offered)).toEqual([null, null, null]);
  }, 60_000);

  it('pulls, verifies and shows a version, and finds a passport that was touched', async () => {
    const pulled = JSON.parse(await succeed('model', 'pull', 'tiny@3', '--json')) as { path: string; passportPath: string };
    pulledPath = pulled.path;
    expect(await succeed('model', 'verify', 'tiny@3')).toMatch(/agree[^]*tiny, version 3, 2 rounds, 16 patches/);
    expect(await succeed('model', 'show', 'tiny@3')).toMatch(
      /genesis-unet3d, width 2[^]*history +back to the initial version blake3:/,
    );
    const passport = readFileSync(pulled.passportPath, 'utf8');
    writeFileSync(pulled.passportPath, passport.replace('"patches": 8', '"patches": 9'));
    expect(await command('model', 'verify', 'tiny@3')).toMatchObject({
      status: 5,
      stderr: expect.stringMatching(/PASSPORT_INVALID[^]*version 2 of its history/) as string,
    });
    await succeed('model', 'pull', 'tiny@3');
    expect(readFileSync(pulled.passportPath, 'utf8')).toBe(passport);
    const fromOperator = join(rig.folder, 'operator.passport.json');
    const words = ['model', 'passport', 'tiny', '--output', fromOperator, '--home', rig.coordinatorHome];
    expect((await rig.run('coordinator', ...words)).status).toBe(0);
    expect(JSON.parse(readFileSync(fromOperator, 'utf8'))).toEqual(JSON.parse(passport));
  }, 60_000);

  it('compares two versions and pins one', async () => {
    const comparison = JSON.parse(await succeed('model', 'compare', 'tiny@1', 'tiny@3', '--json')) as Record<string, unknown>;
    expect(comparison).toMatchObject({ sameArchitecture: true, sameWeights: false });
    const { overall, layers } = comparison as { overall: { relative: number; cosine: number }; layers: unknown[] };
    expect(overall.relative).toBeGreaterThan(0);
    expect(overall.cosine).toBeLessThan(1);
    expect(layers).toHaveLength(32);
    await succeed('model', 'pin', 'tiny@3', '--as', 'good');
    expect((await list('--here')).find(({ number }) => number === 3)?.pins).toEqual(['good']);
    expect(await succeed('model', 'compare', 'good', pulledPath)).toMatch(/weights +the same/);
    expect(await command('model', 'pin', 'tiny@9')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/NOT_FOUND/) as string,
    });
  }, 60_000);

  it('fine-tunes from the pin: the passport of the version travels with the result', async () => {
    const task = makeTask(rig.folder, { training: { steps: 4, validateEverySteps: 2 }, start: { from: 'good' } });
    const output = join(rig.folder, 'tuned');
    await succeed('finetune', task, '--output', output, '--threads', '1');
    expect(await succeed('model', 'verify', output)).toMatch(/agree[^]*fine-tuned[^]*started from +blake3:[^]*tiny, version 3/);
    const passport = readFileSync(join(output, 'model.safetensors.passport.json'), 'utf8');
    expect(passport).not.toContain(rig.folder);
    const model = join(output, 'model.safetensors');
    const exported = join(rig.folder, 'tuned.pt');
    await succeed('export', '--model', output, '--format', 'pytorch', '--output', exported);
    expect(await succeed('model', 'verify', exported)).toMatch(/exported +as pytorch[^]*fine-tuned[^]*tiny, version 3/);
    const bytes = readFileSync(model);
    bytes[bytes.length - 1] = 0x55 ^ (bytes.at(-1) as number);
    writeFileSync(model, bytes);
    expect(await command('model', 'verify', model)).toMatchObject({
      status: 5,
      stderr: expect.stringMatching(/DIGEST_MISMATCH/) as string,
    });
    await succeed('model', 'unpin', 'good');
    await succeed('finetune', task, '--from', 'tiny', '--output', join(rig.folder, 'newest'), '--threads', '1');
    expect(await command('finetune', task, '--from', 'good', '--output', join(rig.folder, 'other'))).toMatchObject({ status: 2 });
  }, 120_000);

  it('evaluates and predicts with a pinned model of the site’s own, and with no version, which has no task', async () => {
    const scan = join(rig.folder, 'scans/ball-8.nii.gz');
    const predict = ['predict', scan, '--output', join(rig.folder, 'masks'), '--threads', '1', '--model'];
    await succeed('model', 'pin', join(rig.folder, 'newest'), '--as', 'mine');
    expect((await list('--here')).filter(({ pins }) => pins.includes('mine'))).toMatchObject([{ number: null, offered: null }]);
    expect(await succeed('evaluate', 'mine', '--threads', '1')).toMatch(/mean Dice/);
    expect(await succeed(...predict, 'mine')).toMatch(/ball-8_mask/);
    const refused = { status: 2, stderr: expect.stringMatching(/tiny@3 is pretrained only[^]*--from tiny@3/) as string };
    expect(await command(...predict, 'tiny@3')).toMatchObject(refused);
    expect(await command('evaluate', 'tiny@3')).toMatchObject(refused);
    renameSync(join(rig.folder, 'newest'), join(rig.folder, 'moved'));
    expect((await list('--here')).find(({ pins }) => pins.includes('mine'))).toMatchObject({ bytes: null });
    expect(await succeed('model', 'list', '--here')).toMatch(/mine +gone: .*newest.*model unpin mine/);
    renameSync(join(rig.folder, 'moved'), join(rig.folder, 'newest'));
    await succeed('model', 'unpin', 'mine');
    expect(await command(...predict, 'mine')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('NOT_FOUND') as string,
    });
  }, 120_000);

  it('says plainly when the coordinator is away', async () => {
    await rig.killCoordinator('SIGKILL');
    const { status, stdout, stderr } = await command('model', 'list', '--json');
    expect([status, (JSON.parse(stdout) as Listed[]).length]).toEqual([0, 3]);
    expect(stderr).toMatch(/not shown: the coordinator cannot be reached: nothing listens at its address/);
    expect(await command('model', 'pull', 'tiny@3')).toMatchObject({
      status: 5,
      stderr: expect.stringMatching(/COORDINATOR_UNREACHABLE/) as string,
    });
  }, 60_000);
});
