import type { Protocol } from './protocol.js';
import type { RunStore } from './run-store.js';
import type { EvidenceRun } from './work-list.js';

/** How well modality is read from the frozen features of each probed model. */
export function probeLines(protocol: Protocol, runs: readonly EvidenceRun[], store: RunStore): string[] {
  const probes = runs.flatMap((run) => {
    const figures = run.kind === 'probe' ? store.find(run)?.figures : undefined;
    return run.kind === 'probe' && figures !== undefined ? [{ run, figures }] : [];
  });
  if (probes.length === 0) return [];
  const rows = probes.map(({ run, figures }) => {
    const shown = (name: string): string => figures[name]?.toFixed(2) ?? '–';
    const withInterval = (name: string): string => `${shown(name)} (${shown(`${name}.low`)} to ${shown(`${name}.high`)})`;
    const examples = `${figures['examples']} of ${figures['groups']}`;
    return `| ${run.probe} | ${run.from.name} | ${withInterval('linear.auc')} | ${withInterval('perceptron.auc')} | ${examples} |`;
  });
  return [
    '## Modality in frozen features',
    '',
    'A fresh logistic regression and a small perceptron read CT or MR from the mean of the bottleneck over clean patches, in folds by',
    'patient. Area under the ROC curve with its 95 % interval over patients; 0.5 is chance, and what can be read on all regions but not',
    'on the limbs is the region rather than the modality.',
    '',
    '| volumes | model | linear | perceptron | patches of patients |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...Object.entries(protocol.probes).map(([name, { describe }]) => `- **${name}**: ${describe}`),
    '',
  ];
}
