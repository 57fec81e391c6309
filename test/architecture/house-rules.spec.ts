import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ERROR_CODES } from '../../shared/src/kernel/index.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

/** Product sources: every TypeScript file below an app's src, specs aside. */
const sources = listFiles(['shared/src', 'coordinator/src', 'site-agent/src', 'deploy/src']).filter((path) =>
  path.endsWith('.ts'),
);
const products = sources.filter((path) => !path.endsWith('.spec.ts'));

function listFiles(folders: string[]): string[] {
  return folders
    .map((folder) => join(PROJECT_ROOT, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(PROJECT_ROOT.length + 1)),
    );
}

function read(path: string): string {
  return readFileSync(join(PROJECT_ROOT, path), 'utf8');
}

function offenders(paths: string[], isOffence: (text: string, path: string) => boolean): string[] {
  return paths.filter((path) => isOffence(read(path), path));
}

describe('house rules', () => {
  it('looks at a real tree', () => {
    expect(products.length).toBeGreaterThan(60);
  });

  it('no file is longer than 400 lines', () => {
    expect(offenders(sources, (text) => text.split('\n').length > 401)).toEqual([]);
  });

  it('no file or folder is a lumber room, and no barrel stands outside shared', () => {
    const lumber = /(^|\/)(utils?|common|misc|helpers?|base|types)(\.ts$|\/)/;
    expect(sources.filter((path) => lumber.test(path))).toEqual([]);
    expect(
      products.filter((path) => path.endsWith('/index.ts') && !path.startsWith('shared/') && !path.includes('/commands/')),
    ).toEqual([]);
  });

  it('files are named in kebab-case with dotted suffixes for framework kinds only', () => {
    const allowed = /^[a-z0-9]+(-[a-z0-9]+)*(\.(entity|controller|gateway|module|filter|middleware|spec))?\.ts$/;
    expect(sources.filter((path) => !allowed.test(basename(path)))).toEqual([]);
  });

  it("the vocabulary's refused words name no file and no exported identifier", () => {
    const refused = [
      'client',
      'node',
      'worker',
      'party',
      'server',
      'master',
      'admin',
      'experiment',
      'pretext',
      'study',
      'aggregator',
    ];
    const wordIn = (identifier: string): string | undefined =>
      refused.find((word) => identifier.split(/(?=[A-Z])|[-._]/).some((part) => part.toLowerCase() === word));
    const files = products.filter((path) => wordIn(basename(path, '.ts')) !== undefined);
    const identifiers = products.flatMap((path) =>
      [...read(path).matchAll(/^export (?:abstract |async )?(?:class|function|const|interface|type|enum) (\w+)/gm)]
        .map(([, name = '']) => name)
        .filter((name) => wordIn(name) !== undefined)
        .map((name) => `${path}: ${name}`),
    );
    expect([...files, ...identifiers]).toEqual([]);
  });

  it('the environment is read in config folders only (TensorFlow reads its own at load time)', () => {
    const allowed = /\/config\/|^site-agent\/src\/engine\/runtime\/load-binding\.ts$/;
    expect(offenders(products, (text, path) => /process\.env/.test(text) && !allowed.test(path))).toEqual([]);
  });

  it('OpenTelemetry is known to one file, which is loaded when a collector is named', () => {
    const knowing = '@opentelemetry/';
    const file = 'coordinator/src/tracing/open-telemetry.ts';
    expect(offenders(products, (text) => text.includes(knowing))).toEqual([file]);
    expect(offenders(products, (text) => /from '[^']*\/open-telemetry\.js'/.test(text))).toEqual([]);
    expect(offenders(products, (text) => text.includes("import('./open-telemetry.js')"))).toEqual([
      'coordinator/src/tracing/open-spans.ts',
    ]);
  });

  it('nothing is unfinished or switched off, and no type check is silenced', () => {
    const unfinished = new RegExp(['TO' + 'DO', 'FIX' + 'ME', '@ts-' + 'ignore', '@ts-' + 'nocheck'].join('|'));
    expect(offenders(sources, (text) => unfinished.test(text))).toEqual([]);
    const switchedOff = new RegExp('\\b(it|test|describe)\\.(only|skip|todo|failing)\\b|\\bx(it|describe)\\(');
    expect(
      offenders(
        [...sources, ...listFiles(['test'])].filter((path) => path.endsWith('.spec.ts')),
        (text) => switchedOff.test(text),
      ),
    ).toEqual([]);
  });

  it('every error code has its page, and every page its code', () => {
    const pages = readdirSync(join(PROJECT_ROOT, 'docs/errors')).filter((name) => name !== 'README.md');
    expect(pages.sort()).toEqual(
      Object.keys(ERROR_CODES)
        .map((code) => `${code}.md`)
        .sort(),
    );
  });

  it('every error code is used somewhere', () => {
    const setUp = listFiles(['deploy/setup', 'deploy/runtime']);
    const text = [...products.filter((path) => !path.endsWith('error-codes.ts')), ...setUp].map(read).join('\n');
    expect(Object.keys(ERROR_CODES).filter((code) => !new RegExp(`\\b${code}\\b`).test(text))).toEqual([]);
  });

  it('no tracked text names a package registry or a path of the machine it was made on', () => {
    const registry = new RegExp(`https?://[a-z.]*(${['npm' + 'js', 'py' + 'pi', 'python' + 'hosted'].join('|')})`);
    const tracked = execFileSync('git', ['ls-files'], { cwd: PROJECT_ROOT, encoding: 'utf8' }).split('\n');
    const texts = tracked.filter(
      (path) => /\.(ts|mjs|cjs|json|md|yaml|yml|py|sh)$/.test(path) && existsSync(join(PROJECT_ROOT, path)),
    );
    expect(texts.length).toBeGreaterThan(60);
    expect(offenders(texts, (text) => registry.test(text) || text.includes(`${PROJECT_ROOT}/`))).toEqual([]);
  });
});
