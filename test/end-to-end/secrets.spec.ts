import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../deploy/src/programs/free-port.js';
import { makePhantom, writeNifti } from '../fixtures/make-volume.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';
import { waitFor } from './federation-rig.js';

const COORDINATOR = join(PROJECT_ROOT, 'coordinator/bin/coordinator.mjs');
const SITE_AGENT = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');
const PASSWORD = 'pl4nted-p4ssword';
/** Long enough for every program to have its secrets in memory. */
const CRASH = `setTimeout(() => { throw new Error('crashed on purpose'); }, 4000)`;

interface Launched {
  readonly child: ChildProcess;
  /** All that it has printed so far. */
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

/** A relay that overhears what an agent sends: what it shows to the coordinator is a secret that this test must know. */
class Listener {
  private heard = '';
  private readonly sockets = new Set<Socket>();
  private constructor(private readonly server: Server) {}

  static async open(targetPort: number): Promise<Listener> {
    const server = createServer();
    const relay = new Listener(server);
    server.on('connection', (near) => {
      const far = connect(targetPort, '127.0.0.1');
      near.on('data', (bytes) => (relay.heard += bytes.toString('latin1')));
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        relay.sockets.add(one);
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
        one.pipe(other);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Signed credentials that an agent has shown. */
  get credentials(): string[] {
    return [...new Set([...this.heard.matchAll(/DPoP (ey[\w.-]{60,})/g)].map(([, credential = '']) => credential))];
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** The middle line of a PEM file: the key itself. */
function keyIn(path: string): string {
  return readFileSync(path, 'utf8').split('\n')[1] ?? '';
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('secrets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  const [home, site, scans, reports] = ['coordinator', 'site', 'scans', 'reports'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  const running = new Set<ChildProcess>();
  /** What all programs have printed, by the command. */
  const outputs = new Map<string, () => string>();

  const launch = (program: string, words: string[], { input, node = [] }: { input?: string; node?: string[] } = {}): Launched => {
    const child = spawn(process.execPath, [...node, program, ...words], { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
    child.stderr.setEncoding('utf8').on('data', (more: string) => (text += more));
    child.stdin.end(input ?? '');
    running.add(child);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    void ended.then(() => running.delete(child));
    outputs.set(`${words.join(' ')} (${child.pid})`, () => text);
    return { child, said: () => text, ended };
  };
  const run = async (program: string, words: string[], input?: string): Promise<string> => {
    const { ended, said } = launch(program, words, input === undefined ? {} : { input });
    await ended;
    return said();
  };
  const agent = (...words: string[]): string[] => ['--home', site, ...words];
  const operator = (...words: string[]): string[] => [...words, '--home', home];

  afterAll(() => {
    for (const child of running) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it('are in no output, no list of processes, no crash report and no file but their own', async () => {
    for (const path of [home, scans, reports]) mkdirSync(path);
    writeNifti(join(scans, 'scan.nii.gz'), makePhantom('secrets', 'CT'));
    const port = await freePort();
    const start = [...operator('start'), '--port', String(port), '--log-level', 'debug'];
    const coordinator = launch(COORDINATOR, start);
    await waitFor(
      'the coordinator',
      async () => (await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined))?.ok === true,
    );
    const relay = await Listener.open(port);

    const { token } = JSON.parse(await run(COORDINATOR, operator('site', 'enrol', 'aare', '--json'))) as { token: string };
    outputs.clear(); // there it is shown, for that is what it is for
    await run(SITE_AGENT, agent('join', '--coordinator', relay.url, '--token-file', '-'), `${token}\n`);
    await run(SITE_AGENT, agent('index', scans, '--modality', 'CT'));
    writeFileSync(
      join(folder, 'plan.json'),
      JSON.stringify({
        name: 'tiny',
        model: { architecture: 'genesis-unet3d', width: 1 },
        patch: { sizeVoxels: [16, 16, 16] },
        training: { steps: 4000, batchSize: 1 },
        rounds: 1,
      }),
    );
    const working = launch(SITE_AGENT, agent('start', '--threads', '1', '--log-level', 'debug'));
    await run(COORDINATOR, operator('campaign', 'start', 'plan.json'));
    let status = '';
    const trainerPid = async (): Promise<number | null> => {
      const { port: page } = JSON.parse(readFileSync(join(site, 'agent.json'), 'utf8')) as { port: number };
      status = await (await fetch(`http://127.0.0.1:${page}/status`)).text();
      return (JSON.parse(status) as { trainerPid: number | null }).trainerPid;
    };
    await waitFor(
      'the trainer',
      async () => (await trainerPid().catch(() => null)) !== null,
      () => `${status} ${working.said()}`,
    );

    const { credentials } = relay;
    expect(credentials.length).toBeGreaterThan(0);
    const secrets: Record<string, string> = {
      token,
      password: PASSWORD,
      operatorToken: readFileSync(join(home, 'operator.token'), 'utf8').trim(),
      siteKey: keyIn(join(site, 'site.key')),
      coordinatorKey: keyIn(join(home, 'coordinator.key')),
      ...Object.fromEntries(credentials.map((credential, index) => [`credential ${index}`, credential])),
    };
    for (const secret of Object.values(secrets)) expect(secret.length).toBeGreaterThan(15);
    const seen = new Map<string, string | Buffer>([['status page', status]]);
    for (const pid of [coordinator.child.pid, working.child.pid, await trainerPid()])
      seen.set(`process ${pid}`, readFileSync(`/proc/${pid}/cmdline`));

    // Errors and reports, at every end.
    await run(SITE_AGENT, agent('join', '--coordinator', relay.url, '--force', '--token-file', '-'), `${token}\n`);
    await run(
      SITE_AGENT,
      ['--home', join(folder, 'other'), 'join', '--coordinator', relay.url, '--token-file', '-'],
      `${token} ${token}`,
    );
    for (const words of [
      ['status', '--json'],
      ['doctor', '--json'],
      ['config', 'explain'],
      ['model', 'list'],
    ])
      await run(SITE_AGENT, ['--verbose', ...agent(...words)]);
    for (const words of [
      ['site', 'show', 'aare'],
      ['site', 'list', '--json'],
      ['audit', 'show'],
      ['config', 'explain'],
    ])
      await run(COORDINATOR, operator(...words));
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'coordinator.yaml'), `database: postgres://consilium:${PASSWORD}@127.0.0.1:2/consilium\n`);
    const unreachable = await run(COORDINATOR, ['start', '--home', elsewhere, '--port', '0', '--log-level', 'debug']);
    expect(unreachable).toContain('STORAGE_FAILED');
    await run(COORDINATOR, ['config', 'explain', '--home', elsewhere]);
    working.child.kill('SIGKILL');
    await working.ended;

    // A crash of either program, with a report of the runtime's own.
    const crashing = {
      node: [
        '--report-uncaught-exception',
        `--report-directory=${reports}`,
        '--import',
        `data:text/javascript,${encodeURIComponent(CRASH)}`,
      ],
    };
    coordinator.child.kill('SIGKILL');
    await coordinator.ended;
    const falling = [launch(COORDINATOR, start, crashing), launch(SITE_AGENT, agent('start', '--log-level', 'debug'), crashing)];
    for (const { ended, said } of falling) {
      expect(await ended).not.toBe(0);
      expect(said()).toContain('crashed on purpose');
    }
    await relay.close();
    expect(filesBelow(reports).length).toBeGreaterThanOrEqual(2);

    for (const [command, said] of outputs) seen.set(command, said());
    for (const path of [home, site, reports, elsewhere].flatMap(filesBelow)) seen.set(path, readFileSync(path));
    const found = [...seen].flatMap(([where, text]) =>
      Object.entries(secrets).flatMap(([name, secret]) => (text.includes(secret) ? `${name} in ${where}` : [])),
    );
    expect(found.sort()).toEqual(
      [
        `operatorToken in ${join(home, 'operator.token')}`,
        `siteKey in ${join(site, 'site.key')}`,
        `coordinatorKey in ${join(home, 'coordinator.key')}`,
        `password in ${join(elsewhere, 'coordinator.yaml')}`,
      ].sort(),
    );
    expect(seen.size).toBeGreaterThan(25);
  }, 180_000);
});
