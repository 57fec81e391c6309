import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { compileAddon } from './compile-addon.mjs';
import { extractMembers } from './extract-members.mjs';
import { adoptWheel, fetchWheel, sha256Of } from './fetch-wheel.mjs';
import { checkPlatform, findCompiler, findPython } from './find-tools.mjs';
import { ADDON_FILE, checkFreeSpace, detectVariant, readRecord, runtimeFolder } from './runtime-folder.mjs';
import { SPACE_NEEDED_BYTES, TENSORFLOW_VERSION, WHEELS } from './runtime-pins.mjs';
import { SetupFailure } from './setup-failure.mjs';
import { withSetupLock } from './setup-lock.mjs';
import { stripLibraries } from './strip-libraries.mjs';
import { verifyRuntime } from './verify-runtime.mjs';

/**
 * Lays the TensorFlow runtime unless it is there already, and returns its folder.
 * Everything happens in a stage folder beside the final one; each finished step is kept, so that a set-up that was
 * interrupted goes on where it stopped. runtime.json is written last, then the stage is renamed: a folder under the final
 * name is always complete.
 * @param {{ variant?: 'cpu' | 'gpu' | 'auto', from?: string, force?: boolean, report?: (line: string) => void }} [options]
 */
export async function layRuntime(options = {}) {
  const variant = chooseVariant(options);
  const folder = runtimeFolder(variant);
  const report = options.report ?? (() => undefined);
  if (isReady(folder, variant) && !options.force) return { folder, variant, laid: false };
  checkPlatform();
  mkdirSync(dirname(folder), { recursive: true });
  return withSetupLock(`${folder}.lock`, report, async () => {
    if (isReady(folder, variant) && !options.force) return { folder, variant, laid: false };
    const stage = `${folder}.stage`;
    if (options.force) rmSync(stage, { recursive: true, force: true });
    await fillStage(stage, variant, options.from, report);
    swapIn(stage, folder);
    return { folder, variant, laid: true };
  });
}

/** True when a finished runtime of this variant lies in the folder. */
export function isReady(folder, variant) {
  return readRecord(folder)?.variant === variant;
}

/** The variant that is asked for; "auto" follows the source's own, then the cards of this computer. */
export function chooseVariant({ variant = 'auto', from }) {
  if (variant !== 'auto') return variant;
  return (from === undefined ? undefined : readRecord(resolve(from))?.variant) ?? detectVariant();
}

async function fillStage(stage, variant, from, report) {
  checkFreeSpace(stage, remainingSpace(stage, variant));
  const source = from === undefined ? undefined : resolve(from);
  if (source !== undefined && !existsSync(source)) {
    throw new SetupFailure(
      `${source} does not exist`,
      'Name a wheel, a folder of wheels, or a runtime folder that set-up laid elsewhere.',
    );
  }
  const ready = source === undefined ? undefined : readRecord(source);
  let compiler = ready?.compiler;
  if (ready !== undefined) {
    await once(stage, 'copied', () => timed(report, `copy ${source}`, async () => copyRuntime(source, stage, variant)));
  } else {
    compiler = await layFromWheels(stage, variant, source, report);
  }
  const libraryFolders = cudaFolders(stage);
  const found = await timed(report, 'check that it loads and computes', () => verifyRuntime(stage, libraryFolders));
  if (variant === 'gpu' && !found.gpu) {
    report('  note: it sees no usable GPU here and will compute on the processor; "site-agent doctor" says why');
  }
  await writeRecord(stage, { variant, compiler, libraryFolders }, ready?.digests);
  rmSync(join(stage, 'wheels'), { recursive: true, force: true });
}

async function layFromWheels(stage, variant, source, report) {
  const compiler = await findCompiler(); // before the download, which takes longest
  const python = await findPython();
  for (const wheel of WHEELS[variant]) {
    await once(stage, `unpacked-${wheel.package}`, async () => {
      const path = await bringWheel(wheel, stage, source, python, report);
      await timed(report, `unpack ${wheel.package}`, () => extractMembers(path, wheel, stage, python));
      rmSync(path, { force: true });
    });
  }
  await once(stage, 'stripped', () => timed(report, 'strip the libraries', () => stripLibraries(stage)));
  await once(stage, 'compiled', () =>
    timed(report, `compile the bridge with ${compiler.program}`, () => compileAddon(stage, compiler)),
  );
  return compiler.version;
}

async function bringWheel(wheel, stage, source, python, report) {
  const wheels = join(stage, 'wheels');
  const offered = source === undefined ? undefined : offeredFile(wheel, source);
  if (offered !== undefined) return adoptWheel(wheel, offered, wheels);
  if (source !== undefined && statSync(source).isFile() && wheel === WHEELS.cpu[0]) {
    throw new SetupFailure(`${source} is not ${wheel.file}`, `Bring exactly that file, or leave --from out to download it.`);
  }
  return timed(report, `download ${wheel.package} ${wheel.version}`, () => fetchWheel(wheel, { folder: wheels, python, report }));
}

/** The wheel itself, or the file of its name in a folder. */
function offeredFile(wheel, source) {
  const path = statSync(source).isDirectory() ? join(source, wheel.file) : source;
  return path.endsWith(wheel.file) && existsSync(path) ? path : undefined;
}

function copyRuntime(source, stage, variant) {
  if (readRecord(source).variant !== variant) {
    throw new SetupFailure(`${source} holds the other variant than ${variant}`, 'Leave --variant out, or name another folder.');
  }
  for (const name of ['lib', 'include', 'nvidia', ADDON_FILE]) {
    const from = join(source, name);
    if (existsSync(from)) cpSync(from, join(stage, name), { recursive: true, dereference: true });
  }
}

function cudaFolders(stage) {
  const nvidia = join(stage, 'nvidia');
  return existsSync(nvidia) ? readdirSync(nvidia).map((name) => `nvidia/${name}/lib`) : [];
}

/** The record, with digests; those of a copied runtime must be what its own record says. */
async function writeRecord(stage, facts, expected = {}) {
  const digests = {};
  for (const name of ['lib/libtensorflow_cc.so.2', 'lib/libtensorflow_framework.so.2', ADDON_FILE]) {
    digests[name] = `sha256:${await sha256Of(join(stage, name))}`;
    if ((expected[name] ?? digests[name]) === digests[name]) continue;
    rmSync(stage, { recursive: true, force: true });
    throw new SetupFailure(`${name} was damaged on its way here`, 'Copy the runtime folder once more, then run set-up again.');
  }
  const record = {
    formatVersion: 1,
    version: TENSORFLOW_VERSION,
    arch: process.arch,
    created: new Date().toISOString(),
    ...facts,
    digests,
  };
  writeFileSync(join(stage, 'runtime.json.new'), `${JSON.stringify(record, null, 2)}\n`);
  renameSync(join(stage, 'runtime.json.new'), join(stage, 'runtime.json'));
}

function swapIn(stage, folder) {
  const old = `${folder}.old-${process.pid}`;
  if (existsSync(folder)) renameSync(folder, old);
  renameSync(stage, folder);
  rmSync(join(folder, 'steps'), { recursive: true, force: true });
  rmSync(old, { recursive: true, force: true });
}

/** Runs a step unless an earlier, interrupted set-up finished it. */
async function once(stage, mark, action) {
  const done = join(stage, 'steps', mark);
  if (existsSync(done)) return;
  await action();
  mkdirSync(dirname(done), { recursive: true });
  writeFileSync(done, '');
}

async function timed(report, words, action) {
  const started = Date.now();
  report(`  ${words} …`);
  const result = await action();
  report(`  ${words}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return result;
}

/** What an interrupted set-up has laid already does not need room again. */
function remainingSpace(stage, variant) {
  const steps = join(stage, 'steps');
  const unpacked = existsSync(steps) ? readdirSync(steps).filter((name) => name.startsWith('unpacked-')).length : 0;
  return SPACE_NEEDED_BYTES[variant] * (1 - unpacked / (WHEELS[variant].length + 0.5));
}
