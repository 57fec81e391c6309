import { type LoggerService } from '@nestjs/common';

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Whose word a line is: each part may have a level of its own. */
export const LOG_PARTS = [
  ...(['rounds', 'updates', 'campaigns', 'sites', 'operators', 'access', 'transfer', 'live'] as const),
  ...(['retention', 'blobs', 'tracing', 'framework'] as const),
] as const;
export type LogPart = (typeof LOG_PARTS)[number];

export const LOG_FORMATS = ['text', 'json'] as const;

export interface LogSettings {
  readonly level: LogLevel;
  /** Of parts that differ from the others. */
  readonly levels: Readonly<Partial<Record<LogPart, LogLevel>>>;
  readonly format: (typeof LOG_FORMATS)[number];
}

/** What a line is about, for whoever collects and searches lines; in JSON only, as the message says it in words. Never a secret. */
export interface LogFacts {
  readonly campaign?: string;
  readonly campaignId?: string;
  readonly round?: number;
  readonly roundId?: string | undefined;
  readonly site?: string;
  readonly siteId?: string;
  readonly participationId?: string | undefined;
  readonly operator?: string;
  readonly state?: string;
  readonly code?: string | undefined;
}

type Write = (line: string) => void;

/** One line per fact, on standard error: as text with the local time in front, or as JSON. */
export class Log {
  private readonly level: LogLevel;

  constructor(
    private readonly settings: LogSettings,
    private readonly write: Write = (line) => void process.stderr.write(line),
    private readonly name?: LogPart,
  ) {
    this.level = (name === undefined ? undefined : settings.levels[name]) ?? settings.level;
  }

  /** All parts alike, as text. */
  static ofLevel(level: LogLevel, write?: Write): Log {
    return new Log({ level, levels: {}, format: 'text' }, write);
  }

  /** The same log in the name of one part, and at its level. */
  part(name: LogPart): Log {
    return new Log(this.settings, this.write, name);
  }

  error(message: string, cause?: unknown, facts?: LogFacts): void {
    this.line('error', message, facts);
    if (cause instanceof Error && cause.stack !== undefined) this.line('debug', cause.stack, facts);
  }

  warn(message: string, facts?: LogFacts): void {
    this.line('warn', message, facts);
  }

  info(message: string, facts?: LogFacts): void {
    this.line('info', message, facts);
  }

  debug(message: string, facts?: LogFacts): void {
    this.line('debug', message, facts);
  }

  private line(level: LogLevel, message: string, facts: LogFacts | undefined): void {
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(this.level)) return;
    const time = new Date();
    if (this.settings.format === 'json') {
      this.write(`${JSON.stringify({ time: time.toISOString(), level, part: this.name, message, ...facts })}\n`);
      return;
    }
    const clock = time.toTimeString().slice(0, 8);
    this.write(level === 'info' ? `${clock} ${message}\n` : `${clock} ${level} ${message}\n`);
  }
}

/** Nest's own logger interface over ours: its start-up banner is debug noise, its warnings and errors are kept. */
export function frameworkLogger(all: Log): LoggerService {
  const log = all.part('framework');
  return {
    log: (message: unknown) => log.debug(String(message)),
    warn: (message: unknown) => log.warn(String(message)),
    // Why listening failed is told by whoever started the coordinator.
    error: (message: unknown) => {
      const text = message instanceof Error ? message.message : String(message);
      if (text.includes('listen E')) log.debug(text);
      else log.error(text, message);
    },
    debug: (message: unknown) => log.debug(String(message)),
  };
}
