import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTrainAssignment } from '../../../test/fixtures/make-assignment.js';
import { parseSiteHours } from '../config/site-hours.js';
import { PolicyDesk } from './policy-desk.js';
import { PolicyFile, type PolicyState } from './policy-file.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-'));
  path = join(folder, 'policy.yaml');
});
afterEach(() => rmSync(folder, { recursive: true }));

function deskOf(mustExist = false): { desk: PolicyDesk; told: PolicyState['kind'][] } {
  const told: PolicyState['kind'][] = [];
  const source = new PolicyFile(path, mustExist);
  const facts = () => ({ device: 'auto', protocol: 2 });
  return { desk: new PolicyDesk({ source, facts, onChange: ({ kind }) => void told.push(kind) }), told };
}

describe('a policy file', () => {
  const { plan } = makeTrainAssignment();

  it('counts from the moment at which it is changed, and tells each change once', () => {
    const { desk, told } = deskOf();
    expect(desk.judge(plan).kind).toBe('allowed');
    writeFileSync(path, 'campaigns: {deny: [tiny]}\n');
    expect(desk.judge(plan)).toMatchObject({ kind: 'refused', findings: [{ rule: 'campaigns', allowed: false }] });
    expect(desk.judge(plan).kind).toBe('refused');
    writeFileSync(path, 'campaigns: {deny: [other]}\n');
    expect(desk.judge(plan).kind).toBe('allowed');
    rmSync(path);
    expect(desk.judge(plan).kind).toBe('allowed');
    expect(told).toEqual(['none', 'in-force', 'in-force', 'none']);
  });

  it('that was replaced by one of the same size and date is read anew', () => {
    writeFileSync(path, 'campaigns: {deny: [aaaa]}\n');
    utimesSync(path, 1, 1);
    const { desk } = deskOf();
    expect(desk.judge(plan).kind).toBe('allowed');
    writeFileSync(path, 'campaigns: {deny: [tiny]}\n');
    utimesSync(path, 1, 1);
    expect(desk.judge(plan).kind).toBe('refused');
  });

  it('allows nothing while it does not read', () => {
    const { desk, told } = deskOf();
    writeFileSync(path, 'campaigns: {deny: [');
    expect(desk.judge(plan)).toMatchObject({ kind: 'unreadable', why: expect.stringContaining('YAML') as string });
    writeFileSync(path, 'campagns: {}\n');
    expect(desk.judge(plan)).toMatchObject({ kind: 'unreadable', why: expect.stringContaining('campagns') as string });
    expect(told).toEqual(['broken', 'broken']);
  });

  it('that a setting names must be there', () => {
    expect(deskOf(true).desk.judge(plan).kind).toBe('unreadable');
  });

  it('narrows hours to those in which both allow it, and tells when there are none', () => {
    writeFileSync(path, 'hours: "20:00-06:00"\n');
    const { desk } = deskOf();
    const at = (hour: number): number => new Date(2026, 0, 5, hour).getTime();
    const both = desk.hours(parseSiteHours('05:00-22:00'));
    expect([both?.restsForMs(at(21)), both?.restsForMs(at(5))]).toEqual([0, 0]);
    expect(both?.restsForMs(at(23))).toBe(6 * 3_600_000);
    expect(both?.restsForMs(at(12))).toBe(8 * 3_600_000);
    expect([both?.changesInMs(at(21)), both?.changesInMs(at(12))]).toEqual([3_600_000, 8 * 3_600_000]);
    expect(desk.everTrains(undefined, at(12))).toBe(true);
    expect(desk.everTrains(parseSiteHours('08:00-18:00'), at(12))).toBe(false);
    expect(desk.everTrains(parseSiteHours('05:00-22:00'), at(12))).toBe(true);
  });

  it('narrows the link and the folders', () => {
    writeFileSync(path, 'uploadLimit: 1MB\nfolders: [{paths: [/a], campaigns: [tiny]}]\n');
    const { desk } = deskOf();
    expect([desk.uploadBytesPerSecond(undefined), desk.uploadBytesPerSecond(5e5), desk.uploadBytesPerSecond(5e6)]).toEqual([
      1e6, 5e5, 1e6,
    ]);
    expect(desk.limitsFor('tiny', { cacheBytes: 5 })).toEqual({
      cacheBytes: 5,
      threads: undefined,
      device: undefined,
      folders: ['/a'],
    });
  });
});
