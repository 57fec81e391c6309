import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const ROOT = join(PROJECT_ROOT, 'site-agent/src');

const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'),
);

/** Files that take more than types, which can send nothing, from a module whose path fits. */
function takersOf(module: RegExp): string[] {
  return files.filter((path) => {
    const imports = readFileSync(join(ROOT, path), 'utf8').matchAll(/^import\s+(type\s+)?([^;]*?)\s*from\s+'([^']+)'/gm);
    return [...imports].some(([, onlyTypes, names = '', from = '']) => {
      if (onlyTypes !== undefined || !module.test(from)) return false;
      const parts = names
        .replace(/[{}]/g, '')
        .split(',')
        .map((part) => part.trim());
      return parts.some((part) => part !== '' && !part.startsWith('type '));
    });
  });
}

describe('what leaves a site', () => {
  it('leaves through the gate: nobody else opens a way to the coordinator for an agent', () => {
    expect(takersOf(/link\/socket-link\.js$|\/socket-link\.js$/)).toEqual(['egress/open-gate.ts']);
    expect(takersOf(/weight-transfer\.js$/).filter((path) => path !== 'egress/gated-transfer.ts')).toEqual([
      'egress/open-gate.ts',
    ]);
    expect(takersOf(/egress\/gated-(link|transfer)\.js$|\.\/gated-(link|transfer)\.js$/)).toEqual(['egress/open-gate.ts']);
  });

  it('is carried by nothing but the ways behind the gate', () => {
    expect(takersOf(/^socket\.io-client$/)).toEqual([
      'link/probe-websocket.ts', // whether a connection opens
      'link/socket-link.ts',
    ]);
    expect(takersOf(/resumable-upload\.js$/)).toEqual(['agent/weight-transfer.ts']);
    expect(takersOf(/http-exchange\.js$/).sort()).toEqual([
      'commands/doctor-link.ts', // whether the coordinator answers, and knows the site
      'link/credential-request.ts', // a proof of the site's key for a credential
      'link/enrolment.ts', // a token and a public key for a credential
      'link/measure-upload.ts', // random bytes, made on the spot, for the doctor
      'link/resumable-download.ts',
      'link/resumable-upload.ts',
      'link/site-catalogue.ts', // only reads: what is here, and passports
    ]);
  });

  it('has no other door: who speaks to the network at all', () => {
    const callers = files.filter((path) => /(?<!async )(?<![.\w])fetch\(/.test(readFileSync(join(ROOT, path), 'utf8')));
    expect(callers.sort()).toEqual([
      'agent/status-page.ts', // this machine
    ]);
    expect(takersOf(/^node:(https?|net|tls|dns(\/promises)?|dgram|http2)$/).sort()).toEqual([
      'agent/status-page.ts',
      'collection/pacs/archive-link.ts', // the hospital's own archive
      'link/http-exchange.ts',
      'link/inspect-certificate.ts', // asks for "/", to see who vouches for the answer
      'link/look-up-name.ts', // the coordinator's or the proxy's name
      'link/outgoing-line.ts', // how connections are opened for those around it
      'link/streamed-body.ts',
      'training/data-parallel/replica-main.ts', // the trainer beside it, on this machine
    ]);
  });
});
