import { join } from 'node:path';

/** What a pretraining leaves in its output folder. */
export interface PretrainFolder {
  readonly path: string;
  /** The best weights, as "finetune --from" reads them. */
  readonly modelFile: string;
  readonly historyFile: string;
  readonly summaryFile: string;
  /** The recipe, with every default written out. */
  readonly recipeFile: string;
  /** The course in numbers, for a spreadsheet, and in a picture. */
  readonly curvesTable: string;
  readonly curvesPicture: string;
  /** Checkpoints and the best weights so far; gone once the model is written. */
  readonly workFolder: string;
  readonly bestFile: string;
  readonly memoryFile: string;
  /** The index and the prepared volumes of a folder named with --data; a site folder of its own. */
  readonly collectionHome: string;
}

export function pretrainFolder(path: string): PretrainFolder {
  const workFolder = join(path, 'work');
  return {
    path,
    modelFile: join(path, 'model.safetensors'),
    historyFile: join(path, 'history.json'),
    summaryFile: join(path, 'summary.json'),
    recipeFile: join(path, 'recipe.yaml'),
    curvesTable: join(path, 'curves.csv'),
    curvesPicture: join(path, 'curves.svg'),
    workFolder,
    bestFile: join(workFolder, 'best.safetensors'),
    memoryFile: join(workFolder, 'memory.json'),
    collectionHome: join(workFolder, 'collection'),
  };
}
