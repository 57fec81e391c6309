import 'reflect-metadata';
import { GUARDS_METADATA, METHOD_METADATA, MODULE_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { RequestMethod } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { NeedsRole } from '../../coordinator/src/access/needs-role.js';
import { RequireOperator } from '../../coordinator/src/access/require-operator.js';
import { AppModule, type Foundation } from '../../coordinator/src/app.module.js';
import { loadCoordinatorConfig } from '../../coordinator/src/config/coordinator-config.js';
import { describeApi } from '../../coordinator/src/api-document/api-document.js';
import { ROUTES } from '../../coordinator/src/api-document/routes.js';
import { homeFolder } from '../../coordinator/src/home/home-folder.js';
import { MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, constantUpdate, RawSite } from '../fixtures/raw-site.js';
import { describeWithSchemathesis } from '../fixtures/run-schemathesis.js';

interface Registered {
  readonly controller: object;
  readonly handler: object;
  /** In the words of the document. */
  readonly route: string;
}

/** What the controllers answer to. */
function registered(): Registered[] {
  const { config } = loadCoordinatorConfig({ flags: { home: 'nowhere' }, environment: {} });
  const { controllers = [] } = AppModule.on({ config, home: homeFolder('nowhere'), operatorToken: '' } as Foundation);
  expect(MODULE_METADATA.CONTROLLERS).toBe('controllers');
  return controllers.flatMap((controller) => {
    const base = Reflect.getMetadata(PATH_METADATA, controller) as string;
    const methods = Object.getOwnPropertyNames(controller.prototype).filter((name) => name !== 'constructor');
    return methods.flatMap((name) => {
      const handler = (controller.prototype as Record<string, object>)[name] ?? {};
      const verb = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
      if (verb === undefined) return [];
      const paths = [Reflect.getMetadata(PATH_METADATA, handler) as string | string[]].flat();
      return paths.map((path) => {
        const parts = [base, path].flatMap((part) => part.split('/')).filter((part) => part !== '');
        const inBraces = parts.map((part) => part.replace(/^:(.*)/, '{$1}')).join('/');
        return { controller, handler, route: `${RequestMethod[verb].toLowerCase()} /${inBraces}` };
      });
    });
  });
}

/** Routes that only operators may take, each with the role that its controller wants. */
function guardedRoutes(): string[] {
  const reflector = new Reflector();
  return registered().flatMap(({ controller, handler, route }) => {
    const guards = (Reflect.getMetadata(GUARDS_METADATA, controller) ?? []) as unknown[];
    if (!guards.includes(RequireOperator)) return [];
    const targets = [handler, controller] as Parameters<Reflector['getAllAndOverride']>[1];
    return [`${route} ${reflector.getAllAndOverride(NeedsRole, targets)}`];
  });
}

describe('the description of the HTTP interface', () => {
  it('names every route that there is, and no other', () => {
    expect(ROUTES.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
      registered()
        .map(({ route }) => route)
        .sort(),
    );
  });

  it('wants of an operator what the controllers want', () => {
    const roles = ROUTES.flatMap(({ method, path, access }) =>
      access === 'site' || access === 'anybody' ? [] : [`${method} ${path} ${access}`],
    );
    expect(roles.sort()).toEqual(guardedRoutes().sort());
  });

  it('names every parameter of a path, and only schemas that stand by themselves', () => {
    for (const { path, parameters = {} } of ROUTES)
      expect([path, ...Object.keys(parameters)]).toEqual([path, ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)]);
    const text = JSON.stringify(describeApi());
    const references = new Set([...text.matchAll(/"\$ref":"([^"]*)"/g)].map(([, reference]) => reference));
    expect([...references].sort()).toEqual(['#/components/responses/Refusal', '#/components/schemas/Refusal']);
  });

  it('is served', async () => {
    const coordinator = await TestCoordinator.open();
    try {
      const response = await fetch(`${coordinator.url}/api/openapi.json`);
      expect(await response.json()).toEqual(JSON.parse(JSON.stringify(describeApi())));
    } finally {
      await coordinator.remove();
    }
  });
});

describeWithSchemathesis('the HTTP interface under thousands of made-up requests', (run) => {
  it.each([
    { role: 'operator', paths: '^/(?!api/site/)', isDeep: false },
    { role: 'operator', paths: '/(campaigns|updates)/', isDeep: true },
    { role: 'site', paths: '^/api/site/', isDeep: true },
  ])(
    'never fails, answers as described and asks for the token: $role, $paths, known names $isDeep',
    async ({ role, paths, isDeep }) => {
      // Each request is to be looked at: limits would refuse many of them unread.
      const coordinator = await TestCoordinator.open({ settings: { requestsPerSite: '100000' } });
      try {
        const site = await RawSite.enrol(coordinator, 'a');
        await site.connect();
        await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: 1 }));
        const assignment = await site.trainAssignment(1);
        await site.deliver(assignment, constantUpdate(MODEL, 0.5), 10);
        const { participationId, plan: round } = assignment;
        // What is there, so that requests reach further than "there is no such thing".
        const known = { idOrName: 'lungs', campaignId: round.campaignId, number: 1, participationId };
        const token = role === 'operator' ? coordinator.operatorToken : site.credential;
        const { url } = coordinator;
        const { status, output } = await run({ url, token, paths, examples: 30, ...(isDeep && { parameters: known }) });
        process.stderr.write(`${/^ +\d+ generated.*$/m.exec(output)?.[0] ?? ''}\n`);
        expect([status, status === 0 ? '' : output]).toEqual([0, '']);
        expect(Number(/(\d+) generated/.exec(output)?.[1])).toBeGreaterThan(100);
        expect((await fetch(`${url}/readyz`)).status).toBe(200);
        site.disconnect();
      } finally {
        await coordinator.remove();
      }
    },
    300_000,
  );
});
