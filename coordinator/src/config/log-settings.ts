import { z } from 'zod';
import { LOG_FORMATS, LOG_LEVELS, LOG_PARTS, type LogLevel, type LogPart, type LogSettings } from '../log.js';

const levelsOfParts = z.partialRecord(z.enum(LOG_PARTS), z.enum(LOG_LEVELS));

/** "transfer=debug,access=warn", as variables and flags have it; in the file also "transfer: debug" below the name. */
const levelsField = z.preprocess((value: unknown) => (typeof value === 'string' ? pairsIn(value) : value), levelsOfParts);

function pairsIn(text: string): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair): [string, string] => {
      const [name = '', level = ''] = pair.split('=', 2);
      return [name.trim(), level.trim()];
    }),
  );
}

/** What is logged and how; a part of the coordinator's settings. */
export const logSettingFields = {
  logLevel: z.enum(LOG_LEVELS).default('info'),
  logLevels: levelsField
    .default({})
    .describe(`levels of parts that differ, such as transfer=debug,access=warn; parts: ${LOG_PARTS.join(', ')}`),
  logFormat: z.enum(LOG_FORMATS).default('text').describe('json: one object per line, with ids of campaign, round and site'),
};

interface LogSettingValues {
  readonly logLevel: LogLevel;
  readonly logLevels: Partial<Record<LogPart, LogLevel>>;
  readonly logFormat: LogSettings['format'];
}

export function compileLogSettings({ logLevel: level, logLevels: levels, logFormat: format }: LogSettingValues): LogSettings {
  return { level, levels, format };
}
