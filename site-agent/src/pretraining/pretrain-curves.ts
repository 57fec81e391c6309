import { type ProbeScore, VOXEL_TREATMENTS } from '@consilium/shared/wire';
import { writeFileWhole } from '@consilium/shared/weights';
import type { PretrainFolder } from './pretrain-folder.js';
import type { PretrainHistory, PretrainValidation } from './pretrain-history.js';

/** Skills that are followed over the steps. */
const SKILLS: Readonly<Record<string, (score: ProbeScore) => number | undefined>> = {
  all: ({ skill }) => skill,
  ...Object.fromEntries(
    (['CT', 'MR'] as const).map((modality) => [modality, (score: ProbeScore) => skillOf(score, { modality })]),
  ),
  ...Object.fromEntries(VOXEL_TREATMENTS.map((treatment) => [treatment, (score: ProbeScore) => skillOf(score, { treatment })])),
};

function skillOf(
  { groups = [] }: ProbeScore,
  { modality, treatment }: { modality?: string; treatment?: string },
): number | undefined {
  return groups.find((group) => group.modality === modality && group.treatment === treatment)?.skill;
}

/** Writes curves.csv and curves.svg: losses and skills over the steps, a row for each validation. */
export async function writeCurves(
  folder: PretrainFolder,
  history: Pick<PretrainHistory, 'recipe' | 'validations'>,
): Promise<void> {
  await writeFileWhole(folder.curvesTable, [Buffer.from(curvesTable(history.validations))]);
  await writeFileWhole(folder.curvesPicture, [Buffer.from(curvesPicture(history))]);
}

export function curvesTable(validations: readonly PretrainValidation[]): string {
  const head = [
    'step',
    'epoch',
    'training_loss',
    'validation_loss',
    'learning_rate',
    ...Object.keys(SKILLS).map((name) => `skill_${name}`),
  ];
  const rows = validations.map(({ step, epoch, trainingLoss, loss, learningRate, score }) =>
    [step, epoch, trainingLoss, loss, learningRate, ...Object.values(SKILLS).map((pick) => pick(score))]
      .map((value) => (value === undefined || value === null ? '' : String(Number(value.toPrecision(6)))))
      .join(','),
  );
  return `${[head.join(','), ...rows].join('\n')}\n`;
}

const [WIDTH, HEIGHT, LEFT, TOP, GAP] = [640, 200, 56, 28, 56];
const COLOURS = ['#111827', '#2563eb', '#dc2626', '#16a34a', '#9333ea', '#ea580c', '#0891b2'];

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [step: number, value: number])[];
}

/** Two charts, one below the other: losses, then skills. Standalone SVG. */
export function curvesPicture({ recipe, validations }: Pick<PretrainHistory, 'recipe' | 'validations'>): string {
  const line = (name: string, value: (validation: PretrainValidation) => number | null | undefined): Line => ({
    name,
    points: validations.flatMap((validation) => {
      const y = value(validation);
      return typeof y === 'number' ? [[validation.step, y] as const] : [];
    }),
  });
  const losses = [line('training loss', (v) => v.trainingLoss), line('validation loss', (v) => v.loss)];
  const skills = Object.entries(SKILLS)
    .map(([name, pick]) => line(`skill, ${name}`, ({ score }) => pick(score)))
    .filter(({ points }) => points.length > 0);
  const height = 2 * (HEIGHT + GAP) + TOP;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + 150} ${height}" font-family="sans-serif" font-size="11">
<title>Pretraining ${recipe}: losses and restoration skill over the steps</title>
${chart(losses, TOP, 0)}
${chart(skills, TOP + HEIGHT + GAP, -0.2)}
</svg>
`;
}

/** Values below `least` are drawn at the lower edge: a model that starts far off would flatten all that follows. */
function chart(lines: readonly Line[], top: number, least: number): string {
  const points = lines.flatMap((line) => line.points);
  const lastStep = Math.max(1, ...points.map(([step]) => step));
  const values = points.map(([, value]) => Math.max(least, value));
  const [low, high] = [Math.min(0, ...values), Math.max(1e-9, ...values)];
  const x = (step: number): string => (LEFT + (step / lastStep) * WIDTH).toFixed(1);
  const y = (value: number): string => (top + HEIGHT - ((Math.max(least, value) - low) / (high - low)) * HEIGHT).toFixed(1);
  const drawn = lines.map(({ name, points: own }, index) => {
    const colour = COLOURS[index % COLOURS.length] as string;
    const path = own.map(([step, value]) => `${x(step)},${y(value)}`).join(' ');
    const dots =
      own.length === 1 ? `<circle cx="${x(own[0]?.[0] ?? 0)}" cy="${y(own[0]?.[1] ?? 0)}" r="2.5" fill="${colour}"/>` : '';
    const legend = `<text x="${LEFT + WIDTH + 10}" y="${top + 12 + 15 * index}" fill="${colour}">${name}</text>`;
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>${dots}${legend}`;
  });
  return [
    `<path d="M${LEFT} ${top}V${top + HEIGHT}H${LEFT + WIDTH}" fill="none" stroke="#9ca3af"/>`,
    `<path d="M${LEFT} ${y(0)}H${LEFT + WIDTH}" stroke="#d1d5db"/>`,
    `<text x="${LEFT - 6}" y="${top + 8}" text-anchor="end">${high.toPrecision(2)}</text>`,
    `<text x="${LEFT - 6}" y="${top + HEIGHT}" text-anchor="end">${low.toPrecision(2)}</text>`,
    `<text x="${LEFT + WIDTH}" y="${top + HEIGHT + 16}" text-anchor="end">step ${lastStep}</text>`,
    ...drawn,
  ].join('\n');
}
