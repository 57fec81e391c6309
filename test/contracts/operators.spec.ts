import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import {
  callerViewSchema,
  invitedOperatorSchema,
  issuedTokenSchema,
  OPERATOR_NAMESPACE,
  signedInSchema,
} from '@consilium/shared/wire';
import { auditCommand } from '../../coordinator/src/commands/audit.js';
import { operatorCommand } from '../../coordinator/src/commands/operator.js';
import { signInCommand, signOutCommand, whoAmICommand } from '../../coordinator/src/commands/sign-in.js';
import { siteCommand } from '../../coordinator/src/commands/site.js';
import { MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, constantUpdate, eventually, RawSite, type Reachable } from '../fixtures/raw-site.js';
import { runCommand } from '../fixtures/run-command.js';
import { describeOnEachDatabase } from '../fixtures/start-postgres.js';

const PASSWORD = 'nine red bicycles';

describeOnEachDatabase('operators', (newDatabase) => {
  let coordinator: TestCoordinator;

  beforeEach(async () => {
    coordinator = await TestCoordinator.open({ database: await newDatabase() });
  });
  afterEach(() => coordinator.remove());

  const as = (token: string): Reachable => ({ url: coordinator.url, operatorToken: token });
  const signIn = async (body: object): Promise<string> =>
    signedInSchema.parse(await askOperator(as(''), 'POST', '/api/operator/sign-in', body)).token;
  const invite = async (name: string, role: string): Promise<string> =>
    invitedOperatorSchema.parse(await askOperator(coordinator, 'POST', '/api/operators', { name, role })).firstPassword;
  const accountOf = async (name: string, role: string): Promise<string> =>
    signIn({ name, password: await invite(name, role), newPassword: PASSWORD });

  it('sign in with a password of their own, and lose everything when they are disabled', async () => {
    const firstPassword = await invite('ada', 'operate');
    const first = { name: 'ada', password: firstPassword };
    await expect(signIn(first)).rejects.toThrow('must be replaced');
    await expect(signIn({ ...first, newPassword: 'short' })).rejects.toThrow('newPassword');
    await expect(signIn({ ...first, newPassword: firstPassword })).rejects.toThrow('differ from the old one');
    await expect(signIn({ ...first, newPassword: 'ADA loves numbers' })).rejects.toThrow('not hold the name');
    const token = await signIn({ ...first, newPassword: PASSWORD });
    await expect(signIn(first)).rejects.toThrow('the name or the password is wrong');
    await expect(signIn({ name: 'eve', password: PASSWORD })).rejects.toThrow('the name or the password is wrong');

    const caller = callerViewSchema.parse(await askOperator(as(token), 'GET', '/api/operator'));
    expect(caller).toMatchObject({ name: 'ada', role: 'operate' });
    expect((caller.expiresAtMs ?? 0) - Date.now()).toBeGreaterThan(11 * 3_600_000);

    await askOperator(coordinator, 'POST', '/api/operators/ada/disable');
    await expect(askOperator(as(token), 'GET', '/api/sites')).rejects.toThrow('OPERATOR_REFUSED');
    await expect(signIn({ name: 'ada', password: PASSWORD })).rejects.toThrow('disabled');
    const again = invitedOperatorSchema.parse(await askOperator(coordinator, 'POST', '/api/operators/ada/reset'));
    expect(again.account).toMatchObject({ name: 'ada', role: 'operate', state: 'invited' });
    await signIn({ name: 'ada', password: again.firstPassword, newPassword: PASSWORD });
  });

  it('may do what their role allows, and what was done stands under their name', async () => {
    const [reader, operator] = [await accountOf('rhea', 'read'), await accountOf('ada', 'operate')];
    const administrator = await accountOf('root.user', 'administer');
    await askOperator(as(reader), 'GET', '/api/sites');
    await expect(askOperator(as(reader), 'POST', '/api/sites', { name: 'a' })).rejects.toThrow('ROLE_REFUSED');
    await askOperator(as(operator), 'POST', '/api/sites', { name: 'a' });
    for (const path of ['/api/operators', '/api/backup/records'])
      await expect(askOperator(as(operator), 'GET', path)).rejects.toThrow('ROLE_REFUSED');
    await askOperator(as(administrator), 'POST', '/api/operators/rhea/role', { role: 'operate' });
    // The sign-in was one of a reader; the next one is not.
    await expect(askOperator(as(reader), 'POST', '/api/sites', { name: 'b' })).rejects.toThrow('ROLE_REFUSED');
    await askOperator(as(await signIn({ name: 'rhea', password: PASSWORD })), 'POST', '/api/sites', { name: 'b' });

    const { entries } = (await askOperator(as(operator), 'GET', '/api/audit')) as {
      entries: { actor: string; kind: string; subject: Record<string, string | undefined> }[];
    };
    const told = entries.map(({ actor, kind, subject }) => `${actor} ${kind} ${subject['operator'] ?? subject['site'] ?? ''}`);
    expect(told.filter((line) => !line.includes('password-chosen'))).toEqual([
      'operator operator-invited rhea',
      'operator operator-invited ada',
      'operator operator-invited root.user',
      'operator:ada site-invited a',
      'operator:root.user operator-role-changed rhea',
      'operator:rhea site-invited b',
    ]);
  });

  it('decide about updates in their own names only', async () => {
    const token = await accountOf('ada', 'operate');
    const [a, b] = [await RawSite.enrol(coordinator, 'a'), await RawSite.enrol(coordinator, 'b')];
    for (const site of [a, b]) await site.connect();
    await askOperator(as(token), 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: 2 }));
    const assignment = await a.trainAssignment(1);
    await a.deliver(assignment, constantUpdate(MODEL, Number.NaN), 10);
    const path = `/api/updates/${assignment.participationId}/discard`;
    await expect(askOperator(as(token), 'POST', path, { operator: 'bob' })).rejects.toThrow('signed in as ada');
    await expect(askOperator(coordinator, 'POST', path, {})).rejects.toThrow('it must say who decides');
    expect(await askOperator(as(token), 'POST', path, { reason: 'a NaN' })).toMatchObject({ decidedBy: 'ada' });
    for (const site of [a, b]) site.disconnect();
  });

  it('make tokens for programs that allow less than they may, end by themselves, and can be revoked', async () => {
    const operator = await accountOf('ada', 'operate');
    const make = async (body: object) =>
      issuedTokenSchema.parse(await askOperator(as(operator), 'POST', '/api/operator/tokens', body));
    const { token, view } = await make({ label: 'prometheus' });
    expect(view).toMatchObject({ operator: 'ada', role: 'read' });
    await askOperator(as(token), 'GET', '/api/campaigns');
    await expect(askOperator(as(token), 'POST', '/api/sites', { name: 'a' })).rejects.toThrow('ROLE_REFUSED');
    await expect(make({ label: 'x', role: 'administer' })).rejects.toThrow('you may do less');
    await expect(make({ label: 'x', lifetime: '500d' })).rejects.toThrow('400 days');
    const short = await make({ label: 'short', lifetime: '1s' });
    await askOperator(as(short.token), 'GET', '/api/campaigns');
    await eventually(async () => {
      const answer = await askOperator(as(short.token), 'GET', '/api/campaigns').catch((error: Error) => error.message);
      return String(answer).includes('has expired') ? true : undefined;
    });
    const other = await accountOf('bob', 'operate');
    expect(await askOperator(as(other), 'GET', '/api/operator/tokens')).toEqual([]);
    await expect(askOperator(as(other), 'POST', `/api/operator/tokens/${view.id}/revoke`)).rejects.toThrow('NOT_FOUND');
    expect(await askOperator(coordinator, 'GET', '/api/operator/tokens')).toMatchObject([
      { label: 'prometheus', operator: 'ada' },
    ]);
    await askOperator(as(operator), 'POST', `/api/operator/tokens/${view.id}/revoke`);
    await expect(askOperator(as(token), 'GET', '/api/campaigns')).rejects.toThrow('OPERATOR_REFUSED');
    // Another password ends what sign-ins have opened.
    await signIn({ name: 'ada', password: PASSWORD, newPassword: 'four blue umbrellas' });
    await expect(askOperator(as(operator), 'GET', '/api/campaigns')).rejects.toThrow('OPERATOR_REFUSED');
  });

  it('are slowed down by wrong passwords, whether there is such a name or not', async () => {
    await accountOf('ada', 'read');
    for (const name of ['ada', 'nobody']) {
      for (let n = 0; n < 5; n++) await expect(signIn({ name, password: 'wrong' })).rejects.toThrow('the name or the password');
      await expect(signIn({ name, password: PASSWORD })).rejects.toThrow('too many wrong passwords');
    }
  });

  it('stop watching at once when their account ends', async () => {
    const token = await accountOf('ada', 'read');
    const watch = (of: string): Promise<Socket> =>
      new Promise((resolve, reject) => {
        const socket = io(`${coordinator.url}${OPERATOR_NAMESPACE}`, { auth: { token: of }, reconnection: false });
        socket.once('connect', () => resolve(socket)).once('connect_error', reject);
      });
    await expect(watch('operator_made-up')).rejects.toThrow('missing or wrong');
    const [watching, home] = [await watch(token), await watch(coordinator.operatorToken)];
    const ended = new Promise((resolve) => watching.once('disconnect', resolve));
    await askOperator(coordinator, 'POST', '/api/operators/ada/disable');
    expect(await ended).toBe('io server disconnect');
    expect(home.connected).toBe(true);
    home.disconnect();
  });

  it('leave neither passwords nor tokens in the files of the coordinator', async () => {
    const secrets = [await invite('bob', 'read'), await accountOf('ada', 'read'), PASSWORD];
    for (const name of ['coordinator.sqlite', 'coordinator.sqlite-wal']) {
      const bytes = await readFile(join(coordinator.home, name)).catch(() => Buffer.alloc(0));
      expect(secrets.filter((secret) => bytes.includes(secret))).toEqual([]);
    }
  });
});

describe("the operators' commands", () => {
  let coordinator: TestCoordinator;
  let folder: string;
  const before = process.env['CONSILIUM_OPERATOR_SESSIONS'];

  beforeEach(async () => {
    coordinator = await TestCoordinator.open();
    folder = await mkdtemp(join(tmpdir(), 'operators-'));
    process.env['CONSILIUM_OPERATOR_SESSIONS'] = join(folder, 'sessions', 'sessions.json');
  });
  afterEach(async () => {
    if (before === undefined) delete process.env['CONSILIUM_OPERATOR_SESSIONS'];
    else process.env['CONSILIUM_OPERATOR_SESSIONS'] = before;
    await coordinator.remove();
    await rm(folder, { recursive: true });
  });

  /** From another machine: nothing of the coordinator's own folder is at hand. */
  const afar = (...words: string[]): string[] => [...words, '--url', coordinator.url, '--home', folder];
  const here = (...words: string[]): string[] => [...words, '--url', coordinator.url, '--home', coordinator.home];

  it('invite, sign in from another machine, act under a name and sign out', async () => {
    const [passwordFile, newPasswordFile] = [join(folder, 'first'), join(folder, 'own')];
    const invited = await runCommand(operatorCommand(), here('invite', 'ada', '--role', 'operate'));
    expect(invited).toContain(`coordinator sign-in ada --url ${coordinator.url}`);
    await writeFile(passwordFile, `${/first_\S+/.exec(invited)?.[0] ?? ''}\n`);
    await writeFile(newPasswordFile, `${PASSWORD}\n`);
    await expect(runCommand(siteCommand(), afar('list'))).rejects.toMatchObject({
      code: 'OPERATOR_REFUSED',
      remedy: expect.stringContaining('coordinator sign-in --url') as string,
    });

    const files = ['--password-file', passwordFile, '--new-password-file', newPasswordFile];
    expect(await runCommand(signInCommand(), afar('ada', ...files))).toMatch(/^Signed in as ada \(operate: .*\) until 20/);
    const kept = join(folder, 'sessions', 'sessions.json');
    expect((await stat(kept)).mode & 0o777).toBe(0o600);
    expect(readFileSync(kept, 'utf8')).not.toContain(PASSWORD);
    expect(await runCommand(whoAmICommand(), afar())).toMatch(/^ada \(operate: .*until/);
    expect(await runCommand(siteCommand(), afar('enrol', 'hospital-a'))).toContain('hospital-a is invited');
    // Also on the coordinator's own machine, whoever has signed in acts under a name, and with its rights.
    await expect(runCommand(operatorCommand(), here('list'))).rejects.toMatchObject({ code: 'ROLE_REFUSED' });
    expect(await runCommand(auditCommand(), here('show'))).toMatch(/operator:ada +site-invited/);

    expect(await runCommand(signOutCommand(), afar())).toBe('ada is signed out.');
    await expect(runCommand(siteCommand(), afar('list'))).rejects.toMatchObject({ code: 'OPERATOR_REFUSED' });
    expect(await runCommand(whoAmICommand(), here())).toMatch(/^nobody by name/);
    expect(await runCommand(operatorCommand(), here('list'))).toMatch(/ada +operate +active/);
  });

  it('make, list and revoke tokens', async () => {
    const first = await runCommand(operatorCommand(), here('invite', 'ada', '--role', 'read', '--json'));
    await writeFile(join(folder, 'first'), invitedOperatorSchema.parse(JSON.parse(first)).firstPassword);
    await writeFile(join(folder, 'own'), PASSWORD);
    const files = ['--password-file', join(folder, 'first'), '--new-password-file', join(folder, 'own')];
    await runCommand(signInCommand(), afar('ada', ...files));
    const token = await runCommand(operatorCommand(), afar('token', 'create', 'prometheus', '--lifetime', '30d'));
    expect((await fetch(`${coordinator.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
    const id = /token_\w+/.exec(await runCommand(operatorCommand(), afar('token', 'list')))?.[0] ?? '';
    expect(await runCommand(operatorCommand(), afar('token', 'revoke', id))).toBe(`The token ${id} is revoked.`);
    expect((await fetch(`${coordinator.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
    await expect(runCommand(operatorCommand(), afar('invite', 'bob', '--role', 'boss'))).rejects.toThrow('there is no role');
    await expect(runCommand(operatorCommand(), afar('invite', 'bob', '--role', 'read'))).rejects.toMatchObject({
      code: 'ROLE_REFUSED',
    });
  });
});
