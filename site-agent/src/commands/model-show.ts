import { Command } from 'commander';
import { formatBytes } from '@consilium/shared/kernel';
import { trainedParameterCount } from '@consilium/shared/models';
import { checkSignature, describeSigner } from '@consilium/shared/identity';
import { federatedOrigin, type ModelPassport, readPassport, verifyModelFile } from '@consilium/shared/wire';
import { knownCoordinatorKeys } from '../config/coordinator-keys.js';
import { siteFolder } from '../config/site-folder.js';
import type { ModelFile } from '../finetuning/answers/model-file.js';
import { digestInJournal } from '../versions/known-score.js';
import { findModel, MODEL_NAMES, openModel } from './find-model.js';
import { withJournalIfAny } from './site-journal.js';

interface ShowOptions {
  readonly home: string;
  readonly json?: boolean;
}

interface VerifyOptions extends ShowOptions {
  readonly key?: readonly string[];
  readonly signed?: boolean;
}

/** `site-agent model show MODEL`. */
export function showCommand(): Command {
  return new Command('show')
    .description('what a model is and where it comes from')
    .argument('<model>', MODEL_NAMES)
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  site-agent model show chest@12\n  site-agent model show finetuned/liver/model.safetensors',
    )
    .action(async (model: string, _options: unknown, command: Command) => show(model, command.optsWithGlobals<ShowOptions>()));
}

async function show(name: string, { home, json }: ShowOptions): Promise<void> {
  const model = await openModel(name, home);
  await withJournalIfAny(home, async (journal) => {
    const passport = (await readPassport(model.path)) ?? null;
    const known = journal && (await digestInJournal(model.path, journal));
    const score = (known === undefined ? undefined : journal?.scoreOfVersion(known)) ?? null;
    const pins = [
      ...(journal?.pins() ?? []).filter(({ digest }) => digest === known),
      ...(journal?.pinnedFiles() ?? []).filter(({ digest }) => digest === model.digest),
    ].map((pin) => pin.name);
    const { path, digest, spec, segmentation } = model;
    if (json === true) console.log(JSON.stringify({ path, digest, spec, segmentation, pins, score, passport }, null, 2));
    else console.log([...describeModel(model, pins, score?.skill), ...describePassport(passport)].join('\n'));
  });
}

/** `site-agent model verify MODEL`. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'check, offline, that a file is the model that its passport speaks of, the passport’s whole history, and who signed it',
    )
    .argument('<model>', `with its passport beside it: ${MODEL_NAMES}`)
    .option('--key <names...>', 'names of keys that may have signed it, in place of those of this site’s coordinator')
    .option('--signed', 'refuse a version that no coordinator has signed, as earlier ones signed none')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  site-agent model verify chest@12\n  site-agent model verify finetuned/liver/model.safetensors',
    )
    .action(async (name: string, _options: unknown, command: Command) => {
      const { home, json, key, signed } = command.optsWithGlobals<VerifyOptions>();
      const path = await findModel(name, home);
      const { passport, digest } = await verifyModelFile(path);
      const trusted = key ?? knownCoordinatorKeys(siteFolder(home)).map(({ thumbprint }) => thumbprint);
      const required = signed === true || key !== undefined;
      const signer = await checkSignature(federatedOrigin(passport) ?? passport, { trusted, required });
      if (json === true) console.log(JSON.stringify({ path, digest, signer: signer ?? null, passport }, null, 2));
      else {
        const signature = `signed by     ${describeSigner(signer, { trusted })}`;
        const lines = ['The file and its passport agree.', `digest        ${digest}`, ...describePassport(passport), signature];
        console.log(lines.join('\n'));
      }
    });
}

function describeModel({ path, digest, spec, weights }: ModelFile, pins: readonly string[], skill: number | undefined): string[] {
  const bytes = 4 * weights.reduce((sum, { values }) => sum + values.length, 0);
  const width = 'width' in spec ? `, width ${spec.width}` : '';
  return [
    `file          ${path}`,
    `digest        ${digest}`,
    `network       ${spec.architecture}${width}, ${trainedParameterCount(spec).toLocaleString('en')} parameters, ${formatBytes(bytes)}`,
    ...(pins.length === 0 ? [] : [`pinned as     ${pins.join(', ')}`]),
    `skill here    ${skill?.toFixed(3) ?? 'not scored at this site'}`,
  ];
}

function describePassport(passport: ModelPassport | null): string[] {
  if (passport === null) return ['passport      none here; "site-agent model pull CAMPAIGN@VERSION" fetches that of a version'];
  switch (passport.kind) {
    case 'federated': {
      const rounds = passport.lineage.flatMap(({ round }) => round ?? []);
      const patches = rounds.reduce((sum, round) => sum + round.patches, 0);
      const score = passport.scores.find(({ number }) => number === passport.lineage.length);
      const last = rounds.at(-1);
      return [
        `campaign      ${passport.campaign.name}, version ${passport.lineage.length}, ${rounds.length} rounds, ${patches} patches`,
        ...(last === undefined ? [] : [`last round    ${last.sites} sites, ${last.patches} patches`]),
        ...(score === undefined ? [] : [`skill         ${score.meanSkill.toFixed(3)}, mean of ${score.sites} sites`]),
        `history       back to the initial version ${passport.lineage[0]?.digest}`,
        `seal          ${passport.seal}`,
      ];
    }
    case 'imported':
      return [`imported from ${passport.source.digest} (${passport.source.form})`, `seal          ${passport.seal}`];
    case 'exported':
      return [
        `exported      as ${passport.form}, ${passport.dtype}, from ${passport.startedFrom}`,
        ...describePassport(passport.origin).map((line) => `  ${line}`),
        `seal          ${passport.seal}`,
      ];
    case 'fine-tuned': {
      const { task, steps, seed, cases } = passport.finetuning;
      return [
        `fine-tuned    ${task}: ${steps} steps, seed ${seed}, ${cases.train} cases`,
        `started from  ${passport.startedFrom ?? 'scratch'}`,
        ...(passport.origin === null ? [] : describePassport(passport.origin).map((line) => `  ${line}`)),
        `seal          ${passport.seal}`,
      ];
    }
  }
}
