import { resolve } from 'node:path';
import { formatBytes } from '@consilium/shared/kernel';
import { Command } from 'commander';
import { type BackupList, backupFolder } from '../backup/backup-format.js';
import { restoreBackup } from '../backup/restore-backup.js';
import { writeBackup } from '../backup/write-backup.js';
import { loadCoordinatorConfig } from '../config/coordinator-config.js';
import { homeFolder } from '../home/home-folder.js';
import { formatTime, operatorLink, printJson, withAccess } from './command-options.js';

interface Flags {
  readonly home?: string;
  readonly url?: string;
  readonly json?: boolean;
  readonly lean?: boolean;
}

export function backupCommand(): Command {
  return withAccess(new Command('backup'))
    .description('save records and weights of the running coordinator to a folder')
    .argument('<folder>', 'where to; the same folder again only fetches what is new')
    .option('--lean', 'without the updates that are part of a version already: much smaller, and nothing needs them to go on')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Rounds go on meanwhile; the records are those of one moment. The folder holds what the coordinator knows of sites and campaigns, and
weights, but no scan and no secret: sites go on with their credentials, the operator gets a new token at the first start.

Example:
  coordinator backup /backups/consilium --home ./federation`,
    )
    .action(async (folder: string, { lean = false, json, ...flags }: Flags) => {
      const list = await writeBackup(operatorLink(flags), backupFolder(resolve(folder)), {
        lean,
        onProgress: json === true ? () => undefined : progressOf('fetched'),
      });
      if (json === true) printJson(list);
      else console.log(`Backup of ${describe(list)} is in ${resolve(folder)}`);
    });
}

export function restoreCommand(): Command {
  return new Command('restore')
    .description('bring a backup back into an empty folder and database')
    .argument('<folder>', 'what "coordinator backup" wrote')
    .requiredOption(
      '--home <folder>',
      "the new coordinator's folder; its coordinator.yaml may name a PostgreSQL database and an object store",
    )
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
A backup fits either kind of database, and tables of an older version are brought up to date. Rounds that went on after the backup are
made again, with the same result. Sites go on when the coordinator answers at the address that they know.

Example:
  coordinator restore /backups/consilium --home ./federation-again`,
    )
    .action(async (folder: string, { home, json }: Flags) => {
      const { config } = loadCoordinatorConfig({ flags: { home } });
      const list = await restoreBackup(backupFolder(resolve(folder)), {
        home: homeFolder(config.home),
        database: config.database,
        blobs: config.blobs,
        onProgress: json === true ? () => undefined : progressOf('restored'),
      });
      if (json === true) printJson(list);
      else console.log(`Restored ${describe(list)}\nStart it with:  coordinator start --home ${config.home}`);
    });
}

function describe({ takenAtMs, records, blobs }: BackupList): string {
  const leftOut = blobs.leftOut === 0 ? '' : `, without ${blobs.leftOut} updates that were folded`;
  return `${formatTime(takenAtMs)} UTC: ${records.rows} records, ${blobs.files} weight files (${formatBytes(blobs.bytes)})${leftOut}`;
}

/** A line now and then: files are large. */
function progressOf(word: string): (done: number, files: number) => void {
  let lastMs = 0;
  return (done, files) => {
    if (Date.now() - lastMs < 1000 && done < files) return;
    lastMs = Date.now();
    process.stderr.write(`${word} ${done} of ${files} weight files\n`);
  };
}
