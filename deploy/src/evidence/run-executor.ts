import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestOfFile, FederationError } from '@consilium/shared/kernel';
import type { CampaignView } from '@consilium/shared/wire';
import type { ProgramGroup } from '../programs/program-group.js';
import { PROJECT_ROOT } from '../programs/project.js';
import { pretrainCentrally } from './central-pretraining.js';
import { pretrainFederated } from './federated-pretraining.js';
import { runFinetuning } from './finetune-run.js';
import type { RunResult, RunStore } from './run-store.js';
import type { ShelfData } from './shelf-data.js';
import { targetCases } from './target-cases.js';
import type { EvidenceRun, FinetuningRun, PretrainingRun } from './work-list.js';

export interface EvidenceFolders {
  /** Scratch of runs under way. */
  readonly work: string;
  /** Pretrained models; kept for the fine-tunings, not in the repository. */
  readonly models: string;
}

type Outcome = Omit<RunResult, 'id' | 'inputs' | 'wallSeconds' | 'software' | 'machine'>;

/** Executes single runs of the protocol and keeps their results. */
export class RunExecutor {
  constructor(
    private readonly group: ProgramGroup,
    private readonly data: ShelfData,
    private readonly store: RunStore,
    private readonly folders: EvidenceFolders,
    private readonly say: (line: string) => void,
  ) {}

  async execute(run: EvidenceRun): Promise<void> {
    const startedMs = Date.now();
    mkdirSync(this.folders.models, { recursive: true });
    const outcome = run.kind === 'pretraining' ? await this.pretrain(run) : await this.finetune(run);
    const wallSeconds = Math.round((Date.now() - startedMs) / 100) / 10;
    this.store.put({
      id: run.id,
      inputs: run.inputs,
      wallSeconds,
      software: softwareFacts(),
      machine: machineFacts(),
      ...outcome,
    });
  }

  private async pretrain({ id, plan, settings }: PretrainingRun): Promise<Outcome> {
    const [folder, modelFile] = [join(this.folders.work, 'pretraining', id), this.modelFile(id)];
    if (plan.kind === 'central') {
      const { digest, figures } = await pretrainCentrally(this.group, this.data, {
        holdings: plan.holdings,
        settings,
        folder,
        modelFile,
      });
      return { modelDigest: digest, figures };
    }
    const campaign = await pretrainFederated(this.group, this.data, { sites: plan.sites, settings, folder, modelFile }, this.say);
    return { modelDigest: await digestOfFile(modelFile), figures: figuresOf(campaign) };
  }

  private async finetune(run: FinetuningRun): Promise<Outcome> {
    const from = run.from && (await this.startOf(run.from));
    const cases = targetCases(this.data, run.plan, run.labels, this.folders.work);
    const task = { ...run.settings, ...cases };
    const folder = join(this.folders.work, 'finetuning', run.id);
    const { digest, figures, cases: scores, curves } = await runFinetuning(this.group, run.id, { task, from, folder });
    return { modelDigest: digest, figures, cases: scores, curves };
  }

  /** The pretrained model of a finished run, which must still be the one that the result names. */
  private async startOf(pretraining: PretrainingRun): Promise<string> {
    const path = this.modelFile(pretraining.id);
    const expected = this.store.find(pretraining)?.modelDigest;
    if (expected !== undefined && existsSync(path) && (await sameDigest(path, expected))) return path;
    throw new FederationError('NOT_FOUND', `the model of ${pretraining.id} is not here`, {
      remedy: `Pretrain it again: remove its file in docs/evidence/runs, then npm run evidence -- --only ${pretraining.id}`,
    });
  }

  private modelFile(id: string): string {
    return join(this.folders.models, `${id}.safetensors`);
  }
}

async function sameDigest(path: string, expected: string | null): Promise<boolean> {
  if (expected === null) return false;
  return (await digestOfFile(path, (expected as Digest).startsWith('blake3:') ? 'blake3' : 'sha256')) === expected;
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

function machineFacts(): RunResult['machine'] {
  return { processor: cpus()[0]?.model.trim() ?? 'unknown', cores: cpus().length };
}
