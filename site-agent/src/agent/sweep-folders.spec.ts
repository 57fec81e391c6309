import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes } from '@consilium/shared/kernel';
import { makeTrainAssignment } from '../../../test/fixtures/make-assignment.js';
import { passportBeside } from '@consilium/shared/wire';
import { modelFile, siteFolder } from '../config/site-folder.js';
import { AgentJournal } from './agent-journal.js';
import { filesOf } from './site-files.js';
import { sweepFolders } from './sweep-folders.js';

describe('sweeping the site’s folders', () => {
  it('keeps the open round, the newest versions and the version in use, and removes the rest', async () => {
    const home = await mkdtemp(join(tmpdir(), 'sweep-'));
    const folder = siteFolder(home);
    const journal = AgentJournal.open(folder.databaseFile);
    const { participationId, plan: made, planDigest } = makeTrainAssignment('part_open', 1);
    const parent = digestOfBytes('v0');
    const plan = { ...made, baseDelta: { parent, digest: digestOfBytes('delta'), bytes: 1 } };
    journal.invite(participationId, plan, planDigest);
    for (const name of ['part_open', 'part_over']) mkdirSync(join(folder.roundsFolder, name), { recursive: true });
    mkdirSync(folder.modelsFolder);
    const versions = [
      { number: 0, digest: parent, bytes: 1 },
      plan.base,
      ...[2, 3, 4, 5, 6, 7].map((number) => ({ number, digest: digestOfBytes(`v${number}`), bytes: 1 })),
    ];
    for (const version of versions) {
      writeFileSync(modelFile(folder, version.digest), 'weights');
      journal.noteVersion('tiny', version, version.number);
    }
    const pinned = versions.find(({ number }) => number === 2);
    if (pinned === undefined) throw new Error('made above');
    const forgotten = { number: 8, digest: digestOfBytes('old'), bytes: 1 };
    journal.noteVersion('tiny', forgotten, -2);
    writeFileSync(modelFile(folder, forgotten.digest), 'weights');
    writeFileSync(passportBeside(modelFile(folder, forgotten.digest)), '{}');
    journal.pin('good', { ...pinned, campaignName: 'tiny', fetchedAtMs: 2 });
    writeFileSync(join(folder.modelsFolder, 'my-own.safetensors'), 'mine');

    await sweepFolders(filesOf(folder), journal);

    expect(existsSync(join(folder.roundsFolder, 'part_open'))).toBe(true);
    expect(existsSync(join(folder.roundsFolder, 'part_over'))).toBe(false);
    expect(existsSync(join(folder.modelsFolder, 'my-own.safetensors'))).toBe(true);
    const left = versions.filter(({ digest }) => existsSync(modelFile(folder, digest))).map(({ number }) => number);
    expect(left).toEqual([0, 1, 2, 3, 4, 5, 6, 7]); // 1 is the base of the open round, made of 0; 2 is pinned
    expect(journal.versions().map(({ number }) => number)).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
    for (const path of [modelFile(folder, forgotten.digest), passportBeside(modelFile(folder, forgotten.digest))])
      expect(existsSync(path)).toBe(false);

    journal.unpin('good');
    await sweepFolders(filesOf(folder), journal);
    expect(existsSync(modelFile(folder, pinned.digest))).toBe(false);
    journal.close();
    await rm(home, { recursive: true });
  });
});
