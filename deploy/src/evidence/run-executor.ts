import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { digestOfFile, required } from '@consilium/shared/kernel';
import type { CampaignView } from '@consilium/shared/wire';
import { readProcessorFlags } from '@consilium/site-agent/dist/engine/devices/bfloat16-support.js';
import type { ProgramGroup } from '../programs/program-group.js';
import { PROJECT_ROOT } from '../programs/project.js';
import { pretrainCentrally } from './central-pretraining.js';
import { federationLog, pretrainFederated } from './federated-pretraining.js';
import { runFinetuning } from './finetune-run.js';
import type { MadeModels, StartModel } from './made-models.js';
import { runModalityProbe } from './modality-probe-run.js';
import type { RunResult, RunStore } from './run-store.js';
import type { ShelfData } from './shelf-data.js';
import { targetCases } from './target-cases.js';
import type { EvidenceRun, FinetuningRun, PretrainingRun, ProbeRun } from './work-list.js';

const OTHER_BYTES =
  'made again, it has other bytes than the repository’s results tell of, as happens on another processor; ' +
  'the pages mark what starts from it';

type Outcome = Omit<RunResult, 'id' | 'inputs' | 'wallSeconds' | 'software' | 'machine'>;

export interface ExecutorParts {
  readonly group: ProgramGroup;
  readonly data: ShelfData;
  readonly store: RunStore;
  readonly models: MadeModels;
  /** A folder for what runs under way need. */
  readonly work: string;
  /** Runs that share the processor. */
  readonly jobs: number;
  readonly warn: (line: string) => void;
}

/** Executes single runs of the protocol and keeps their results; several may be under way at once. */
export class RunExecutor {
  private readonly threads: number;
  private readonly pretrainingAgain = new Map<string, Promise<RunResult>>();

  constructor(private readonly parts: ExecutorParts) {
    this.threads = Math.max(1, Math.floor(availableParallelism() / parts.jobs));
  }

  async execute(run: EvidenceRun): Promise<RunResult> {
    const from = run.kind === 'pretraining' || run.from === undefined ? undefined : await this.startOf(run.from);
    const startedMs = Date.now();
    const outcome = await this.outcomeOf(run, from);
    const wallSeconds = Math.round((Date.now() - startedMs) / 100) / 10;
    const { id, inputs } = run;
    const result = { id, inputs, wallSeconds, software: softwareFacts(), machine: this.machineFacts(), ...outcome };
    if (run.kind !== 'pretraining') this.parts.store.put(result);
    else if (!this.parts.models.keep(run, result)) this.parts.warn(`${id}: ${OTHER_BYTES}`);
    return result;
  }

  /** What tells of a run that is under way: its own log and that of the pretraining that it may wait for. */
  logsOf(run: EvidenceRun): readonly string[] {
    const from = run.kind === 'pretraining' ? undefined : run.from;
    return [run, ...(from === undefined ? [] : [from])].map((one) => this.logFile(one));
  }

  private outcomeOf(run: EvidenceRun, from: StartModel | undefined): Promise<Outcome> {
    switch (run.kind) {
      case 'pretraining':
        return this.pretrain(run);
      case 'probe':
        return this.probe(run, required(from, 'the model of a probe'));
      case 'finetuning':
        return this.finetune(run, from);
    }
  }

  private async pretrain(run: PretrainingRun): Promise<Outcome> {
    const { plan, settings } = run;
    const place = { settings, folder: this.folder(run), modelFile: this.parts.models.fileOf(run), threads: this.threads };
    if (plan.kind === 'central') {
      const central = { holdings: plan.holdings, logFile: this.logFile(run), ...place };
      const { digest, figures } = await pretrainCentrally(this.parts.group, this.parts.data, central);
      return { startDigest: null, modelDigest: digest, figures };
    }
    const campaign = await pretrainFederated(this.parts.group, this.parts.data, { sites: plan.sites, ...place });
    return { startDigest: null, modelDigest: await digestOfFile(place.modelFile), figures: figuresOf(campaign) };
  }

  private async probe(run: ProbeRun, { path, digest }: StartModel): Promise<Outcome> {
    const place = { folder: this.folder(run), logFile: this.logFile(run) };
    const figures = await runModalityProbe(this.parts.group, this.parts.data, { plan: run.plan, model: path, ...place });
    return { startDigest: digest, modelDigest: null, figures };
  }

  private async finetune(run: FinetuningRun, from: StartModel | undefined): Promise<Outcome> {
    const cases = targetCases(this.parts.data, run.plan, run.labels, this.parts.work);
    const plan = {
      task: { ...run.settings, ...cases },
      from: from?.path,
      folder: this.folder(run),
      logFile: this.logFile(run),
      threads: this.threads,
    };
    const { digest, ...came } = await runFinetuning(this.parts.group, run.id, plan);
    return { startDigest: from?.digest ?? null, modelDigest: digest, ...came };
  }

  /** The pretrained model of a run; one that is missing here is pretrained again, once for all that wait for it. */
  private async startOf(pretraining: PretrainingRun): Promise<StartModel> {
    const made = await this.parts.models.find(pretraining);
    if (made !== undefined) return made;
    const underWay = this.pretrainingAgain.get(pretraining.id) ?? this.execute(pretraining);
    this.pretrainingAgain.set(pretraining.id, underWay);
    const { modelDigest } = await underWay;
    return { path: this.parts.models.fileOf(pretraining), digest: required(modelDigest, `the digest of ${pretraining.id}`) };
  }

  private folder({ kind, id }: EvidenceRun): string {
    return join(this.parts.work, kind, id);
  }

  private logFile(run: EvidenceRun): string {
    const isFederated = run.kind === 'pretraining' && run.plan.kind !== 'central';
    return isFederated ? federationLog(this.folder(run)) : join(this.folder(run), 'run.log');
  }

  private machineFacts(): RunResult['machine'] {
    const processor = cpus()[0]?.model.trim() ?? 'unknown';
    return {
      processor,
      vectors: vectorsOf(readProcessorFlags()),
      cores: cpus().length,
      jobs: this.parts.jobs,
      threads: this.threads,
    };
  }
}

function vectorsOf(flags: readonly string[]): RunResult['machine']['vectors'] {
  if (flags.includes('avx512f')) return 'AVX-512';
  return flags.includes('avx2') ? 'AVX2' : 'other';
}

/** Skill of the last version, as the sites scored it: the mean over sites, and each of its groups. */
function figuresOf({ version, rounds }: CampaignView): Record<string, number | null> {
  const scores = version.scores.map(({ score }) => score);
  const mean = (values: readonly number[]): number | null =>
    values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  const groups = new Map<string, number[]>();
  for (const { groups: own = [] } of scores) {
    for (const { modality, treatment, skill } of own) {
      const name = `skill.${[modality, treatment].filter(Boolean).join('.')}`;
      groups.set(name, [...(groups.get(name) ?? []), skill]);
    }
  }
  return {
    rounds,
    'skill.all': mean(scores.map(({ skill }) => skill)),
    ...Object.fromEntries([...groups].map(([name, skills]) => [name, mean(skills)])),
  };
}

function softwareFacts(): RunResult['software'] {
  let commit: string | null = null;
  try {
    commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: PROJECT_ROOT, encoding: 'utf8' }).trim();
  } catch {
    // A copy without its history has no commit to name.
  }
  return { version: '0.1.0', commit, node: process.version };
}
