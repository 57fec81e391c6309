import { findVersion, parseVersionName } from './version-name.js';

describe('a version as people write it', () => {
  it.each([
    ['chest', { campaign: 'chest', number: undefined }],
    ['chest@12', { campaign: 'chest', number: 12 }],
    ['chest@latest', { campaign: 'chest', number: undefined }],
    ['a.b_c-1@1', { campaign: 'a.b_c-1', number: 1 }],
  ])('%s', (text, name) => expect(parseVersionName(text)).toEqual(name));

  it.each(['', '@3', 'chest@', 'chest@0', 'chest@-1', 'chest@1.5', '../chest', 'a b', 'chest@1@2'])('is not %j', (text) => {
    expect(() => parseVersionName(text)).toThrow(/names no version/);
  });

  it('is the one of that number, or the newest of its campaign, in whatever order they are listed', () => {
    const versions = [
      { campaignName: 'chest', number: 2 },
      { campaignName: 'head', number: 9 },
      { campaignName: 'chest', number: 3 },
      { campaignName: 'chest', number: 1 },
    ];
    expect(findVersion(versions, { campaign: 'chest', number: undefined })).toBe(versions[2]);
    expect(findVersion(versions, { campaign: 'chest', number: 1 })).toBe(versions[3]);
    expect(findVersion(versions, { campaign: 'chest', number: 4 })).toBeUndefined();
    expect(findVersion(versions, { campaign: 'foot', number: undefined })).toBeUndefined();
  });
});
