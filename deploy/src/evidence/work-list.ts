import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, digestOfJson, required } from '@consilium/shared/kernel';
import { parse } from 'yaml';
import { laidOver, type PretrainingPlan, type ProbePlan, type Protocol, type TaskPlan } from './protocol.js';

interface AnyRun {
  readonly id: string;
  /** Of all that decides the outcome. */
  readonly inputs: Digest;
  /** Run only when asked for: a question that the results of the others raised. */
  readonly further: boolean;
}

/** One pretraining to run. */
export interface PretrainingRun extends AnyRun {
  readonly kind: 'pretraining';
  readonly name: string;
  readonly seed: number;
  readonly plan: PretrainingPlan;
  /** The recipe or campaign file with the changes and the seed. */
  readonly settings: Record<string, unknown>;
}

/** One reading of how much of the modality is left in a pretrained model's features. */
export interface ProbeRun extends AnyRun {
  readonly kind: 'probe';
  readonly probe: string;
  readonly plan: ProbePlan;
  readonly from: PretrainingRun;
}

/** One fine-tuning with its evaluation on the held-out cases. */
export interface FinetuningRun extends AnyRun {
  readonly kind: 'finetuning';
  readonly arm: string;
  readonly taskName: string;
  readonly plan: TaskPlan;
  /** Labelled training cases; undefined for all there are. */
  readonly labels: number | undefined;
  readonly seed: number;
  /** The pretraining that it starts from; undefined for scratch. */
  readonly from: PretrainingRun | undefined;
  /** The task file with the arm's changes and the seed, without cases and start. */
  readonly settings: Record<string, unknown>;
}

export type EvidenceRun = PretrainingRun | ProbeRun | FinetuningRun;

/**
 * All runs of a protocol in the order in which they are worth having: pretrainings and their probes, then label counts in the protocol's order with
 * every arm and seed, so that a piece that ends early leaves whole comparisons behind. `folder` holds the files that it names.
 */
export function workList(protocol: Protocol, folder: string): EvidenceRun[] {
  const pretrainings = Object.entries(protocol.pretrainings).flatMap(([name, plan]) =>
    plan.seeds.map((seed) => pretrainingRun(name, plan, seed, folder)),
  );
  const byName = new Map<string, PretrainingRun[]>();
  for (const run of pretrainings) byName.set(run.name, [...(byName.get(run.name) ?? []), run]);
  const rounds = Math.max(...Object.values(protocol.tasks).map(({ labels }) => labels?.length ?? 1));
  const finetunings: FinetuningRun[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [taskName, plan] of Object.entries(protocol.tasks)) {
      const labels = plan.labels?.[round];
      if (round >= (plan.labels?.length ?? 1)) continue;
      for (const seed of protocol.seeds) {
        for (const [arm, { from, on, changes }] of Object.entries(protocol.arms)) {
          if (on?.includes(comparisonOf(taskName, labels)) === false || plan.arms?.includes(arm) === false) continue;
          const starts = from === undefined ? undefined : required(byName.get(from), 'the pretraining of an arm');
          // With several pretraining seeds each fine-tuning seed takes the next one.
          const start = starts?.[protocol.seeds.indexOf(seed) % starts.length];
          finetunings.push(finetuningRun({ arm, taskName, plan, labels, seed, from: start, changes }, folder));
        }
      }
    }
  }
  const probes = Object.entries(protocol.probes).flatMap(([name, plan]) =>
    plan.models.flatMap((model) =>
      required(byName.get(model), 'the pretraining of a probe').map((from) => probeRun(name, plan, from)),
    ),
  );
  return [...pretrainings, ...probes, ...finetunings];
}

function probeRun(probe: string, plan: ProbePlan, from: PretrainingRun): ProbeRun {
  const { sites, files = null, patch, patchesPerVolume } = plan;
  const inputs = digestOfJson({ sites, files, patch, patchesPerVolume, from: from.inputs });
  const id = `probe-${probe}-${from.name}-seed${from.seed}`;
  return { kind: 'probe', id, inputs, further: from.further, probe, plan, from };
}

function pretrainingRun(name: string, plan: PretrainingPlan, seed: number, folder: string): PretrainingRun {
  const file = plan.kind === 'central' ? plan.recipe : plan.campaign;
  const settings = settingsOf(join(folder, file), plan.changes, { seed });
  const who = plan.kind === 'central' ? plan.holdings : plan.sites;
  return {
    kind: 'pretraining',
    id: `pretrain-${name}-seed${seed}`,
    inputs: digestOfJson({ kind: plan.kind, who, settings }),
    further: plan.further === true,
    name,
    seed,
    plan,
    settings,
  };
}

/** The runs whose names contain any of the texts; without a text all of them, or all but the further ones. */
export function chosenRuns(
  runs: readonly EvidenceRun[],
  { only, further }: { readonly only: readonly string[]; readonly further: boolean },
): EvidenceRun[] {
  if (only.length > 0) return runs.filter(({ id }) => only.some((text) => id.includes(text)));
  return runs.filter((run) => further || !run.further);
}

/** All arms at one task and label count. */
function comparisonOf(taskName: string, labels: number | undefined): string {
  return `${taskName}-${labels === undefined ? 'all' : `n${labels}`}`;
}

function finetuningRun(
  given: Omit<FinetuningRun, 'kind' | 'id' | 'inputs' | 'further' | 'settings'> & { readonly changes: unknown },
  folder: string,
): FinetuningRun {
  const { changes, ...choice } = given;
  const { data, longer = {}, task, changes: ofTask } = choice.plan;
  const steps = choice.labels === undefined ? undefined : longer[choice.labels];
  const training = { ...(steps !== undefined && { steps }), seed: choice.seed };
  const settings = settingsOf(join(folder, task), ofTask, changes, { training });
  return {
    ...choice,
    kind: 'finetuning',
    id: [comparisonOf(choice.taskName, choice.labels), choice.arm, `seed${choice.seed}`].join('-'),
    inputs: digestOfJson({ data, labels: choice.labels ?? null, from: choice.from?.inputs ?? null, settings }),
    further: choice.plan.further === true || choice.from?.further === true,
    settings,
  };
}

/** The file's settings with the changes laid over them, one after the other. */
function settingsOf(path: string, ...changes: readonly unknown[]): Record<string, unknown> {
  return changes.reduce(laidOver, parse(readFileSync(path, 'utf8'))) as Record<string, unknown>;
}
