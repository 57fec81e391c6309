import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const RUNTIME = join(PROJECT_ROOT, 'deploy/runtime');
const WHEEL = 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl';

interface Outcome {
  status: number | null;
  text: string;
}

// The set-up program as its user meets it: a process with its own PATH and cache folder. The tools on that PATH are small
// shell scripts that behave as a computer lacking something does.
describe('runtime set-up', () => {
  let box: string;
  let environment: NodeJS.ProcessEnv;

  beforeEach(async () => {
    box = await mkdtemp(join(tmpdir(), 'runtime-setup-'));
    await mkdir(join(box, 'bin'));
    environment = { PATH: join(box, 'bin'), XDG_CACHE_HOME: join(box, 'cache'), HOME: box };
  });
  afterEach(() => rm(box, { recursive: true, force: true }));

  function run(...args: string[]): Promise<Outcome> {
    return start([join(RUNTIME, 'setup-runtime.mjs'), '--variant', 'cpu', ...args]);
  }

  /** Calls one function of a set-up module and prints what it throws. */
  function call(module: string, expression: string): Promise<Outcome> {
    const url = pathToFileURL(join(RUNTIME, module)).href;
    const script = `import * as it from ${JSON.stringify(url)}; try { ${expression}; console.log('fine'); } catch (e) { console.log(e.message + ' / ' + e.remedy); }`;
    return start(['--input-type=module', '-e', script]);
  }

  function start(args: string[]): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part: string) => (text += part));
      child.on('error', reject).on('close', (status) => resolve({ status, text }));
    });
  }

  async function tool(name: string, script: string): Promise<void> {
    const path = join(box, 'bin', name);
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
  }

  /** A Python with pip, whose `pip download` does as told; $dest is the folder to download to. */
  async function pythonWithPip(download: string): Promise<void> {
    await tool('g++', 'echo "g++ 12"');
    await tool(
      'python3',
      `case "$*" in
        *version_info*) echo 3.11 ;;
        "-m pip --version") echo "pip 23.2 from somewhere" ;;
        *download*)
          for word; do [ "$previous" = --dest ] && dest=$word; previous=$word; done
          ${download} ;;
        *) exit 9 ;;
      esac`,
    );
  }

  function expectFailure({ status, text }: Outcome, ...words: RegExp[]): void {
    for (const word of [/^RUNTIME_SETUP_FAILED: /m, ...words]) expect(text).toMatch(word);
    expect(text).not.toMatch(/^\s+at /m); // a stack trace helps nobody here
    expect(status).toBe(6);
  }

  it('names a missing compiler and how to get one', async () => {
    expectFailure(await run(), /no C\+\+ compiler/, /g\+\+/, /clang\+\+/, /apt-get install g\+\+/);
  });

  it('names a missing Python, and a Python without pip', async () => {
    await tool('g++', 'echo "g++ 12"');
    expectFailure(await run(), /no Python 3/, /apt-get install python3 python3-pip/);
    await tool('python3', 'case "$*" in *version_info*) echo 3.11 ;; *) exit 1 ;; esac');
    expectFailure(await run(), /python3 has no pip/, /python3-pip/);
    await tool('python3', 'echo 3.6');
    expectFailure(await run(), /no Python 3\.8 or newer/);
  });

  it('tries the network again, then says that it is away and offers --from', async () => {
    await pythonWithPip('echo "NewConnectionError: Temporary failure in name resolution" >&2; exit 1');
    const outcome = await run();
    expect(outcome.text.match(/trying again/g)).toHaveLength(2);
    expectFailure(outcome, /index cannot be reached/, /--from/);
  });

  it('tells a package index without the wheel from a network that is away', async () => {
    await pythonWithPip('echo "ERROR: No matching distribution found for tensorflow-cpu==2.21.0" >&2; exit 1');
    const outcome = await run();
    expect(outcome.text).not.toMatch(/trying again/);
    expectFailure(outcome, /did not find tensorflow-cpu 2\.21\.0/, /PIP_INDEX_URL/);
  });

  it('refuses a file that is not the pinned one, and keeps nothing of it', async () => {
    await pythonWithPip(`echo altered > "$dest/${WHEEL}"`);
    expectFailure(await run(), /not the file it should be/, /2b847d217b02/);
    const left = await readdir(join(box, 'cache'), { recursive: true });
    expect(left.filter((name) => name.endsWith('.whl') || name.endsWith('runtime.json') || name.endsWith('.lock'))).toEqual([]);
  });

  it('says when the disk fills up during the download', async () => {
    await pythonWithPip('echo "OSError: [Errno 28] No space left on device" >&2; exit 1');
    expectFailure(await run(), /the disk is full/, /CONSILIUM_RUNTIME_DIR/);
  });

  it('checks the room on the disk first', async () => {
    const outcome = await call('runtime-folder.mjs', `it.checkFreeSpace(${JSON.stringify(box)}, 2e9, () => 1.5e9)`);
    expect(outcome.text).toMatch(/1\.5 GB free, set-up needs 2\.0 GB.*CONSILIUM_RUNTIME_DIR/);
    expect((await call('runtime-folder.mjs', `it.checkFreeSpace(${JSON.stringify(box)}, 1)`)).text).toBe('fine\n');
    expect((await call('runtime-folder.mjs', `it.checkFreeSpace(${JSON.stringify(box)}, 1e18)`)).text).toMatch(/not enough room/);
  });

  it.each([
    [`{ platform: 'darwin', arch: 'arm64' }`, /no TensorFlow runtime for darwin arm64.*Linux x86-64/],
    [`{ platform: 'linux', arch: 'arm64', glibc: '2.36' }`, /linux arm64/],
    [`{ platform: 'linux', arch: 'x64' }`, /musl/],
    [`{ platform: 'linux', arch: 'x64', glibc: '2.17' }`, /2\.17 is too old/],
    [`{ platform: 'linux', arch: 'x64', glibc: '2.36', avx: false }`, /no AVX/],
    [`{ platform: 'linux', arch: 'x64', glibc: '2.36', avx: true }`, /^fine/],
  ])('judges the computer %s', async (facts, words) => {
    expect((await call('find-tools.mjs', `it.checkPlatform(${facts})`)).text).toMatch(words);
  });

  it('refuses a --from that is missing, another file, or a runtime that does not work', async () => {
    expectFailure(await run('--from', join(box, 'nowhere')), /nowhere does not exist/);
    await pythonWithPip('exit 1');
    await writeFile(join(box, 'other.whl'), '');
    expectFailure(await run('--from', join(box, 'other.whl')), /other\.whl is not tensorflow_cpu/);
    const broken = join(box, 'broken');
    await mkdir(join(broken, 'lib'), { recursive: true });
    await writeFile(join(broken, 'tfjs_binding.node'), 'not a library');
    await writeFile(join(broken, 'runtime.json'), JSON.stringify({ formatVersion: 1, version: '2.21.0', variant: 'cpu' }));
    expectFailure(await run('--from', broken), /laid but does not work/, /--force/);
  });

  it('takes over the lock of a set-up that was killed', async () => {
    const lock = join(box, 'cache/consilium/runtime', `tensorflow-cpu-2.21.0-${process.arch}.lock`);
    await mkdir(join(lock, '..'), { recursive: true });
    await writeFile(lock, JSON.stringify({ pid: 2 ** 22 + 1, started: '1' }));
    expectFailure(await run(), /no C\+\+ compiler/);
  });

  it('refuses wrong arguments with its help, and prints it when asked', async () => {
    expect(await run('--variant', 'tpu')).toMatchObject({
      status: 2,
      text: expect.stringContaining('--variant cpu|gpu|auto') as string,
    });
    expect(await run('--frm', 'x')).toMatchObject({ status: 2 });
    expect(await run('--help')).toMatchObject({ status: 0, text: expect.stringContaining('Exit codes') as string });
  });
});
