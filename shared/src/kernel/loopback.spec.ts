import { isLoopbackHost } from './loopback.js';

describe('a host that only this machine reaches', () => {
  it.each(['localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]'])('%s is one', (host) => {
    expect(isLoopbackHost(host)).toBe(true);
  });

  it.each(['0.0.0.0', '::', '10.0.0.7', 'localhost.example', '127.0.0.1.example', '128.0.0.1', ''])('"%s" is none', (host) => {
    expect(isLoopbackHost(host)).toBe(false);
  });
});
