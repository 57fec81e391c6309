/** Entry of a thread that folds pieces: one plan after another, until the process ends. */
import { parentPort } from 'node:worker_threads';
import { FederationError, required } from '@consilium/shared/kernel';
import { type FoldMemory, openFoldMemory } from './fold-memory.js';
import type { FoldPlan } from './fold-plan.js';
import type { ThreadAnswer, ThreadTask } from './fold-threads.js';
import { PieceFolder } from './piece-folder.js';

const port = required(parentPort, 'the port of a thread');

let memory: FoldMemory | undefined;
let plan: FoldPlan | undefined;
let folder: PieceFolder | undefined;

port.on('message', (task: ThreadTask) => {
  port.postMessage(answerTo(task));
});

function answerTo(task: ThreadTask): ThreadAnswer {
  try {
    return answer(task);
  } catch (thrown) {
    const error = FederationError.from(thrown, 'STORAGE_FAILED');
    return { kind: 'failed', report: error.toReport(), remedy: error.remedy };
  }
}

function answer(task: ThreadTask): ThreadAnswer {
  if (task.kind === 'begin') {
    const { inputElements } = task.plan;
    if (memory === undefined || memory.inputs.length < inputElements) memory = openFoldMemory(inputElements);
    plan = task.plan;
    folder = new PieceFolder(plan, memory);
    return { kind: 'ready', buffer: memory.kernels.buffer };
  }
  const piece = required(plan?.pieces[task.piece], 'the piece of a task');
  const current = required(folder, 'a plan to fold by');
  if (task.kind === 'distances') return { kind: 'distances', sums: current.distances(piece) };
  const { byteOffset, byteLength } = current.fold(piece, task.slot);
  return { kind: 'folded', byteOffset, byteLength };
}
