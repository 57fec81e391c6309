import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';

/** Everything the demonstration writes, below one folder. */
export interface OutputFolder {
  readonly root: string;
  readonly markerFile: string;
  readonly logs: string;
  readonly coordinatorHome: string;
  readonly campaignFile: string;
  readonly taskFile: string;
  readonly finetuning: string;
  readonly masks: string;
  /** The campaign's last version as the coordinator keeps it. */
  readonly pretrainedModel: string;
  readonly exportedModel: string;
  readonly summaryFile: string;
  siteHome(name: string): string;
}

export function outputFolder(root: string): OutputFolder {
  return {
    root,
    markerFile: join(root, '.consilium-demo'),
    logs: join(root, 'logs'),
    coordinatorHome: join(root, 'coordinator'),
    campaignFile: join(root, 'campaign.yaml'),
    taskFile: join(root, 'hippocampus.yaml'),
    finetuning: join(root, 'finetuning'),
    masks: join(root, 'masks'),
    pretrainedModel: join(root, 'first-light.safetensors'),
    exportedModel: join(root, 'export', 'first-light-pytorch.safetensors'),
    summaryFile: join(root, 'summary.json'),
    siteHome: (name) => join(root, name),
  };
}

/** Empties the folder of an earlier demonstration; any other folder with content is left alone and refused. */
export function openOutputFolder(root: string): OutputFolder {
  const output = outputFolder(root);
  if (existsSync(root) && readdirSync(root).length > 0) {
    if (!existsSync(output.markerFile)) {
      throw new FederationError('ARGUMENT_INVALID', `${root} is not empty and holds no earlier demonstration`, {
        remedy: 'Name another folder with --output.',
      });
    }
    rmSync(root, { recursive: true });
  }
  return output;
}
