import { digestOfBytes } from '@consilium/shared/kernel';
import { type FederatedPassport, type FinetunedPassport, type LineageLink, sealed, verifyPassport } from './model-passport.js';

const digest = (text: string) => digestOfBytes(text, 'blake3');

function lineage(): LineageLink[] {
  const links: LineageLink[] = [];
  for (const number of [1, 2, 3]) {
    const before = links.at(-1);
    const updates = [5, 7].map((patches) => ({ digest: digest(`update ${number} ${patches}`), patches }));
    links.push(
      sealed({
        number,
        digest: digest(`version ${number}`),
        parent: before?.digest ?? null,
        round: before === undefined ? null : { number: number - 1, attempt: 1, sites: 2, patches: 12, updates },
        previous: before?.seal ?? null,
      }),
    );
  }
  return links;
}

function federated(fields: Partial<FederatedPassport> = {}): FederatedPassport {
  return sealed({
    format: 1 as const,
    kind: 'federated' as const,
    model: {
      digest: digest('version 3'),
      digestAlgorithm: 'blake3' as const,
      bytes: 100,
      spec: { architecture: 'later', width: 2 },
    },
    campaign: { name: 'chest', planDigest: digest('plan'), seed: 1, objective: {}, recipe: { name: 'fedavg' }, training: {} },
    lineage: lineage(),
    scores: [{ number: 3, sites: 2, meanSkill: 0.4, meanRestorationError: 0.02 }],
    software: { coordinator: '0.1.0' },
    ...fields,
  });
}

function finetuned(origin: FederatedPassport | null, startedFrom = origin?.model.digest ?? null): FinetunedPassport {
  return sealed({
    format: 1 as const,
    kind: 'fine-tuned' as const,
    model: { digest: digest('mine'), digestAlgorithm: 'blake3' as const, bytes: 90, spec: {} },
    finetuning: {
      ...{ task: 'liver', kind: 'segmentation', classes: ['liver'], steps: 100, bestStep: 50, seed: 1, validationDice: 0.8 },
      cases: { train: 3, validation: 1, test: 0 },
    },
    startedFrom,
    origin,
    software: {},
  });
}

/** As it comes from a file. */
const read = (passport: unknown): unknown => JSON.parse(JSON.stringify(passport));
const refusal = (passport: unknown): string => {
  try {
    verifyPassport(read(passport));
  } catch (error) {
    return String((error as Error).message);
  }
  throw new Error('nothing was refused');
};

describe('a passport', () => {
  it('is valid as it was written, whatever the order of its members', () => {
    expect(verifyPassport(read(federated()))).toEqual(federated());
    const turned = Object.fromEntries(Object.entries(federated()).reverse());
    expect(verifyPassport(read(turned))).toEqual(federated());
    expect(verifyPassport(read(finetuned(federated())))).toEqual(finetuned(federated()));
    expect(verifyPassport(read(finetuned(null)))).toEqual(finetuned(null));
  });

  it('names the place where a single figure was changed', () => {
    const text = JSON.stringify(federated());
    const changed = (from: string, to: string): unknown => JSON.parse(text.replace(from, to));
    expect(refusal(changed('"patches":7', '"patches":8'))).toMatch(/version 2 of its history was changed/);
    expect(refusal(changed('"meanSkill":0.4', '"meanSkill":0.5'))).toMatch(/seal is not that of its content/);
    expect(refusal(changed('"seed":1', '"seed":2'))).toMatch(/seal is not that of its content/);
  });

  it('holds together even when what was changed is sealed again', () => {
    const [first, second, third] = lineage() as [LineageLink, LineageLink, LineageLink];
    const reseal = (link: LineageLink, fields: Partial<LineageLink>): LineageLink => {
      const { number, digest: own, parent, round, previous } = link;
      return sealed({ number, digest: own, parent, round, previous, ...fields });
    };
    expect(refusal(federated({ lineage: [first, third] }))).toMatch(/version 3 of its history is not the one that comes next/);
    const other = reseal(second, { digest: digest('another') });
    expect(refusal(federated({ lineage: [first, other, third] }))).toMatch(
      /version 3 of its history is not sealed to the one before/,
    );
    expect(refusal(federated({ lineage: [first, other, reseal(third, { previous: other.seal })] }))).toMatch(/made from another/);
    expect(refusal(federated({ lineage: [first, second] }))).toMatch(/ends with another model/);
    const round = { ...(second.round as NonNullable<LineageLink['round']>), sites: 3 };
    expect(refusal(federated({ lineage: [first, reseal(second, { round })] }))).toMatch(/counts other updates/);
  });

  it('of a fine-tuned model stands on that of what it started from', () => {
    expect(refusal(finetuned({ ...federated(), seal: digest('x') }))).toMatch(/seal is not that of its content/);
    expect(refusal(finetuned(federated(), digest('another start')))).toMatch(/started from another model/);
    const broken = read(finetuned(federated())) as { origin: { lineage: { digest: string }[] } };
    (broken.origin.lineage[0] as { digest: string }).digest = digest('forged');
    expect(refusal(broken)).toMatch(/version 1 of its history was changed/);
  });

  it.each([null, 'text', [], {}, { kind: 'federated' }, { ...federated(), patient: 'name' }])('is refused as %j', (value) => {
    expect(refusal(value)).toMatch(/passport/);
  });
});
