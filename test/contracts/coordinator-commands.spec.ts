import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes } from '@consilium/shared/kernel';
import { modelSpecSchema } from '@consilium/shared/models';
import { readSafetensors } from '@consilium/shared/weights';
import { campaignViewSchema, type UpdateMonitors, updateViewSchema, versionViewSchema } from '@consilium/shared/wire';
import type { Command } from 'commander';
import { z } from 'zod';
import { campaignCommand } from '../../coordinator/src/commands/campaign.js';
import { configCommand } from '../../coordinator/src/commands/config.js';
import { keyCommand } from '../../coordinator/src/commands/key.js';
import { modelCommand } from '../../coordinator/src/commands/model.js';
import { siteCommand } from '../../coordinator/src/commands/site.js';
import { updateCommand } from '../../coordinator/src/commands/update.js';
import { importCheckpoint } from '../../site-agent/src/checkpoints/import-checkpoint.js';
import { MODEL } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { runCommand } from '../fixtures/run-command.js';
import { constantUpdate, eventually, offerOf, RawSite } from '../fixtures/raw-site.js';

const CAMPAIGN = `name: lungs
model: { architecture: genesis-unet3d, width: 1 }
training: { steps: 2 }
rounds: 1
seed: 7
`;

const UNIVERSAL_MODEL = modelSpecSchema.parse({
  architecture: 'universal-model',
  width: 1,
  scaleFeatures: 2,
  adversaryChannels: 1,
});

const UNIVERSAL_CAMPAIGN = `name: both
model: ${JSON.stringify(UNIVERSAL_MODEL)}
objective: { kind: universal-model, adversary: { mode: reversal } }
patch: { sizeVoxels: [64, 64, 32], scales: {} }
training: { steps: 2 }
rounds: 1
quorum: 3
grace: 60s
seed: 7
`;

/** What a site says of a probe with so many patches, all of them CT. */
function monitorsOf(patches: number, accuracy: number): UpdateMonitors {
  const restored = { patches, restorationError: 0.02, constantError: 0.04, skill: 0.5 };
  const base = { patches, restoration: [{ modality: 'CT' as const, ...restored }], scaleAccuracy: accuracy, featureRank: 2 };
  return { base, trained: { ...base, scaleAccuracy: accuracy / 2, modalityAccuracy: 1 } };
}

describe("the operator's commands", () => {
  let coordinator: TestCoordinator;
  let folder: string;
  let file: string;
  const sites: RawSite[] = [];

  beforeEach(async () => {
    coordinator = await TestCoordinator.open();
    folder = await mkdtemp(join(tmpdir(), 'commands-'));
    file = join(folder, 'campaign.yaml');
    await writeFile(file, CAMPAIGN);
  });

  afterEach(async () => {
    for (const site of sites.splice(0)) site.disconnect();
    await coordinator.remove();
    await rm(folder, { recursive: true });
  });

  const toCoordinator = (command: Command, ...words: string[]): Promise<string> =>
    runCommand(command, [...words, '--home', coordinator.home]);

  it('enrol a site with the line to run there, list it and revoke it', async () => {
    expect(await toCoordinator(siteCommand(), 'list')).toContain('No sites yet');
    const enrolled = await toCoordinator(siteCommand(), 'enrol', 'hospital-a');
    // The token is no argument of the command: others of the site's computer could read it.
    const line = `site-agent join --coordinator ${coordinator.url} --token-file -`;
    expect(enrolled).toMatch(new RegExp(`^ +${line}\\n +enrol_[\\w-]{43}$`, 'm'));
    expect(await toCoordinator(siteCommand(), 'list')).toMatch(/hospital-a +invited +no +–/);
    expect(await toCoordinator(siteCommand(), 'show', 'hospital-a')).toMatch(/state +invited, its token is good until/);
    await toCoordinator(siteCommand(), 'revoke', 'hospital-a');
    expect(await toCoordinator(siteCommand(), 'list')).toMatch(/hospital-a +revoked/);
    await expect(toCoordinator(siteCommand(), 'revoke', 'nobody')).rejects.toMatchObject({ code: 'SITE_UNKNOWN' });
    await expect(toCoordinator(siteCommand(), 'enrol', 'no spaces')).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
  });

  it('start a campaign, follow it to its end and fetch the result', async () => {
    const site = await RawSite.enrol(coordinator, 'hospital-a');
    sites.push(site);
    await site.connect();
    const following = toCoordinator(campaignCommand(), 'start', file, '--follow');
    const assignment = await site.trainAssignment(1);
    await site.deliver(assignment, constantUpdate(MODEL, 0.5), 10);
    const scoring = await eventually(async () => {
      const next = await site.sync();
      return next?.kind === 'score' ? next : undefined;
    });
    await site.reportScore(scoring.plan.campaignId, scoring.plan.version.digest);
    const printed = await following;
    expect(printed).toContain('round 1  hospital-a delivered');
    expect(printed).toContain('campaign scoring');
    expect(printed).toContain('lungs: finished, 1 of 1 rounds, version 2');

    const view = campaignViewSchema.parse(JSON.parse(await toCoordinator(campaignCommand(), 'show', 'lungs', '--json')));
    expect(await toCoordinator(campaignCommand(), 'list')).toMatch(/lungs +finished +1\/1 +2/);
    const versions = z.array(versionViewSchema).parse(JSON.parse(await toCoordinator(modelCommand(), 'list', 'lungs', '--json')));
    expect(versions.map(({ number, digest }) => [number, digest])).toEqual([
      [1, view.initialVersion.digest],
      [2, view.version.digest],
    ]);
    const output = join(folder, 'model.safetensors');
    await toCoordinator(modelCommand(), 'pull', 'lungs', '--output', output);
    expect(digestOfBytes(await readFile(output), 'blake3')).toBe(view.version.digest);
    await toCoordinator(modelCommand(), 'pull', 'lungs', '--version', '1', '--output', output);
    expect(digestOfBytes(await readFile(output), 'blake3')).toBe(view.initialVersion.digest);
    const shown = await toCoordinator(modelCommand(), 'show', 'lungs');
    expect(shown).toContain(`parent   ${view.initialVersion.digest}`);
    expect(shown).toMatch(/made of {2}1 updates, \d+ patches/);
    const missing = toCoordinator(modelCommand(), 'pull', 'lungs', '--version', '9', '--output', output);
    await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const nowhere = toCoordinator(modelCommand(), 'pull', 'lungs', '--output', join(folder, 'no', 'such', 'file'));
    await expect(nowhere).rejects.toMatchObject({ code: 'FOLDER_MISSING' });
  });

  it('check a version and its passport without a coordinator, and write it for PyTorch', async () => {
    sites.push(await RawSite.enrol(coordinator, 'hospital-a'));
    await toCoordinator(campaignCommand(), 'start', file);
    const output = join(folder, 'model.safetensors');
    await toCoordinator(modelCommand(), 'pull', 'lungs', '--output', output);
    const verify = (...flags: string[]): Promise<string> => runCommand(modelCommand(), ['verify', output, ...flags]);
    await expect(verify()).rejects.toMatchObject({ code: 'PASSPORT_INVALID' });
    await toCoordinator(modelCommand(), 'passport', 'lungs', '--output', `${output}.passport.json`);
    expect(await verify()).toContain('The file and its passport agree, 1 versions back to the first.');

    // Who signed it: this coordinator's folder knows, others compare the name or are told it.
    const { name } = JSON.parse(await runCommand(keyCommand(), ['show', '--home', coordinator.home, '--json'])) as {
      name: string;
    };
    expect(await verify('--home', folder)).toContain(`signed  by ${name} (compare this name`);
    expect(await verify('--home', coordinator.home, '--signed')).toContain(`signed  by ${name} (a key that is known here)`);
    expect(await verify('--key', name)).toContain('(a key that is known here)');
    const another = 'A'.repeat(43);
    await expect(verify('--key', another)).rejects.toMatchObject({ code: 'PASSPORT_INVALID', details: { key: name } });
    await expect(runCommand(keyCommand(), ['show', '--home', folder])).rejects.toMatchObject({ code: 'NOT_FOUND' });

    const checkpoint = join(folder, 'model.pt');
    const written = await toCoordinator(modelCommand(), 'export', 'lungs', '--output', checkpoint, '--json');
    expect(JSON.parse(written)).toMatchObject({ number: 1, digest: digestOfBytes(await readFile(checkpoint)) });
    expect((await importCheckpoint(checkpoint)).weights).toEqual((await readSafetensors(output)).weights);
    await expect(toCoordinator(modelCommand(), 'export', 'lungs', '--output', output)).rejects.toThrow('.pt or .pth');

    const bytes = await readFile(output);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(output, bytes);
    await expect(verify()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('tell the monitors of a universal model: each site’s own, and of a round the mean of what counts', async () => {
    await writeFile(file, UNIVERSAL_CAMPAIGN);
    const probes: [name: string, patches: number, accuracy: number, delta: number][] = [
      ['hospital-a', 4, 1, 0.125],
      ['hospital-b', 12, 0.5, 0.125],
      ['hospital-c', 8, 0.75, 0.125],
      ['hospital-d', 100, 0, 1.25], // ten times as far: held back
    ];
    for (const [name] of probes) {
      const site = await RawSite.enrol(coordinator, name);
      sites.push(site);
      await site.connect();
    }
    const following = toCoordinator(campaignCommand(), 'start', file, '--follow');
    for (const [index, [, patches, accuracy, delta]] of probes.entries()) {
      const site = sites[index];
      if (site === undefined) throw new Error('a site for each probe');
      const assignment = await site.trainAssignment(1);
      const { report } = offerOf(assignment, '', Buffer.of(), 10);
      const offered = { report: { ...report, monitors: monitorsOf(patches, accuracy) } };
      expect(await site.deliver(assignment, constantUpdate(UNIVERSAL_MODEL, delta), 10, offered)).toMatchObject({ ok: true });
    }
    for (const [index, site] of sites.entries()) {
      const scoring = await eventually(async () => {
        const next = await site.sync();
        return next?.kind === 'score' ? next : undefined;
      });
      const [, patches, accuracy] = probes[index] ?? [];
      const { base } = monitorsOf(patches ?? NaN, accuracy ?? NaN);
      await site.reportScore(scoring.plan.campaignId, scoring.plan.version.digest, index === 3 ? undefined : base);
    }

    // (4 · 1 + 12 · 0.5 + 8 · 0.75) / 24; what is not in both has no arrow.
    const mean = 'restoration error CT 0.0200 → 0.0200, scale accuracy 0.67 → 0.33, feature rank 2.0 → 2.0';
    const printed = await following;
    expect(printed).toContain(
      'version 1  hospital-b restoration error 0.02000, skill 0.500; scale accuracy 0.50, feature rank 2.0',
    );
    const told = `mean over the sites’ probes, from the base to the updates: ${mean}`;
    expect(printed).toMatch(/^round 1 finished, new version \w+; mean over/m);
    expect(printed).toContain(`; ${told}`);
    const shown = (await toCoordinator(campaignCommand(), 'show', 'both')).split('\n');
    expect(shown[1]).toMatch(/^ {2}round 1 +finished/);
    expect(shown[2]).toBe(`    ${told}`);
    const scored = probes.map(([name], index) => {
      const figures = index === 3 ? '' : `; scale accuracy ${['1.00', '0.50', '0.75'][index]}, feature rank 2.0`;
      return `  version 2  ${name} skill 0.500${figures}`;
    });
    expect(shown.slice(3)).toEqual(scored);
    const view = campaignViewSchema.parse(JSON.parse(await toCoordinator(campaignCommand(), 'show', 'both', '--json')));
    const [round] = view.roundViews;
    expect(round?.monitors?.trained).toMatchObject({ patches: 24, modalityAccuracy: 1 });
    expect(round?.participations.map(({ siteName, monitors }) => [siteName, monitors])).toEqual(
      probes.map(([name, patches, accuracy]) => [name, monitorsOf(patches, accuracy)]),
    );
    expect(view.version.scores.map(({ siteName, monitors }) => [siteName, monitors])).toEqual(
      probes.map(([name, patches, accuracy], index) => [name, index === 3 ? undefined : monitorsOf(patches, accuracy).base]),
    );
  });

  it('list updates, show why one was held back, and decide about it by name', async () => {
    const names = ['hospital-a', 'hospital-b', 'hospital-c', 'hospital-d'];
    for (const name of names) {
      const site = await RawSite.enrol(coordinator, name);
      sites.push(site);
      await site.connect();
    }
    await writeFile(file, CAMPAIGN.replace('rounds: 1', 'rounds: 2\nquorum: 3'));
    await toCoordinator(campaignCommand(), 'start', file);
    expect(await toCoordinator(updateCommand(), 'list')).toBe('No such updates.');
    for (const [index, site] of sites.entries()) {
      await site.deliver(await site.trainAssignment(1), constantUpdate(MODEL, index === 3 ? 1.25 : 0.125), 10);
    }
    await sites[0]?.trainAssignment(2);

    const listed = await toCoordinator(updateCommand(), 'list', '--campaign', 'lungs', '--state', 'quarantined', '--json');
    const [held, ...rest] = z.array(updateViewSchema).parse(JSON.parse(listed));
    if (held === undefined) throw new Error('one update is held back');
    expect([held.siteName, rest]).toEqual(['hospital-d', []]);
    const table = await toCoordinator(updateCommand(), 'list');
    expect(table).toMatch(/part_\S+ +lungs +1 +hospital-d +quarantined +UPDATE_NORM_FAR +– +10 /);
    expect(table).toMatch(/part_\S+ +lungs +1 +hospital-a +accepted +round 1 +10 /);
    const shown = await toCoordinator(updateCommand(), 'show', held.participationId);
    expect(shown).toMatch(/held back +UPDATE_NORM_FAR: its norm [\d.]+ is 10 times the median of the round's others/);
    expect(shown).toMatch(/campaign +lungs, round 1, from version 1/);

    const words = ['--as', 'dr-weber', '--reason', 'a new scanner'];
    const released = await toCoordinator(updateCommand(), 'release', held.participationId, ...words);
    expect(released).toBe('The update of hospital-d for round 1 is released and counts in round 2.');
    expect(await toCoordinator(updateCommand(), 'show', held.participationId)).toMatch(
      /by dr-weber at .*\n(.*\n)?because +a new scanner/,
    );
    const discarded = toCoordinator(updateCommand(), 'discard', held.participationId, '--as', 'dr-weber');
    await expect(discarded).rejects.toMatchObject({ code: 'UPDATE_NOT_RELEASABLE', exitCode: 2 });
    await expect(toCoordinator(updateCommand(), 'show', 'part_none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(toCoordinator(updateCommand(), 'list', '--state', 'lost')).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
    const unnamed = toCoordinator(updateCommand(), 'release', held.participationId, '--as', 'Dr Weber');
    await expect(unnamed).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
  });

  it('check a file without a coordinator, and name what is wrong with it', async () => {
    expect(await runCommand(campaignCommand(), ['check', file])).toContain('is valid: campaign lungs, 1 rounds of 2 steps');
    await writeFile(file, CAMPAIGN.replace('rounds: 1', 'rounds: none'));
    await expect(runCommand(campaignCommand(), ['check', file])).rejects.toThrow('rounds');
  });

  it('say when no coordinator answers, and explain the configuration', async () => {
    await coordinator.stop();
    await expect(toCoordinator(siteCommand(), 'list')).rejects.toMatchObject({ code: 'COORDINATOR_UNREACHABLE', exitCode: 5 });
    const elsewhere = toCoordinator(siteCommand(), 'list', '--url', 'http://127.0.0.1:1');
    await expect(elsewhere).rejects.toMatchObject({ code: 'COORDINATOR_UNREACHABLE' });
    expect(await toCoordinator(configCommand(), 'explain')).toMatch(/home +\S+ +flag/);
  });
});
