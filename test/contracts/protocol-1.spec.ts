import { digestOfBytes } from '@consilium/shared/kernel';
import { initialWeights } from '@consilium/shared/models';
import { readSafetensors } from '@consilium/shared/weights';
import { blobPath, MODEL, moved } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate, eventually } from '../fixtures/raw-site.js';
import {
  ANSWERS_1,
  enrolment1,
  enrolmentAnswer1,
  errorReport1,
  handshake1,
  REQUESTS_1,
  TOLD_1,
} from '../fixtures/sessions/protocol-1/messages.js';
import { ReplayedSites } from '../fixtures/sessions/replay-sites.js';
import { readSession, type Session } from '../fixtures/sessions/session.js';
import { SessionValues } from '../fixtures/sessions/session-values.js';

const campaign = readSession('protocol-1/campaign.json');
const refusals = readSession('protocol-1/refusals.json');
const MESSAGES = { answers: ANSWERS_1, told: TOLD_1, enrolmentAnswer: enrolmentAnswer1, errorReport: errorReport1 };

/** The recorded updates, made again. */
function updatesOf(session: Session): Record<string, Uint8Array> {
  const updates = Object.entries(session.files).filter(([, { constant }]) => constant !== undefined);
  return Object.fromEntries(updates.map(([name, { constant = 0 }]) => [name, constantUpdate(MODEL, constant)]));
}

function outcomeOf({ state, roundViews }: Awaited<ReturnType<typeof campaignView>>): Session['outcome'] {
  const rounds = roundViews.map(({ number, participations }) => ({
    number,
    participations: participations.map(({ siteName, state, code, patches }) => ({ siteName, state, code, patches })),
  }));
  return { state, rounds };
}

describe('the recorded sessions of protocol 1', () => {
  it('hold what they are meant to hold', () => {
    const told = campaign.steps.flatMap((step) => ('event' in step ? [step.event] : []));
    for (const event of Object.keys(REQUESTS_1)) expect(told).toContain(event);
    const offers = campaign.steps.filter((step) => 'event' in step && step.event === 'update:offer' && step.site === 'aare');
    expect(offers.map((step) => 'answerLost' in step)).toEqual([true, false, false, false]);
    expect(campaign.steps.filter((step) => 'cutAfter' in step)).toHaveLength(1);
    expect(campaign.outcome?.state).toBe('finished');
  });

  it('fit the frozen messages, so that those are really of that version', () => {
    const digests = Object.keys(campaign.files).map((name) => [`digest of ${name}`, digestOfBytes(name)]);
    for (const session of [campaign, refusals]) {
      const plans = [1, 2, 3].map((round) => [`digest of the plan of round ${round}`, digestOfBytes(`plan ${round}`)]);
      const values = new SessionValues(Object.fromEntries([...digests, ...plans]) as Record<string, string>);
      const fill = (value: unknown): unknown =>
        values.fill(JSON.parse(JSON.stringify(value).replace(/<(?!digest|milliseconds)([^<>]+)>/g, 'name')));
      for (const step of session.steps) {
        if ('event' in step) {
          ANSWERS_1[step.event]?.parse(fill(step.answer));
          const { success } = REQUESTS_1[step.event]?.safeParse(fill(step.body)) ?? { success: false };
          expect([step.event, success]).toEqual([step.event, !JSON.stringify(step.answer).includes('MESSAGE_REFUSED')]);
        } else if ('told' in step) TOLD_1[step.told]?.parse(step.body);
        else if ('connect' in step) handshake1.parse(step.connect);
        else if ('path' in step && step.path.endsWith('enrolment')) enrolment1.parse(step.body);
      }
    }
  });
});

describe('sites of protocol 1 and today’s coordinator', () => {
  let coordinator: TestCoordinator;
  let sites: ReplayedSites;

  beforeEach(async () => {
    coordinator = await TestCoordinator.open();
  });

  afterEach(async () => {
    sites.close();
    await coordinator.remove();
  });

  it('go through the recorded campaign to the recorded end, and are refused in the recorded words', async () => {
    const values = new SessionValues();
    const updates = updatesOf(campaign);
    for (const [name, bytes] of Object.entries(updates)) {
      const digest = digestOfBytes(bytes);
      expect(digest).toBe(campaign.files[name]?.digest); // the very bytes of the recording
      values.set(`digest of ${name}`, digest);
    }
    for (const [site, token] of [
      ['aare', 'token of aare'],
      ['limmat', 'token of limmat'],
    ] as const) {
      values.set(token, ((await askOperator(coordinator, 'POST', '/api/sites', { name: site })) as { token: string }).token);
    }
    sites = new ReplayedSites(coordinator.url, values, MESSAGES, updates);
    const joined = campaign.steps.findIndex((step) => 'told' in step);
    await sites.play(campaign.steps.slice(0, joined));
    await askOperator(coordinator, 'POST', '/api/campaigns', campaign.plan);
    await sites.play(campaign.steps.slice(joined));

    const view = await eventually(async () => {
      const now = await campaignView(coordinator, 'recorded');
      return now.state === 'finished' ? now : undefined;
    });
    expect(outcomeOf(view)).toEqual(campaign.outcome);
    for (const site of ['aare', 'limmat']) {
      expect(new Set(sites.told.get(site))).toEqual(new Set(['site:nudge']));
    }
    // Rounds 1 and 2: 0.5 each. Round 3: (10 × 0.5 + 30 × −0.25) / 40 = −0.0625.
    let weights = initialWeights(MODEL, 7);
    for (const [index, move] of [0.5, 0.5, -0.0625].entries()) {
      const { weights: real } = await readSafetensors(blobPath(coordinator, view.roundViews[index]?.version?.digest ?? ''));
      expect(real.map(({ values: numbers }) => [...numbers])).toEqual(moved(weights, move));
      weights = real;
    }

    const olderAgents = refusals.steps.filter((step) => !JSON.stringify(step).includes('"protocolVersion":2'));
    expect(refusals.steps.length - olderAgents.length).toBe(2);
    await sites.play(olderAgents);
  }, 60_000);
});
