import type { CampaignEvent, ParticipationState, RoundState } from '@consilium/shared/wire';
import { CampaignEvents } from '../live/campaign-events.js';
import { RoundSpans } from './round-spans.js';
import type { OpenSpan, SpanFacts, SpanRecorder, SpanStart } from './span-recorder.js';

interface Kept extends OpenSpan {
  readonly name: string;
  readonly parent: string | undefined;
  readonly facts: Record<string, unknown>;
  ended: string | undefined;
}

class KeepingRecorder implements SpanRecorder {
  readonly spans: Kept[] = [];
  isClosed = false;

  open(name: string, { parent, facts = {}, atMs }: SpanStart = {}): OpenSpan {
    const span: Kept = {
      name,
      parent: (parent as Kept | undefined)?.name,
      facts: { ...facts },
      ended: undefined,
      note: (more: SpanFacts) => void Object.assign(span.facts, more),
      end: (endMs, code) => void (span.ended ??= `${atMs}–${endMs}${code === undefined ? '' : ` ${code}`}`),
    };
    this.spans.push(span);
    return span;
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  get lines(): string[] {
    return this.spans.map(({ name, parent, ended }) => `${parent ?? '–'} > ${name}: ${ended ?? 'open'}`);
  }
}

describe('spans of rounds', () => {
  let nowMs = 0;
  let kept: KeepingRecorder;
  let events: CampaignEvents;
  let spans: RoundSpans;
  beforeEach(() => {
    nowMs = 0;
    kept = new KeepingRecorder();
    events = new CampaignEvents();
    spans = new RoundSpans(kept, { nowMs: () => nowMs }, events);
  });

  const reference = { roundId: 'r1', campaignId: 'c', campaignName: 'lungs', roundNumber: 1 };
  const round = (atMs: number, state: RoundState, code?: string): void => {
    nowMs = atMs;
    const event: CampaignEvent = {
      kind: 'round',
      ...reference,
      attempt: 1,
      atMs,
      state,
      ...(code === undefined ? {} : { code }),
    };
    events.publish([event]);
  };
  const part = (
    atMs: number,
    state: ParticipationState,
    changes: Partial<Extract<CampaignEvent, { kind: 'participation' }>> = {},
  ): void => {
    nowMs = atMs;
    events.publish([{ kind: 'participation', ...reference, participationId: 'p1', siteName: 'aare', atMs, state, ...changes }]);
  };

  it('follow phases and parts from beginning to end', async () => {
    round(0, 'planned');
    round(1, 'inviting');
    part(5, 'accepted');
    round(5, 'training');
    part(6, 'training');
    nowMs = 8;
    spans.received('p1', 70, 8);
    part(9, 'delivered');
    part(10, 'quarantined', { code: 'UPDATE_NORM_FAR' });
    round(11, 'aggregating');
    await expect(spans.during('fold', reference, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    round(20, 'failed', 'QUORUM_MISSED');
    expect(kept.lines).toEqual([
      '– > round: 0–20 QUORUM_MISSED',
      'round > phase planned: 0–1',
      'round > phase inviting: 1–5',
      'round > part: 0–9',
      'part > part invited: 0–5',
      'part > part accepted: 5–6',
      'round > phase training: 5–11',
      'part > part training: 6–9',
      'part > upload: 8–8',
      'part > part quarantined: 10–10 UPDATE_NORM_FAR',
      'round > phase aggregating: 11–20',
      'phase aggregating > fold: 11–11 INVARIANT',
    ]);
  });

  it('are not made of what comes after the end: late parts of buffered rounds, a fold that outlives a cancelled round', async () => {
    round(0, 'planned');
    part(1, 'accepted');
    round(2, 'cancelled');
    expect(kept.spans.find(({ name }) => name === 'part')?.facts).toMatchObject({ 'consilium.part.state': 'open' });
    const before = kept.spans.length;
    events.publish([
      {
        kind: 'participation',
        campaignId: 'c',
        campaignName: 'lungs',
        atMs: 3,
        roundNumber: 1,
        siteName: 'aare',
        state: 'delivered',
      },
    ]);
    expect(await spans.during('publish', reference, () => Promise.resolve(7))).toBe(7);
    spans.sent(new Set(['c']), 'aare', 10, 0);
    spans.received('p1', 10, 0);
    expect(kept.spans.length).toBe(before);
    expect(kept.lines.filter((line) => line.endsWith('open'))).toEqual([]);
  });

  it('mark a round that was under way at the start, and one that is under way at the end', async () => {
    nowMs = 100;
    await spans.during('fold', reference, () => Promise.resolve());
    expect(kept.spans[0]?.facts).toMatchObject({ 'consilium.resumed': true, 'consilium.round.id': 'r1' });
    await spans.onApplicationShutdown();
    expect(kept.spans[0]).toMatchObject({ ended: '100–100', facts: { 'consilium.interrupted': true } });
    expect(kept.isClosed).toBe(true);
  });
});
