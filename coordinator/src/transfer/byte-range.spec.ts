import { requestedBytes } from './byte-range.js';

describe('requestedBytes', () => {
  it.each([
    ['bytes=0-', { kind: 'part', from: 0, to: 100 }],
    ['bytes=40-', { kind: 'part', from: 40, to: 100 }],
    ['bytes=40-49', { kind: 'part', from: 40, to: 50 }],
    ['bytes=40-4000', { kind: 'part', from: 40, to: 100 }],
    ['bytes=-30', { kind: 'part', from: 70, to: 100 }],
    ['bytes=-3000', { kind: 'part', from: 0, to: 100 }],
    ['bytes=99-', { kind: 'part', from: 99, to: 100 }],
    ['bytes=100-', { kind: 'outside' }],
    ['bytes=-0', { kind: 'outside' }],
    ['bytes=50-40', { kind: 'whole' }],
    ['bytes=0-1,5-6', { kind: 'whole' }],
    ['bytes=-', { kind: 'whole' }],
    ['lines=1-2', { kind: 'whole' }],
    [undefined, { kind: 'whole' }],
  ])('reads %s of 100 bytes', (range, expected) => {
    expect(requestedBytes(range, 100)).toEqual(expected);
  });

  it('finds every byte of an empty file outside', () => {
    expect(requestedBytes('bytes=0-', 0)).toEqual({ kind: 'outside' });
    expect(requestedBytes('bytes=-5', 0)).toEqual({ kind: 'outside' });
  });
});
