import { proxyFor, withoutSecrets } from './proxy-setting.js';

const PROXY = 'http://proxy.example:3128';

describe('proxyFor', () => {
  it('takes what is named for everything', () => {
    for (const url of ['https://c.example', 'http://127.0.0.1:7340']) expect(proxyFor(url, PROXY, { NO_PROXY: '*' })).toBe(PROXY);
  });

  it('else what the environment names, in either spelling, but not to this computer', () => {
    expect(proxyFor('https://c.example', undefined, { HTTPS_PROXY: PROXY, HTTP_PROXY: 'http://other:1' })).toBe(PROXY);
    expect(proxyFor('http://c.example', undefined, { https_proxy: PROXY })).toBeUndefined();
    expect(proxyFor('http://c.example', undefined, { all_proxy: 'proxy.example:3128' })).toBe(PROXY);
    for (const url of ['https://localhost', 'http://127.0.0.1:7340', 'https://[::1]:1'])
      expect(proxyFor(url, undefined, { ALL_PROXY: PROXY })).toBeUndefined();
    expect(proxyFor('https://c.example', undefined, { HTTPS_PROXY: '' })).toBeUndefined();
  });

  it.each([
    ['c.example', true],
    ['.example', true],
    ['*.example', true],
    ['example', true],
    ['other.example, c.example:443', true],
    ['c.example:7340', false],
    ['xample', false],
    ['*', true],
    ['', false],
  ])('leaves out what NO_PROXY lists: %s %s', (list, isLeftOut) => {
    const proxy = proxyFor('https://c.example', undefined, { HTTPS_PROXY: PROXY, NO_PROXY: list });
    expect(proxy).toBe(isLeftOut ? undefined : PROXY);
  });

  it('is shown without its password', () => {
    expect(withoutSecrets('http://aare:secret@proxy.example:3128')).toBe('http://aare:***@proxy.example:3128');
    expect(withoutSecrets(PROXY)).toBe(PROXY);
  });
});
