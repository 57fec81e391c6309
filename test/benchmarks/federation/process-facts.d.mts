export function residentMiB(pid: number): number;
export function peakResidentMiB(pid: number): number;
export function forgetPeak(pid: number): void;
export function processorSeconds(pid: number): number;
