import { digestOfBytes } from '@consilium/shared/kernel';
import { initialWeights } from '@consilium/shared/models';
import { readSafetensors } from '@consilium/shared/weights';
import { type CampaignEvent, OPERATOR_NAMESPACE, scoreViewSchema } from '@consilium/shared/wire';
import { io } from 'socket.io-client';
import { MODEL, blobPath, enrolSites, moved, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { describeOnEachDatabase } from '../fixtures/start-postgres.js';
import { askOperator, campaignView, constantUpdate, eventually, idOf, offerOf, type RawSite } from '../fixtures/raw-site.js';

describeOnEachDatabase('the coordinator, driven over its wire', (newDatabase) => {
  let coordinator: TestCoordinator;
  const sites: RawSite[] = [];

  const enrol = async (...names: string[]): Promise<RawSite[]> => {
    const enrolled = await enrolSites(coordinator, ...names);
    sites.push(...enrolled);
    return enrolled;
  };

  beforeEach(async () => {
    coordinator = await TestCoordinator.open({ database: await newDatabase() });
  });

  afterEach(async () => {
    for (const site of sites.splice(0)) site.disconnect();
    await coordinator.remove();
  });

  it('runs two rounds with two sites to the exact weighted mean, scores the end and tells operators', async () => {
    const [a, b] = await enrol('site-a', 'site-b');
    if (a === undefined || b === undefined) throw new Error('two sites');
    const events: CampaignEvent[] = [];
    const watcher = io(`${coordinator.url}${OPERATOR_NAMESPACE}`, { auth: { token: coordinator.operatorToken }, forceNew: true });
    watcher.on('campaign:event', (event: CampaignEvent) => events.push(event));
    await new Promise<void>((resolve) => watcher.once('connect', resolve));
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs'));

    // Round 1: (10 × 0.5 + 30 × −0.25) / 40 = −0.0625. Round 2: (8 × 1 + 8 × 0) / 16 = 0.5.
    const rounds = [
      { a: { delta: 0.5, patches: 10 }, b: { delta: -0.25, patches: 30 } },
      { a: { delta: 1, patches: 8 }, b: { delta: 0, patches: 8 } },
    ];
    for (const [index, round] of rounds.entries()) {
      const forA = await a.trainAssignment(index + 1);
      const forB = await b.trainAssignment(index + 1);
      // The second site by name delivers first: order of arrival must not matter.
      expect(await b.deliver(forB, constantUpdate(MODEL, round.b.delta), round.b.patches)).toMatchObject({
        ok: true,
        value: { outcome: 'accepted' },
      });
      expect(await a.deliver(forA, constantUpdate(MODEL, round.a.delta), round.a.patches)).toMatchObject({ ok: true });
    }

    const score = await eventually(async () => {
      const assignment = await a.sync();
      return assignment?.kind === 'score' ? assignment : undefined;
    });
    expect(score.plan.version.number).toBe(3);
    for (const site of [a, b]) {
      expect(await site.reportScore(score.plan.campaignId, score.plan.version.digest)).toEqual({ ok: true, value: null });
    }
    const view = await eventually(async () => {
      const now = await campaignView(coordinator, 'lungs');
      return now.state === 'finished' ? now : undefined;
    });
    watcher.close();

    const start = initialWeights(MODEL, 7);
    const { weights: afterOne } = await readSafetensors(blobPath(coordinator, view.roundViews[0]?.version?.digest ?? ''));
    expect(afterOne.map(({ values }) => [...values])).toEqual(moved(start, -0.0625));
    const { weights: afterTwo, metadata } = await readSafetensors(blobPath(coordinator, view.version.digest));
    expect(afterTwo.map(({ values }) => [...values])).toEqual(moved(afterOne, 0.5));
    expect(metadata).toMatchObject({ format: 'pt', version: '3' });

    expect(view).toMatchObject({ finishedRounds: 2, code: null });
    expect(view.version.scores.map(({ siteName }) => siteName)).toEqual(['site-a', 'site-b']);
    expect(view.initialVersion.scores.map((entry) => scoreViewSchema.parse(entry).siteName)).toEqual(['site-a', 'site-b']);
    expect(view.roundViews[0]?.participations.map(({ siteName, state, patches }) => [siteName, state, patches])).toEqual([
      ['site-a', 'delivered', 10],
      ['site-b', 'delivered', 30],
    ]);
    const roundStates = events.flatMap((event) => (event.kind === 'round' && event.roundNumber === 1 ? [event.state] : []));
    expect(roundStates).toEqual(['planned', 'inviting', 'training', 'aggregating', 'finished']);
    expect(events.filter(({ kind }) => kind === 'campaign').map((event) => 'state' in event && event.state)).toEqual([
      'active',
      'scoring',
      'finished',
    ]);
  });

  it('serves a version by ranges to sites of its campaign only', async () => {
    const [a, outsider] = await enrol('site-a', 'outsider');
    if (a === undefined || outsider === undefined) throw new Error('two sites');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { sites: ['site-a'], quorum: 1 }));
    const { base } = (await a.trainAssignment(1)).plan;

    const whole = await a.download(base.digest);
    const bytes = new Uint8Array(await whole.arrayBuffer());
    expect(whole.headers.get('etag')).toBe(`"${base.digest}"`);
    expect([bytes.length, digestOfBytes(bytes, 'blake3')]).toEqual([base.bytes, base.digest]);
    const part = await a.download(base.digest, { range: 'bytes=100-', 'if-range': `"${base.digest}"` });
    expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, base.bytes - 100]);
    const refused = await outsider.download(base.digest);
    expect([refused.status, await refused.json()]).toMatchObject([404, { code: 'NOT_FOUND' }]);
    expect(await outsider.sync()).toBeNull();
  });

  it('goes on after a restart: half an upload stays, the open part is asked for again, the result is the same', async () => {
    const [a, b] = await enrol('site-a', 'site-b');
    if (a === undefined || b === undefined) throw new Error('two sites');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1 }));
    await a.deliver(await a.trainAssignment(1), constantUpdate(MODEL, 0.5), 10);
    const before = await b.trainAssignment(1);
    const bytes = constantUpdate(MODEL, -0.25);
    const created = await b.createUpload(before.participationId, digestOfBytes(bytes), bytes.length);
    const location = created.headers.get('location') ?? '';
    const half = Math.floor(bytes.length / 2);
    expect((await b.append(location, 0, bytes.subarray(0, half))).status).toBe(204);

    await coordinator.stop();
    await coordinator.start();
    await b.connect();
    const after = await b.trainAssignment(1);
    expect(after.participationId).toBe(before.participationId);
    expect(await b.offsetOf(location)).toBe(half);
    const early = await b.offer(offerOf(after, idOf(location), bytes, 30));
    expect(early).toMatchObject({ ok: false, error: { code: 'UPLOAD_INCOMPLETE', retryable: true } });
    expect((await b.append(location, half, bytes.subarray(half))).status).toBe(204);
    expect(await b.offer(offerOf(after, idOf(location), bytes, 30))).toMatchObject({ ok: true });

    const view = await eventually(async () => {
      const now = await campaignView(coordinator, 'lungs');
      return now.finishedRounds === 1 ? now : undefined;
    });
    const { weights } = await readSafetensors(blobPath(coordinator, view.version.digest));
    expect(weights.map(({ values }) => [...values])).toEqual(moved(initialWeights(MODEL, 7), -0.0625));
  });

  it('lets one agent per site in, tells the second why, and frees the place of a dead one', async () => {
    const [a] = await enrol('site-a');
    if (a === undefined) throw new Error('one site');
    const first = a.socket;
    await expect(a.connect()).rejects.toMatchObject({ report: { code: 'SITE_ALREADY_CONNECTED' } });
    expect(first?.connected).toBe(true);
    first?.disconnect();
    await eventually(async () => a.connect().catch(() => undefined));
    await expect(a.connect('wrong')).rejects.toMatchObject({ report: { code: 'CREDENTIAL_REFUSED' } });
    await expect(a.connect(a.credential, 99)).rejects.toMatchObject({ report: { code: 'PROTOCOL_VERSION' } });
  });

  it('ends a revoked site at once: connection closed with the reason, its part failed, the round not held up', async () => {
    const [a, b] = await enrol('site-a', 'site-b');
    if (a === undefined || b === undefined) throw new Error('two sites');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: 1 }));
    await a.deliver(await a.trainAssignment(1), constantUpdate(MODEL, 0.5), 10);
    const told = new Promise((resolve) => b.socket?.once('site:refused', resolve));
    const closed = new Promise((resolve) => b.socket?.once('disconnect', resolve));
    await askOperator(coordinator, 'POST', '/api/sites/site-b/revoke');
    expect(await told).toMatchObject({ code: 'CREDENTIAL_REFUSED' });
    await closed;
    await expect(b.connect()).rejects.toMatchObject({ report: { code: 'CREDENTIAL_REFUSED' } });
    const view = await eventually(async () => {
      const now = await campaignView(coordinator, 'lungs');
      return now.finishedRounds === 1 ? now : undefined;
    });
    expect(view.roundViews[0]?.participations[1]).toMatchObject({
      siteName: 'site-b',
      state: 'failed',
      code: 'CREDENTIAL_REFUSED',
    });
  });

  it('counts a doubled offer once, and answers the repetition', async () => {
    const [a, b] = await enrol('site-a', 'site-b');
    if (a === undefined || b === undefined) throw new Error('two sites');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1 }));
    const assignment = await a.trainAssignment(1);
    const bytes = constantUpdate(MODEL, 0.5);
    const uploadId = await a.upload(assignment.participationId, bytes);
    const offer = offerOf(assignment, uploadId, bytes, 10);
    const outcomes = await Promise.all([a.offer(offer), a.offer(offer)]);
    expect(outcomes.map((answer) => answer.ok && answer.value.outcome).sort()).toEqual(['accepted', 'already-accepted']);
    expect(await a.sync()).toBeNull();
    expect(await b.ask('participation:accept', { participationId: assignment.participationId })).toMatchObject({
      ok: false,
      error: { code: 'NOT_FOUND' },
    });
    await b.deliver(await b.trainAssignment(1), constantUpdate(MODEL, 0), 10);
    await eventually(async () => ((await campaignView(coordinator, 'lungs')).finishedRounds === 1 ? true : undefined));
    expect(await a.offer(offer)).toMatchObject({ ok: true, value: { outcome: 'already-accepted' } });
  });

  it('pauses between rounds, resumes, and closes everything on cancel', async () => {
    const [a] = await enrol('site-a');
    if (a === undefined) throw new Error('one site');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 3, quorum: 1 }));
    const one = await a.trainAssignment(1);
    await askOperator(coordinator, 'POST', '/api/campaigns/lungs/pause');
    await a.deliver(one, constantUpdate(MODEL, 0.5), 10);
    await eventually(async () => ((await campaignView(coordinator, 'lungs')).finishedRounds === 1 ? true : undefined));
    expect(await a.sync()).toBeNull();
    await askOperator(coordinator, 'POST', '/api/campaigns/lungs/resume');
    const two = await a.trainAssignment(2);
    const bytes = constantUpdate(MODEL, 0.5);
    const uploadId = await a.upload(two.participationId, bytes);
    await askOperator(coordinator, 'POST', '/api/campaigns/lungs/cancel');
    expect(await a.offer(offerOf(two, uploadId, bytes, 10))).toMatchObject({ ok: false, error: { code: 'ROUND_CLOSED' } });
    expect(await a.sync()).toBeNull();
    expect(await campaignView(coordinator, 'lungs')).toMatchObject({ state: 'cancelled', finishedRounds: 1 });
    await expect(askOperator(coordinator, 'POST', '/api/campaigns/lungs/resume')).rejects.toThrow('CAMPAIGN_TRANSITION');
  });

  it('fails a round that cannot reach its quorum, and tries it once more when told to', async () => {
    const [a] = await enrol('site-a');
    if (a === undefined) throw new Error('one site');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: 1 }));
    const first = await a.trainAssignment(1);
    expect(await a.ask('participation:fail', { participationId: first.participationId, code: 'OUT_OF_MEMORY' })).toMatchObject({
      ok: true,
    });
    const failed = await eventually(async () => {
      const now = await campaignView(coordinator, 'lungs');
      return now.state === 'failed' ? now : undefined;
    });
    expect([failed.code, failed.roundViews[0]?.participations[0]?.code]).toEqual(['QUORUM_MISSED', 'OUT_OF_MEMORY']);
    await askOperator(coordinator, 'POST', '/api/campaigns/lungs/resume');
    expect((await a.trainAssignment(1)).participationId).not.toBe(first.participationId);
  });
});
