import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainerHandle } from './trainer-process.js';
import { TrainerProcess, type TrainerProcessOptions } from './trainer-process.js';
import type { ScoreOrder, TrainerProgress } from './trainer-messages.js';

// The process handling is tested with small programs; the real trainer program in test/end-to-end.
describe('TrainerProcess', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'trainer-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const progress: TrainerProgress[] = [];

  function start(program: string, options: TrainerProcessOptions = {}): TrainerHandle {
    const path = join(folder, 'program.mjs');
    writeFileSync(path, program);
    progress.length = 0;
    const order = { kind: 'score', home: folder } as ScoreOrder;
    return new TrainerProcess({ ...options, program: path }).start(order, (message) => void progress.push(message));
  }

  const score = { restorationError: 0.1, constantError: 0.2, skill: 0.5, patches: 8 };

  it('delivers the order, progress, warnings and the result', async () => {
    const warnings: string[] = [];
    const announcements: string[] = [];
    const handle = start(
      `process.once('message', (order) => {
        process.send({ kind: 'warning', text: order.kind });
        process.send({ kind: 'announcement', text: 'on the processor' });
        process.send({ kind: 'progress', phase: 'scoring', step: 1, steps: 2 });
        process.send({ kind: 'result', result: { kind: 'score', score: ${JSON.stringify(score)} } }, () => process.exit(0));
      });`,
      { onWarning: (text) => void warnings.push(text), onAnnouncement: (text) => void announcements.push(text) },
    );
    expect(await handle.finished).toEqual({ kind: 'score', score });
    expect(warnings).toEqual(['score']);
    expect(announcements).toEqual(['on the processor']);
    expect(progress).toEqual([{ kind: 'progress', phase: 'scoring', step: 1, steps: 2 }]);
  });

  it('gives a reported failure back as the error that it was', async () => {
    const error = { code: 'COLLECTION_EMPTY', message: 'no volume', retryable: false, details: {} };
    const handle = start(`process.once('message', () =>
      process.send({ kind: 'failed', error: ${JSON.stringify(error)}, remedy: 'index a folder' }, () => process.exit(2)));`);
    await expect(handle.finished).rejects.toMatchObject({ code: 'COLLECTION_EMPTY', kind: 'volume', remedy: 'index a folder' });
  });

  it('reports a death with exit code and last words', async () => {
    const handle = start(
      `console.error('I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\\nthe card fell out'); process.exitCode = 9; process.disconnect();`,
    );
    await expect(handle.finished).rejects.toMatchObject({
      code: 'TRAINER_DIED',
      details: { exitCode: 9, signal: null },
      remedy: expect.stringMatching(/Its last words: the card fell out$/) as string,
    });
  });

  it('reports a kill by its signal', async () => {
    const handle = start(`process.on('message', () => process.kill(process.pid, 'SIGKILL'));`);
    await expect(handle.finished).rejects.toMatchObject({ code: 'TRAINER_DIED', details: { signal: 'SIGKILL' } });
  });

  it('does not choke on a talkative trainer', async () => {
    const handle = start(
      `process.stdout.write('x'.repeat(2_000_000)); process.stderr.write('y'.repeat(2_000_000), () => process.exit(3));`,
    );
    await expect(handle.finished).rejects.toMatchObject({ details: { exitCode: 3 } });
  });

  it('stops a trainer that obeys', async () => {
    const handle = start(`process.on('message', () => process.send({ kind: 'progress', phase: 'x', step: 0, steps: 1 }));
      process.on('SIGTERM', () => process.exit(0));`);
    await eventually(() => progress.length > 0);
    await handle.stop();
    await expect(handle.finished).rejects.toMatchObject({ code: 'TRAINER_STOPPED', details: { exitCode: 0 } });
  });

  it('kills one that does not, after the grace', async () => {
    const handle = start(
      `process.on('SIGTERM', () => {}); process.on('message', () => process.send({ kind: 'progress', phase: 'x', step: 0, steps: 1 }));`,
      { stopGraceMs: 100 },
    );
    await eventually(() => progress.length > 0);
    await handle.stop();
    await expect(handle.finished).rejects.toMatchObject({ code: 'TRAINER_STOPPED', details: { signal: 'SIGKILL' } });
  });

  it('says so when the program is not built', () => {
    const trainer = new TrainerProcess({ program: join(folder, 'missing.js') });
    expect(() => trainer.start({ kind: 'score' } as ScoreOrder, () => undefined)).toThrow('the trainer program is not built');
  });
});

async function eventually(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 10) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it did not happen in time');
}
