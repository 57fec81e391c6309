import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { COORDINATOR_PROGRAM } from '../../deploy/src/programs/project.js';
import { loadCoordinatorConfig } from '../../coordinator/src/config/coordinator-config.js';
import { openCoordinator } from '../../coordinator/src/main.js';
import { Authority, describeWithOpenssl } from '../fixtures/made-authority.js';
import { makeLabelledCase } from '../fixtures/make-labelled-cases.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { eventually } from '../fixtures/raw-site.js';
import { runSiteAgentWith, SITE_AGENT } from '../fixtures/run-site-agent.js';

/** Serial number of the certificate that a new connection is shown. */
function serialAt(url: string, ca: string): Promise<number> {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: 'localhost', servername: 'localhost', port: Number(port), ca: readFileSync(ca) }, () => {
      resolve(Number.parseInt(new X509Certificate(socket.getPeerCertificate().raw).serialNumber, 16));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

interface Answer {
  readonly status: number | undefined;
  readonly reused: boolean;
  readonly text: string;
}

function ask(url: string, agent: Agent, token = '', body?: object): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, headers, method: body === undefined ? 'GET' : 'POST' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, reused: asked.reusedSocket, text }));
    });
    asked.on('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

describeWithOpenssl('TLS of the coordinator', () => {
  let folder: string;
  let home: string;
  let authority: Authority;
  let coordinator: TestCoordinator;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tls-'));
    home = join(folder, 'home');
    await mkdir(home);
    authority = new Authority(folder);
    authority.issue(home, 1);
    writeFileSync(join(home, 'coordinator.yaml'), 'tlsCertificate: cert.pem\ntlsKey: key.pem\n');
    coordinator = await TestCoordinator.openIn(home);
  });
  afterAll(async () => {
    await coordinator.remove();
    await rm(folder, { recursive: true });
  });

  it('serves under a name of the certificate, and nothing in the open', async () => {
    expect(coordinator.url).toMatch(/^https:\/\/localhost:\d+$/);
    const agent = new Agent({ ca: readFileSync(authority.file) });
    expect(await ask(`${coordinator.url}/healthz`, agent)).toMatchObject({ status: 200 });
    agent.destroy();
    await expect(fetch(coordinator.url.replace('https:', 'http:'))).rejects.toThrow();
  });

  it('lets a site join that knows the authority, and tells the others what they need', async () => {
    const site = join(folder, 'site');
    const words = ['join', '--coordinator', coordinator.url, '--token', 'enrol_none'];
    await mkdir(site);
    const stranger = await runSiteAgentWith({ NODE_EXTRA_CA_CERTS: '' }, site, ...words);
    const remedy = expect.stringMatching(/"authority: [^]*NODE_EXTRA_CA_CERTS=/) as string;
    expect(stranger).toMatchObject({ status: 5, stderr: remedy });
    const knowing = await runSiteAgentWith({ NODE_EXTRA_CA_CERTS: authority.file }, site, ...words);
    expect(knowing).toMatchObject({ status: 3, stderr: expect.stringContaining('TOKEN_REFUSED') as string });
    const open = await runSiteAgentWith({}, site, 'join', '--coordinator', 'http://192.0.2.7:7340', '--token', 'enrol_none');
    expect(open).toMatchObject({ status: 2, stderr: expect.stringMatching(/would not be encrypted[^]*--plain-http/) as string });
  }, 30_000);

  it('carries both planes: a site joins and stays connected', async () => {
    const agent = new Agent({ ca: readFileSync(authority.file) });
    const { url, operatorToken } = coordinator;
    const { token } = JSON.parse((await ask(`${url}/api/sites`, agent, operatorToken, { name: 'hospital' })).text) as {
      token: string;
    };
    const site = join(folder, 'hospital');
    await mkdir(site);
    // What the site's settings name is enough, for all that the agent asks.
    await mkdir(join(site, 'site'));
    copyFileSync(authority.file, join(site, 'site', 'authority.pem'));
    writeFileSync(join(site, 'site', 'site.yaml'), 'authority: authority.pem\n');
    expect(await runSiteAgentWith({}, site, 'join', '--coordinator', url, '--token', token)).toMatchObject({ status: 0 });
    makeLabelledCase(join(site, 'scans'), 'ball', 0);
    expect(await runSiteAgentWith({}, site, 'index', join(site, 'scans'))).toMatchObject({ status: 0 });
    expect(await runSiteAgentWith({}, site, 'model', 'list', '--json')).toMatchObject({ status: 0, stdout: '[]\n', stderr: '' });
    const program = spawn(process.execPath, [SITE_AGENT, '--home', join(site, 'site'), 'start'], {
      cwd: site,
      stdio: 'ignore',
    });
    try {
      const connected = async (): Promise<true | undefined> =>
        (await ask(`${url}/api/sites`, agent, operatorToken)).text.includes('"connected":true') ? true : undefined;
      await eventually(connected, 20_000);
    } finally {
      program.kill('SIGKILL');
      agent.destroy();
    }
  }, 30_000);

  it('is spoken to by operators’ commands that know the authority: by the folder’s settings, or by a sign-in from elsewhere', async () => {
    const elsewhere = join(folder, 'elsewhere');
    const environment = { CONSILIUM_OPERATOR_SESSIONS: join(folder, 'sessions.json'), NODE_EXTRA_CA_CERTS: '' };
    const run = (...words: string[]): ReturnType<typeof runCoordinator> => runCoordinator(environment, folder, words);
    const stranger = await run('site', 'list', '--home', home);
    expect(stranger).toMatchObject({
      status: 5,
      stderr: expect.stringMatching(/no trusted coordinator[^]*"authority: /) as string,
    });
    const settings = readFileSync(join(home, 'coordinator.yaml'), 'utf8');
    copyFileSync(authority.file, join(home, 'authority.pem'));
    writeFileSync(join(home, 'coordinator.yaml'), `${settings}authority: authority.pem\n`);
    expect(await run('site', 'list', '--home', home)).toMatchObject({ status: 0 });
    const doctor = await run('doctor', '--home', home);
    expect(doctor.stdout).toMatch(/coordinator +https:.* answers and is ready/);

    const invited = await run('operator', 'invite', 'ada', '--role', 'read', '--home', home);
    writeFileSync(join(folder, 'first'), /first_[\w-]+/.exec(invited.stdout)?.[0] ?? '');
    writeFileSync(join(folder, 'chosen'), 'correct horse battery staple');
    const passwords = ['--password-file', join(folder, 'first'), '--new-password-file', join(folder, 'chosen')];
    const signIn = ['sign-in', 'ada', '--url', coordinator.url, '--home', elsewhere, ...passwords];
    expect(await run(...signIn)).toMatchObject({ status: 5 });
    expect(await run(...signIn, '--authority', 'ca.pem')).toMatchObject({ status: 0 });
    expect((await run('whoami', '--url', coordinator.url, '--home', elsewhere)).stdout).toContain('ada');
    const wrong = await run(...signIn, '--authority', 'nothing.pem');
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining('CONFIG_INVALID') as string });
    writeFileSync(join(home, 'coordinator.yaml'), settings);
  }, 60_000);

  it('takes a renewed certificate into use without a pause, and keeps the old one when the new one is of no use', async () => {
    const agent = new Agent({ ca: readFileSync(authority.file), keepAlive: true });
    await ask(`${coordinator.url}/healthz`, agent);
    expect(await serialAt(coordinator.url, authority.file)).toBe(1);
    authority.issue(home, 2);
    const untilMs = Date.now() + 15_000;
    while ((await serialAt(coordinator.url, authority.file)) !== 2 && Date.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await serialAt(coordinator.url, authority.file)).toBe(2);
    expect(await ask(`${coordinator.url}/healthz`, agent)).toMatchObject({ status: 200, reused: true });
    agent.destroy();
    writeFileSync(join(home, 'cert.pem'), 'no certificate\n');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await serialAt(coordinator.url, authority.file)).toBe(2);
    authority.issue(home, 3);
  }, 60_000);

  it('is asked for wherever others can reach it', async () => {
    const other = await mkdtemp(join(tmpdir(), 'tls-'));
    const open = (settings: string) => {
      writeFileSync(join(other, 'coordinator.yaml'), settings);
      const { config } = loadCoordinatorConfig({ flags: { home: other, port: 0, logLevel: 'silent' }, environment: {} });
      return openCoordinator(config);
    };
    try {
      await expect(open('host: 0.0.0.0\n')).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        remedy: expect.stringContaining('tlsCertificate') as string,
      });
      await (await open('host: 0.0.0.0\nplainHttp: true\n')).stop();
      await expect(open('tlsCertificate: cert.pem\ntlsKey: key.pem\n')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      expect(() => open('tlsKey: key.pem\n')).toThrow(/tlsKey is of no use without tlsCertificate/);
      authority.issue(other, 9);
      copyFileSync(join(folder, 'ca.key'), join(other, 'key.pem'));
      await expect(open('tlsCertificate: cert.pem\ntlsKey: key.pem\n')).rejects.toThrow(/cannot be used together/);
    } finally {
      await rm(other, { recursive: true });
    }
  });
});

/** The built program, which reads the environment at its start. */
function runCoordinator(
  environment: Readonly<Record<string, string>>,
  cwd: string,
  words: readonly string[],
): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [COORDINATOR_PROGRAM, ...words], { cwd, env: { ...process.env, ...environment } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })));
}
