import { formatBytes } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import type { ProfileRow, StepProfile } from '../engine/profile/step-profile.js';
import type { ProfileResult } from '../trainer/trainer-messages.js';

/** What `--json` gives. */
export interface ProfileReport extends Omit<ProfileResult, 'records'> {
  readonly threads: number;
}

/** Rows below both shares are summed up as "other". */
const LEAST_SHARE = 0.005;

/** A profile as text: a few lines, then one table by layer and one by operation. */
export function describeProfile({ profile, ...report }: ProfileReport): string {
  return [
    describeTraining(report),
    describeTime(profile, report.onGpu),
    describeMemory(profile, report.peakResidentBytes),
    '',
    table('layer', profile.byLayer, profile),
    '',
    table('operation', profile.byOperation, profile),
  ].join('\n');
}

function describeTraining({ training, threads, library, onGpu }: Omit<ProfileReport, 'profile'>): string {
  const { spec, patches, sizeVoxels, precision, optimizer } = training;
  const device = onGpu ? 'GPU' : `${threads} threads`;
  const work = `${patches} ${patches === 1 ? 'patch' : 'patches'} of ${sizeVoxels.join(' × ')}, ${precision}, ${optimizer.kind}`;
  return `${spec.architecture}, width ${'width' in spec ? spec.width : '–'}, ${spec.norm} norm: ${work}; ${library}, ${device}`;
}

function describeTime(profile: StepProfile, onGpu: boolean): string {
  const { stepMilliseconds, forwardMilliseconds, backwardMilliseconds, javascriptMilliseconds } = profile;
  const part = (name: string, milliseconds: number): string =>
    `${name} ${ms(milliseconds)} (${percent(milliseconds / stepMilliseconds)})`;
  const parts = [
    part('forward, loss and update', forwardMilliseconds),
    part('backward', backwardMilliseconds),
    part('JavaScript', javascriptMilliseconds),
  ];
  const note = onGpu ? '\nA GPU answers before it is done: times are those of starting its work, and reading waits for it.' : '';
  return `step ${ms(stepMilliseconds)}, mean of ${profile.steps}: ${parts.join(', ')}; ${profile.callsPerStep} calls${note}`;
}

function describeMemory({ peakTensorBytes, peakAt, peakResidentBytes }: StepProfile, processBytes: number): string {
  const place = `${peakAt.layer === '' ? '' : `${peakAt.layer}, `}${peakAt.direction}, ${peakAt.operation}`;
  const resident = `${formatBytes(peakResidentBytes)} after a call, ${formatBytes(processBytes)} at most`;
  return `memory: tensors at most ${formatBytes(peakTensorBytes)} (${place}); resident ${resident}`;
}

function table(what: string, rows: readonly ProfileRow[], { stepMilliseconds, javascriptMilliseconds }: StepProfile): string {
  const isLarge = ({ timeShare, memoryShare }: ProfileRow): boolean => timeShare >= LEAST_SHARE || memoryShare >= LEAST_SHARE;
  const small = rows.filter((row) => !isLarge(row));
  const shown = [...rows.filter(isLarge), ...(small.length === 0 ? [] : [summed(small)])];
  const cells = shown.map((row) => [
    row.name === '' ? 'other' : row.name,
    number(row.calls),
    row.milliseconds.toFixed(1),
    percent(row.timeShare),
    row.backwardMilliseconds.toFixed(1),
    (row.bytesAtPeak / 2 ** 20).toFixed(1),
    percent(row.memoryShare),
  ]);
  const share = percent(javascriptMilliseconds / stepMilliseconds);
  const script = ['JavaScript', '', javascriptMilliseconds.toFixed(1), share, '', '', ''];
  const headers = [what, 'calls', 'ms', 'time', 'of it backward', 'MiB at peak', 'memory'];
  return formatTable(headers, [...cells, script], { align: [undefined, ...headers.slice(1).map(() => 'right' as const)] });
}

function summed(rows: readonly ProfileRow[]): ProfileRow {
  const sum = (field: Exclude<keyof ProfileRow, 'name'>): number => rows.reduce((total, row) => total + row[field], 0);
  return {
    name: `${rows.length} others`,
    calls: sum('calls'),
    milliseconds: sum('milliseconds'),
    timeShare: sum('timeShare'),
    backwardMilliseconds: sum('backwardMilliseconds'),
    bytesAtPeak: sum('bytesAtPeak'),
    memoryShare: sum('memoryShare'),
  };
}

function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(milliseconds < 10 ? 2 : 0)} ms`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function number(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
