import { type Clock, systemClock } from '@consilium/shared/kernel';
import { eraseLine, type TerminalStream } from './terminal-stream.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** One line per event. */
export interface Log {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

export interface LogOptions {
  readonly level?: LogLevel;
  readonly format?: LogFormat;
  /** In every line of JSON: whose lines these are. */
  readonly facts?: Readonly<Record<string, string>>;
  /** Standard error by default. */
  readonly stream?: TerminalStream;
  readonly clock?: Clock;
}

/**
 * Lines such as "14:03:27  round 2: training", local time; levels above info are named. A progress line is erased first. As JSON, one
 * object with time, level, facts and message.
 */
export function createLog(options: LogOptions = {}): Log {
  const stream = options.stream ?? process.stderr;
  const clock = options.clock ?? systemClock;
  const threshold = LOG_LEVELS.indexOf(options.level ?? 'info');
  const writer = (level: LogLevel, mark: string) => (text: string) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return;
    const nowMs = clock.nowMs();
    const line =
      options.format === 'json'
        ? JSON.stringify({ time: new Date(nowMs).toISOString(), level, ...options.facts, message: text })
        : `${timeOfDay(nowMs)}  ${mark}${text}`;
    stream.write(`${eraseLine(stream)}${line}\n`);
  };
  return {
    debug: writer('debug', 'debug: '),
    info: writer('info', ''),
    warn: writer('warn', 'warning: '),
    error: writer('error', 'error: '),
  };
}

/** Discards everything. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // On purpose.
}

function timeOfDay(nowMs: number): string {
  const time = new Date(nowMs);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
