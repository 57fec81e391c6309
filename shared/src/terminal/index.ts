export * from './checks.js';
export * from './closed-output.js';
export * from './completion.js';
export * from './live-block.js';
export * from './log.js';
export * from './progress-bar.js';
export * from './table.js';
export { eraseLine } from './terminal-stream.js';
export type { TerminalStream } from './terminal-stream.js';
