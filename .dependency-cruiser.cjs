/** The import ladder of ARCHITECTURE.md, "Who may import whom". Type-only imports count too. */
const APP = '^(coordinator|site-agent)/src';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'kernel-stands-alone',
      severity: 'error',
      from: { path: '^shared/src/kernel' },
      to: { path: '^(shared/src/(?!kernel)|coordinator|site-agent|deploy|test)' },
    },
    {
      name: 'shared-knows-no-app',
      comment: 'shared is code for both apps: no framework, no sockets, no TensorFlow, no app',
      severity: 'error',
      from: { path: '^shared/src' },
      to: { path: `${APP}|^deploy|^node_modules/(@nestjs|typeorm|socket\\.io|@tensorflow|libsql)` },
    },
    {
      name: 'weights-below-models-and-wire',
      severity: 'error',
      from: { path: '^shared/src/(weights|models)' },
      to: { path: '^shared/src/wire' },
    },
    {
      name: 'identity-stands-on-the-kernel',
      comment: 'keys, credentials and proofs know no message, no model and no table',
      severity: 'error',
      from: { path: '^shared/src/identity' },
      to: { path: '^shared/src/(?!identity|kernel)' },
    },
    {
      name: 'safeguards-know-kernel-and-weights',
      severity: 'error',
      from: { path: '^shared/src/safeguards' },
      to: { path: '^shared/src/(wire|models|terminal)' },
    },
    {
      name: 'terminal-knows-no-domain',
      severity: 'error',
      from: { path: '^shared/src/terminal' },
      to: { path: '^shared/src/(wire|weights|models|identity|safeguards)' },
    },
    {
      name: 'weights-below-models',
      severity: 'error',
      from: { path: '^shared/src/weights' },
      to: { path: '^shared/src/(models|safeguards)' },
    },
    {
      name: 'shared-by-its-front-door',
      comment: 'other folders import a shared room by its index only',
      severity: 'error',
      from: { path: `${APP}|^deploy` },
      to: { path: '^shared/src/[^/]+/(?!index)' },
    },
    {
      name: 'coordinator-is-model-blind',
      severity: 'error',
      from: { path: '^coordinator/src' },
      to: { path: '^(site-agent|deploy|test)/|^node_modules/@tensorflow' },
    },
    {
      name: 'site-agent-knows-no-coordinator',
      severity: 'error',
      from: { path: '^site-agent/src' },
      to: { path: '^(coordinator|deploy|test)/|^node_modules/(typeorm|@nestjs)' },
    },
    {
      name: 'pure-rules-are-pure',
      comment: 'round rules, aggregation and the next step import neither framework nor database nor sockets',
      severity: 'error',
      from: {
        path: '^(coordinator/src/rounds/(decide-round|round-states)|coordinator/src/aggregation|coordinator/src/updates/(screen-updates|measure-update|sketch)|site-agent/src/agent/next-step)',
      },
      to: { path: '^node_modules/(@nestjs|typeorm|socket\\.io|libsql)' },
    },
    {
      name: 'compute-knows-no-link',
      comment: 'engine, networks and transforms are plain numerics',
      severity: 'error',
      from: { path: '^site-agent/src/(engine|networks|transforms)' },
      to: { path: '^site-agent/src/(agent|link|commands|trainer|finetuning)|^shared/src/terminal|^node_modules/socket\\.io' },
    },
    {
      name: 'volumes-stand-below',
      comment: 'reading one scan knows nothing of the index, of patches or of training',
      severity: 'error',
      from: { path: '^site-agent/src/volumes' },
      to: { path: '^site-agent/src/(?!volumes)' },
    },
    {
      name: 'preparation-knows-no-index',
      comment: 'patches are made of volumes, whoever lists them',
      severity: 'error',
      from: { path: '^site-agent/src/preprocessing' },
      to: { path: '^site-agent/src/(collection|finetuning|commands|trainer|agent|link)' },
    },
    {
      name: 'finetuning-in-order',
      comment: 'what a task says < its cases < answers of a model < training',
      severity: 'error',
      from: { path: '^site-agent/src/finetuning/tasks' },
      to: { path: '^site-agent/src/finetuning/(?!tasks)' },
    },
    {
      name: 'cases-know-no-answers',
      severity: 'error',
      from: { path: '^site-agent/src/finetuning/cases' },
      to: { path: '^site-agent/src/finetuning/(?!tasks|cases)' },
    },
    {
      name: 'answers-know-no-training',
      severity: 'error',
      from: { path: '^site-agent/src/finetuning/answers' },
      to: { path: '^site-agent/src/finetuning/(?!tasks|cases|answers)' },
    },
    {
      name: 'only-the-engine-names-tensorflow',
      severity: 'error',
      from: { path: '^site-agent/src/(?!engine)' },
      to: { path: '^node_modules/@tensorflow' },
    },
    {
      name: 'only-the-gate-opens-ways',
      comment: 'whatever leaves a site goes through the gate (test/architecture/egress has the rest of it)',
      severity: 'error',
      from: { path: '^site-agent/src', pathNot: '^site-agent/src/egress/open-gate' },
      to: { path: '^site-agent/src/(link/socket-link|agent/weight-transfer)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'the-agent-never-computes',
      severity: 'error',
      from: { path: '^site-agent/src/(agent|link|config)' },
      to: { path: '^site-agent/src/(engine|networks|transforms|objectives|preprocessing)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|/dist/' },
    exclude: { path: '\\.spec\\.ts$' },
    tsConfig: { fileName: 'tsconfig.depcruise.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
