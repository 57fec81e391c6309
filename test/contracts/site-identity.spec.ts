import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKeyFile, type SigningKey, signProof } from '@consilium/shared/identity';
import { algorithmOf, type AlarmClock, digestOfBytes, systemClock } from '@consilium/shared/kernel';
import { DATA_PATHS, PROTOCOL_VERSION, type SiteDetails, type SiteView } from '@consilium/shared/wire';
import { backupCommand, restoreCommand } from '../../coordinator/src/commands/backup.js';
import { siteCommand } from '../../coordinator/src/commands/site.js';
import { Log } from '../../coordinator/src/log.js';
import { knownCoordinatorKeys } from '../../site-agent/src/config/coordinator-keys.js';
import { readIdentity, saveIdentity } from '../../site-agent/src/config/site-identity.js';
import { enrol } from '../../site-agent/src/link/enrolment.js';
import { BearerIdentity, type CoordinatorAccess } from '../../site-agent/src/link/request-identity.js';
import { downloadBlob } from '../../site-agent/src/link/resumable-download.js';
import { uploadFile } from '../../site-agent/src/link/resumable-upload.js';
import { fetchCatalogue } from '../../site-agent/src/link/site-catalogue.js';
import { renewKey } from '../../site-agent/src/link/renew-key.js';
import { siteAccess } from '../../site-agent/src/link/site-access.js';
import { SocketLink } from '../../site-agent/src/link/socket-link.js';
import { CuttingProxy } from '../fixtures/cutting-proxy.js';
import { plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, enrolWith, eventually, RawSite } from '../fixtures/raw-site.js';
import { runCommand } from '../fixtures/run-command.js';
import { SignedSite, STRANGER } from '../fixtures/signed-site.js';
import { describeOnEachDatabase } from '../fixtures/start-postgres.js';

const BACKOFF = { firstMs: 20, capMs: 100, floorMs: 5 };

describeOnEachDatabase('a site that signs', (newDatabase) => {
  const cleanUps: (() => unknown)[] = [];
  let lines: string[];

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  async function open(settings: Readonly<Record<string, string>> = {}, clock?: AlarmClock): Promise<TestCoordinator> {
    lines = [];
    const log = Log.ofLevel('debug', (line) => lines.push(line));
    const coordinator = await TestCoordinator.open({ database: await newDatabase(), settings, log, ...(clock && { clock }) });
    cleanUps.push(() => coordinator.remove());
    return coordinator;
  }

  async function enrolled(coordinator: TestCoordinator, name = 'aare'): Promise<SignedSite> {
    const site = await SignedSite.join(coordinator, name);
    cleanUps.push(() => site.remove());
    return site;
  }

  /** The agent's own link; `refusals` and `connects` tell what became of it. */
  function dial(access: CoordinatorAccess): { link: SocketLink; refusals: string[]; connects: () => number } {
    const link = new SocketLink({ ...access, agentVersion: '0.1.0', backoff: BACKOFF });
    const refusals: string[] = [];
    let connects = 0;
    link.onState((state) => {
      if (state.kind === 'refused') refusals.push(`${state.error.code}: ${state.error.message}`);
      if (state.kind === 'connected') connects++;
    });
    cleanUps.push(() => link.close());
    link.open();
    return { link, refusals, connects: () => connects };
  }

  const connected = (link: SocketLink): Promise<true> =>
    eventually(async () => (link.state.kind === 'connected' ? true : undefined), 15_000);
  const shown = async (coordinator: TestCoordinator, name = 'aare'): Promise<SiteDetails> =>
    (await askOperator(coordinator, 'GET', `/api/sites/${name}`)) as SiteDetails;
  const codeOf = async (answer: Response): Promise<string> =>
    ((await answer.json()) as { code?: string }).code ?? String(answer.status);

  it('keeps its key to itself, and is shown to the operator with the key’s name', async () => {
    const coordinator = await open();
    const site = await enrolled(coordinator);
    expect(statSync(site.folder.keyFile).mode & 0o777).toBe(0o600);
    expect(existsSync(site.folder.nextKeyFile)).toBe(false);
    expect(site.saved).toEqual({ siteId: site.identity.siteId, siteName: 'aare', coordinatorUrl: coordinator.url });
    expect(statSync(join(coordinator.home, 'coordinator.key')).mode & 0o777).toBe(0o600);
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { quorum: 1 }));
    const { link } = dial(siteAccess(site.folder, site.saved));
    await connected(link);
    const details = await shown(coordinator);
    expect(details).toMatchObject({
      state: 'enrolled',
      connected: true,
      credential: 'signed',
      keyThumbprint: site.key.thumbprint,
    });
    expect(details.credentialExpiresAtMs).toBeGreaterThan(Date.now() + 3_500_000);
    expect(details.campaigns).toEqual([{ name: 'lungs', state: 'active' }]);
    const printed = await runCommand(siteCommand(), ['show', 'aare', '--url', coordinator.url, '--home', coordinator.home]);
    expect(printed).toMatch(/bound to the site’s key[^]*agent +0\.1\.0, protocol 2[^]*lungs \(active\)/);
    expect(printed).toContain(site.key.thumbprint);
    const { entries } = (await askOperator(coordinator, 'GET', '/api/audit')) as { entries: { kind: string; subject: object }[] };
    expect(entries.find(({ kind }) => kind === 'site-enrolled')?.subject).toMatchObject({ credential: 'signed' });
    await expect(askOperator(coordinator, 'GET', '/api/sites/nobody')).rejects.toThrow('SITE_UNKNOWN');
  });

  it('is let in by a proof of its key for this very request, once; nobody else is', async () => {
    const coordinator = await open();
    const site = await enrolled(coordinator);
    const { credential } = await site.renew();
    const other = await enrolled(coordinator, 'limmat');
    const { credential: others } = await other.renew();
    const honest = await site.headers(credential);
    expect((await site.ask(honest)).status).toBe(200);
    const refusals = [
      ['a proof that was used before', honest],
      ['no proof', { authorization: `DPoP ${credential}` }],
      ['a stranger’s key', await site.headers(credential, { key: STRANGER })],
      ['another site’s key', await site.headers(credential, { key: other.key })],
      ['another site’s credential', await site.headers(others)],
      ['a proof of another path', await site.headers(credential, { path: DATA_PATHS.uploads })],
      ['a proof of another method', await site.headers(credential, { method: 'POST' })],
      ['a proof of another credential', await site.headers(credential, { secret: others })],
    ] as const;
    for (const [what, headers] of refusals) {
      const answer = await site.ask(headers);
      expect([what, answer.status, answer.headers.get('www-authenticate')]).toEqual([
        what,
        401,
        'DPoP error="invalid_dpop_proof", algs="EdDSA"',
      ]);
      expect([what, await codeOf(answer)]).toEqual([what, 'PROOF_REFUSED']);
    }
    const stale = await site.ask(await site.headers(credential, { nonce: 'of-yesterday' }));
    expect([stale.headers.get('www-authenticate'), await codeOf(stale)]).toEqual([
      'DPoP error="use_dpop_nonce", algs="EdDSA"',
      'PROOF_STALE',
    ]);
    expect(stale.headers.get('dpop-nonce')).toMatch(/^[\w-]{24}$/);
    expect(await codeOf(await site.ask(await site.headers(credential, { scheme: 'Bearer' })))).toBe('CREDENTIAL_REFUSED');
    expect(await codeOf(await site.ask(await site.headers(credential, { credential: 'made.up.token' })))).toBe(
      'CREDENTIAL_EXPIRED',
    );
    expect((await site.ask(await site.headers(credential))).status).toBe(200);
    // The operator reads who was refused, and reads it once.
    expect(
      lines.filter((line) => line.includes('site aare was refused: PROOF_REFUSED, the request was not signed')),
    ).toHaveLength(1);
  });

  it.each([-6, 6])(
    'does not mind that the coordinator’s clock is %d hours off, over many lives of its credential',
    async (hours) => {
      const skewed = { ...systemClock, nowMs: () => Date.now() + hours * 3_600_000 };
      const coordinator = await open({ credentialLifetime: '1200ms' }, skewed);
      const site = await enrolled(coordinator);
      const access = siteAccess(site.folder, site.saved);
      const { link, connects } = dial(access);
      await connected(link);
      const untilMs = Date.now() + 4_000;
      const expiries = new Set<number | null>();
      while (Date.now() < untilMs) {
        await fetchCatalogue(access);
        expiries.add((await shown(coordinator)).credentialExpiresAtMs);
        expect(link.state.kind).toBe('connected');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(expiries.size).toBeGreaterThan(4);
      expect(connects()).toBe(1);
    },
    30_000,
  );

  it('that lets its credential expire is disconnected, and comes back with a new one', async () => {
    const coordinator = await open({ credentialLifetime: '700ms' });
    const site = await enrolled(coordinator);
    const { credential } = await site.renew();
    const raw = RawSite.known(coordinator, 'aare', credential);
    const hello = { protocolVersion: PROTOCOL_VERSION, agentVersion: '0.0.0' };
    const refused = new Promise((resolve) => {
      void site
        .handshake(credential)
        .then((shown) => raw.connectWith({ ...hello, ...shown }, (socket) => socket.once('site:refused', resolve)));
    });
    expect(await refused).toMatchObject({ code: 'CREDENTIAL_EXPIRED', retryable: true });
    const expired = await site.ask(await site.headers(credential));
    expect([expired.status, expired.headers.get('www-authenticate')]).toEqual([401, 'DPoP error="invalid_token", algs="EdDSA"']);
    await expect(raw.connectWith({ ...hello, ...(await site.handshake(credential)) })).rejects.toMatchObject({
      report: { code: 'CREDENTIAL_EXPIRED' },
    });
    const { link } = dial(siteAccess(site.folder, site.saved));
    await connected(link);
  }, 30_000);

  it('goes on by itself with a coordinator that was restored from a backup, whose key is another', async () => {
    const coordinator = await open();
    const proxy = await CuttingProxy.open(Number(new URL(coordinator.url).port));
    cleanUps.push(() => proxy.close());
    const site = await enrolled(coordinator);
    const otherKeys: string[] = [];
    const options = { coordinatorUrl: proxy.url, onOtherCoordinatorKey: (name: string) => void otherKeys.push(name) };
    const access = siteAccess(site.folder, site.saved, options);
    const { link, refusals, connects } = dial(access);
    await connected(link);
    const folder = await mkdtemp(join(tmpdir(), 'restored-'));
    cleanUps.push(() => rm(folder, { recursive: true }));
    const [kept, home] = [join(folder, 'kept'), join(folder, 'home')];
    await runCommand(backupCommand(), [kept, '--url', coordinator.url, '--home', coordinator.home]);
    proxy.goDown();
    await coordinator.stop();
    const database = await newDatabase();
    await mkdir(home);
    if (database !== undefined) await writeFile(join(home, 'coordinator.yaml'), `database: ${database}\n`);
    await runCommand(restoreCommand(), [kept, '--home', home]);
    const restored = await TestCoordinator.openIn(home, { database });
    cleanUps.push(() => restored.stop());
    const names = [coordinator, restored].map(({ home }) => readKeyFile(join(home, 'coordinator.key'))?.thumbprint);
    proxy.restore(Number(new URL(restored.url).port));
    await eventually(async () => (connects() === 2 ? true : undefined), 15_000);
    await fetchCatalogue(access);
    expect([refusals, (await shown(restored)).connected]).toEqual([[], true]);
    expect(knownCoordinatorKeys(site.folder).map(({ thumbprint }) => thumbprint)).toEqual(names);
    expect([otherKeys, new Set(names).size]).toEqual([[names[1]], 2]); // the old one stays: passports are signed with it
  }, 30_000);

  it('is cut off within seconds when it is revoked: connection, an upload and requests to come', async () => {
    const coordinator = await open();
    const site = await enrolled(coordinator);
    const access = siteAccess(site.folder, site.saved);
    const { link, refusals } = dial(access);
    await connected(link);
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: 1 }));
    const { participationId } = await eventually(async () => {
      const assignment = await link.sync();
      return assignment?.kind === 'train' ? assignment : undefined;
    });
    const metadata = { participationId, digest: digestOfBytes('update') };
    const words = Object.entries(metadata).map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`);
    const tus = { 'tus-resumable': '1.0.0', 'upload-length': '1000', 'upload-metadata': words.join(',') };
    const create = await access.identity.headers('POST', coordinator.url + DATA_PATHS.uploads);
    const created = await fetch(coordinator.url + DATA_PATHS.uploads, { method: 'POST', headers: { ...tus, ...create } });
    expect(created.status).toBe(201);
    const url = coordinator.url + (created.headers.get('location') ?? '');
    const chunk = { 'tus-resumable': '1.0.0', 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' };
    const trickle = new ReadableStream({
      start: (controller) => controller.enqueue(Buffer.alloc(10)), // and never more
    });
    const headers = { ...chunk, ...(await access.identity.headers('PATCH', url)) };
    const startedMs = Date.now();
    const upload = fetch(url, { method: 'PATCH', headers, body: trickle, duplex: 'half' });
    upload.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await askOperator(coordinator, 'POST', '/api/sites/aare/revoke');
    await expect(upload).rejects.toThrow();
    await eventually(async () => (refusals.length > 0 ? true : undefined));
    expect(Date.now() - startedMs).toBeLessThan(3_000);
    expect(refusals).toEqual(['CREDENTIAL_REFUSED: this site was revoked']);
    await expect(fetchCatalogue(access)).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED', message: 'this site was revoked' });
    expect(await codeOf(await site.askForCredential())).toBe('CREDENTIAL_REFUSED');
    expect(lines.some((line) => line.includes('site aare was refused: CREDENTIAL_REFUSED, this site was revoked'))).toBe(true);
    // A new token lets it back, with a new key.
    const { token } = (await askOperator(coordinator, 'POST', '/api/sites', { name: 'aare' })) as { token: string };
    expect((await enrolWith(coordinator, token)).status).toBe(200);
    expect(await codeOf(await site.askForCredential())).toBe('CREDENTIAL_REFUSED');
  }, 30_000);

  it('sends a request again whose proof had grown old, also with the body of an upload', async () => {
    const coordinator = await open();
    const site = await enrolled(coordinator);
    const access = siteAccess(site.folder, site.saved);
    const { link } = dial(access);
    await connected(link);
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: 1 }));
    const { participationId, plan: round } = await eventually(async () => {
      const assignment = await link.sync();
      return assignment?.kind === 'train' ? assignment : undefined;
    });
    const waits: string[] = [];
    const options = { signal: new AbortController().signal, onWait: ({ code }: { code: string }) => waits.push(code) };
    const forget = (): void => access.identity.heardNonce('of an earlier minute');
    forget();
    const [path, fetched] = [join(site.home, 'update'), join(site.home, 'version')];
    await downloadBlob({ ...access, ...round.base, path: fetched }, options);
    expect(digestOfBytes(readFileSync(fetched), algorithmOf(round.base.digest))).toBe(round.base.digest);
    const content = Buffer.alloc(20_000, 'update');
    await writeFile(path, content);
    forget();
    const order = { ...access, participationId, digest: digestOfBytes(content), path, uploadId: undefined, onCreated: forget };
    const uploadId = await uploadFile(order, options);
    forget();
    expect(await uploadFile({ ...order, uploadId }, options)).toBe(uploadId); // asked by HEAD, which has no body to say why
    expect(readFileSync(join(coordinator.home, 'uploads', uploadId)).equals(content)).toBe(true);
    expect(waits).toEqual([]);
  });

  it('trades the bearer credential of an earlier agent when it starts, also when it is killed in the midst of it', async () => {
    const coordinator = await open();
    const site = await enrolled(coordinator, 'limmat');
    const { token } = (await askOperator(coordinator, 'POST', '/api/sites', { name: 'aare' })) as { token: string };
    const { siteId, siteName, credential } = await enrol(coordinator.url, token, '0.0.9');
    const earlier = { siteId, siteName, coordinatorUrl: coordinator.url, credential };
    saveIdentity(site.folder, earlier);
    await rm(site.folder.keyFile);
    const kinds = async (): Promise<unknown> =>
      ((await askOperator(coordinator, 'GET', '/api/sites')) as SiteView[]).map(({ name, credential }) => [name, credential]);
    expect(await kinds()).toEqual([
      ['aare', 'bearer'],
      ['limmat', 'signed'],
    ]);
    await fetchCatalogue(siteAccess(site.folder, earlier)); // a command trades nothing
    expect(readIdentity(site.folder)).toEqual(earlier);
    // Somebody else came in with the same credential: it is void for him too, and so is what he has opened.
    const copy = await RawSite.known(coordinator, 'aare', credential).connect();
    const ended = new Promise((resolve) => copy.once('disconnect', resolve));
    const first = dial(siteAccess(site.folder, earlier, { trades: true }));
    await ended;
    await connected(first.link);
    first.link.close();
    expect(readIdentity(site.folder)).toEqual({ siteId, siteName, coordinatorUrl: coordinator.url });
    expect((await kinds()) as unknown[]).toContainEqual(['aare', 'signed']);
    const used = fetchCatalogue({ coordinatorUrl: coordinator.url, identity: new BearerIdentity(credential) });
    await expect(used).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED' });
    // Killed before it could write down that the credential is void.
    saveIdentity(site.folder, earlier);
    const again = dial(siteAccess(site.folder, earlier, { trades: true }));
    await connected(again.link);
    expect(readIdentity(site.folder)?.credential).toBeUndefined();
    const { entries } = (await askOperator(coordinator, 'GET', '/api/audit')) as { entries: { kind: string; actor: string }[] };
    expect(entries.filter(({ kind }) => kind === 'site-bearer-traded')).toMatchObject([{ actor: 'site:aare' }]);
  });

  it('has a new key take the place of the old one, each signing for the other, also when that is interrupted', async () => {
    const coordinator = await open();
    const site = await enrolled(coordinator);
    const { folder, key } = site;
    const before = dial(siteAccess(folder, site.saved));
    await connected(before.link);
    const { credential } = await site.renew();
    expect((await site.ask(await site.headers(credential))).status).toBe(200);
    const oldPem = readFileSync(folder.keyFile);
    const next = await renewKey(folder, { coordinatorUrl: coordinator.url, key });
    expect([existsSync(folder.nextKeyFile), statSync(folder.keyFile).mode & 0o777]).toEqual([false, 0o600]);
    expect((await shown(coordinator)).keyThumbprint).toBe(next.thumbprint);
    // Whoever holds the old key is cut off and let in no more.
    await eventually(async () => (before.refusals.length > 0 ? true : undefined));
    expect(before.refusals).toEqual(['CREDENTIAL_REFUSED: this site’s key is unknown']);
    expect(await codeOf(await site.ask(await site.headers(credential)))).toBe('CREDENTIAL_REFUSED');
    expect(await codeOf(await site.askForCredential())).toBe('CREDENTIAL_REFUSED');
    // Killed after the coordinator's answer, before the file had its name.
    writeFileSync(folder.nextKeyFile, readFileSync(folder.keyFile), { mode: 0o600 });
    writeFileSync(folder.keyFile, oldPem, { mode: 0o600 });
    const after = dial(siteAccess(folder, site.saved));
    await connected(after.link);
    after.link.close();
    expect(existsSync(folder.nextKeyFile)).toBe(false);
    expect(readKeyFile(folder.keyFile)?.thumbprint).toBe(next.thumbprint);
    const { entries } = (await askOperator(coordinator, 'GET', '/api/audit')) as { entries: { kind: string; actor: string }[] };
    expect(entries.filter(({ kind }) => kind === 'site-key-renewed')).toMatchObject([{ actor: 'site:aare' }]);
  });

  it('has no key put in its place by others: not without its own signature, and not one that another site holds', async () => {
    const coordinator = await open();
    const [site, other] = [await enrolled(coordinator), await enrolled(coordinator, 'limmat')];
    await site.renew(); // for a nonce
    const url = coordinator.url + DATA_PATHS.credential;
    const ask = async (nextProof: string, secret = nextProof, key = site.key): Promise<string> => {
      const proof = await signProof(key, { method: 'POST', url, secret, nonce: site.nonce });
      const headers = { dpop: proof, 'content-type': 'application/json' };
      return codeOf(await fetch(url, { method: 'POST', headers, body: JSON.stringify({ nextProof }) }));
    };
    const proofBy = (key: SigningKey, secret: string): Promise<string> =>
      signProof(key, { method: 'POST', url, secret, nonce: site.nonce });
    const strangers = await proofBy(STRANGER, site.key.thumbprint);
    expect(await ask(strangers, 'signed for something else')).toBe('PROOF_REFUSED');
    expect(await ask(await proofBy(STRANGER, 'for another key'))).toBe('PROOF_REFUSED');
    expect(await ask(strangers, strangers, STRANGER)).toBe('CREDENTIAL_REFUSED');
    expect(await ask(await proofBy(other.key, site.key.thumbprint))).toBe('CREDENTIAL_REFUSED');
    expect((await shown(coordinator)).keyThumbprint).toBe(site.key.thumbprint);
  });

  it('is the only kind let in where bearer credentials are accepted no more, and those who have one may still trade it', async () => {
    const database = await newDatabase();
    const lenient = await TestCoordinator.open({ database });
    cleanUps.push(() => lenient.remove());
    const site = await RawSite.enrol(lenient, 'aare');
    await lenient.stop();
    lines = [];
    const strict = await TestCoordinator.openIn(lenient.home, {
      database,
      settings: { bearerCredentials: 'false' },
      log: Log.ofLevel('info', (line) => lines.push(line)),
    });
    cleanUps.push(() => strict.stop());
    await expect(RawSite.known(strict, 'aare', site.credential).connect()).rejects.toMatchObject({
      report: { code: 'CREDENTIAL_REFUSED', message: 'this coordinator accepts no bearer credentials any more' },
    });
    expect(lines.join('')).toContain('site aare was refused: CREDENTIAL_REFUSED, this coordinator accepts no bearer credentials');
    const { token } = (await askOperator(strict, 'POST', '/api/sites', { name: 'limmat' })) as { token: string };
    await expect(enrol(strict.url, token, '0.0.9')).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED' });
    const newer = await enrolled(strict, 'rhone');
    saveIdentity(newer.folder, { ...newer.saved, siteName: 'aare', credential: site.credential });
    await rm(newer.folder.keyFile);
    await connected(dial(siteAccess(newer.folder, newer.saved, { trades: true })).link);
    expect((await shown(strict)).credential).toBe('signed');
  });
});
