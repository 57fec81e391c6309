import { Command, Option } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { forgetPatient, forgetPath, listForgotten, type Forgotten } from '../collection/forget.js';
import { requireHome, siteFolder } from '../config/site-folder.js';

interface ForgetOptions {
  readonly home: string;
  readonly patient?: string;
  readonly path?: string;
  readonly list?: boolean;
  readonly json?: boolean;
}

/** `site-agent forget`: drops a patient, or a scan, from every later round. */
export function forgetCommand(): Command {
  return new Command('forget')
    .description('drop a patient, or one scan, from every later round')
    .option('--patient <id>', 'as in the DICOM header, in collection.yaml, or the "sub-01" of a BIDS folder')
    .addOption(new Option('--path <file>', 'a file or folder of scans that name no patient').conflicts('patient'))
    .option('--list', 'show how many are forgotten; nothing changes')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
It holds for scans that are indexed later too, wherever they lie, and cannot be undone. Only a salted hash of the id is kept:
this program cannot tell afterwards whom it has forgotten. What was learnt in earlier rounds stays in the models.

Examples:
  site-agent --home my-site forget --patient 4711
  site-agent --home my-site forget --path /data/exports/scan7.nii.gz`,
    )
    .action(async (_options: unknown, command: Command) => forget(command.optsWithGlobals<ForgetOptions>()));
}

async function forget({ home, patient, path, list, json }: ForgetOptions): Promise<void> {
  const site = siteFolder(home);
  requireHome(site);
  if (list === true) {
    const forgotten = listForgotten(site);
    console.log(
      json === true
        ? JSON.stringify(forgotten)
        : `${forgotten.entries} patients and scans are forgotten; ${forgotten.scans} scans in the index are left out for it.`,
    );
    return;
  }
  if (patient === undefined && path === undefined) {
    throw new FederationError('ARGUMENT_INVALID', 'whom to forget is not said', { remedy: 'Give --patient ID or --path FILE.' });
  }
  const forgotten = path === undefined ? await forgetPatient(site, patient ?? '') : await forgetPath(site, path);
  console.log(json === true ? JSON.stringify(forgotten) : describe(forgotten));
}

function describe({ scans, volumes, cacheEntries, pulledSeries }: Forgotten): string {
  const pulled = pulledSeries === 0 ? '' : ` Removed the files of ${pulledSeries} series that had been pulled from an archive.`;
  if (scans === 0 && pulledSeries === 0) {
    return 'Remembered. No indexed scan belongs to it now; scans that are indexed later are left out. Was the id written as in the scans?';
  }
  return `Dropped ${volumes} volumes of ${scans} scans, with ${cacheEntries} prepared copies. No later round uses them.${pulled}`;
}
