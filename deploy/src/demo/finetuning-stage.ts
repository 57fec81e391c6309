import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, digitsOf, FederationError } from '@consilium/shared/kernel';
import type { CampaignView } from '@consilium/shared/wire';
import { z } from 'zod';
import type { ProgramGroup } from '../programs/program-group.js';
import { COORDINATOR_PROGRAM, SITE_AGENT_PROGRAM } from '../programs/project.js';
import { type DemoPlan, FINETUNING_HOSPITAL } from './demo-plan.js';
import type { OutputFolder } from './output-folder.js';
import type { DemoSummary, FinetuneOutcome } from './summary.js';

const trainedModelSchema = z.object({
  modelPath: z.string(),
  trainingMs: z.number(),
  test: z.object({ meanDice: z.number(), cases: z.array(z.object({ name: z.string(), dice: z.number() })) }),
});
const finetuneSummarySchema = z.object({
  cases: z.object({ train: z.int(), test: z.int() }),
  model: trainedModelSchema,
  scratch: trainedModelSchema,
});

/** One hospital fine-tunes the federated model on its labels beside a scratch run, writes masks and exports the model. */
export async function runFinetuning(
  group: ProgramGroup,
  output: OutputFolder,
  plan: DemoPlan,
  campaign: CampaignView,
  say: (line: string) => void,
): Promise<Pick<DemoSummary, 'finetuning' | 'paths'>> {
  const log = join(output.logs, 'finetuning.log');
  const home = ['--home', output.siteHome(FINETUNING_HOSPITAL)];
  const site = (label: string, ...args: string[]): Promise<string> =>
    group.run(label, SITE_AGENT_PROGRAM, [...home, ...args], log, true);

  const base = pretrainedModel(output, campaign.version.digest);
  say(
    `${FINETUNING_HOSPITAL} fine-tunes version ${campaign.version.number} with ${plan.trainingCases} labelled cases, then the same from scratch`,
  );
  const finetune = ['finetune', output.taskFile, '--from', base, '--compare-scratch', '--output', output.finetuning, '--json'];
  const result = finetuneSummarySchema.parse(JSON.parse(await site('fine-tuning', ...finetune)));

  say(`${FINETUNING_HOSPITAL} writes masks of the ${plan.testImages.length} held-out cases`);
  await site('prediction', 'predict', '--model', result.model.modelPath, '--output', output.masks, ...plan.testImages);
  const pull = ['model', 'pull', campaign.name, '--output', output.pretrainedModel, '--home', output.coordinatorHome];
  await group.run('model pull', COORDINATOR_PROGRAM, pull, join(output.logs, 'operator.log'));
  await site('export', 'export', '--model', output.pretrainedModel, '--output', output.exportedModel);
  return {
    finetuning: {
      site: FINETUNING_HOSPITAL,
      labelledCases: result.cases.train,
      heldOutCases: result.cases.test,
      pretrained: outcomeOf(result.model),
      scratch: outcomeOf(result.scratch),
    },
    paths: {
      masks: readdirSync(output.masks).map((name) => join(output.masks, name)),
      exportedModel: output.exportedModel,
      logs: output.logs,
    },
  };
}

/** The final version lies in the site's folder already: the site fetched it to score it. */
function pretrainedModel(output: OutputFolder, digest: Digest): string {
  const path = join(output.siteHome(FINETUNING_HOSPITAL), 'models', `${digitsOf(digest)}.safetensors`);
  if (existsSync(path)) return path;
  throw new FederationError('NOT_FOUND', `${FINETUNING_HOSPITAL} does not hold the final version`, {
    remedy: `See the logs in ${output.logs}.`,
  });
}

function outcomeOf({ modelPath, trainingMs, test }: z.infer<typeof trainedModelSchema>): FinetuneOutcome {
  return {
    meanDice: test.meanDice,
    dicePerCase: Object.fromEntries(test.cases.map(({ name, dice }) => [name, dice])),
    trainingSeconds: Math.round(trainingMs / 100) / 10,
    model: modelPath,
  };
}
