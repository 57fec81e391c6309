import { type LoggerService } from '@nestjs/common';

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One line per fact, on standard error, with the local time in front; never a secret. */
export class Log {
  constructor(
    private readonly level: LogLevel,
    private readonly write: (line: string) => void = (line) => void process.stderr.write(line),
  ) {}

  error(message: string, cause?: unknown): void {
    this.line('error', message);
    if (cause instanceof Error && cause.stack !== undefined) this.line('debug', cause.stack);
  }

  warn(message: string): void {
    this.line('warn', message);
  }

  info(message: string): void {
    this.line('info', message);
  }

  debug(message: string): void {
    this.line('debug', message);
  }

  private line(level: LogLevel, message: string): void {
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(this.level)) return;
    const time = new Date().toTimeString().slice(0, 8);
    this.write(level === 'info' ? `${time} ${message}\n` : `${time} ${level} ${message}\n`);
  }
}

/** Nest's own logger interface over ours: its start-up banner is debug noise, its warnings and errors are kept. */
export function frameworkLogger(log: Log): LoggerService {
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
