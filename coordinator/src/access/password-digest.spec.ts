import { scryptSync } from 'node:crypto';
import { digestPassword, isPassword } from './password-digest.js';

describe('digestPassword', () => {
  it('is scrypt as RFC 7914 has it, with a salt of its own each time', async () => {
    const [first, second] = [await digestPassword('correct horse battery'), await digestPassword('correct horse battery')];
    expect(first).not.toBe(second);
    const [kind, N, r, p, salt = '', digest] = first.split('$');
    expect([kind, Number(N) >= 2 ** 15, r, p]).toEqual(['scrypt', true, '8', '1']);
    const cost = { N: Number(N), r: Number(r), p: Number(p), maxmem: 2 ** 26 };
    expect(digest).toBe(scryptSync('correct horse battery', Buffer.from(salt, 'base64url'), 32, cost).toString('base64url'));
    expect(first).not.toContain('horse');
  });

  it('knows its own password, however it is composed, and no other', async () => {
    const digest = await digestPassword('grüne Äpfel im März');
    expect(await isPassword('grüne Äpfel im März'.normalize('NFD'), digest)).toBe(true);
    expect(await isPassword('grune Apfel im Marz', digest)).toBe(false);
    expect(await isPassword('', digest)).toBe(false);
  });

  it('refuses a crowd, and answers everybody before it', async () => {
    const digest = await digestPassword('correct horse battery');
    const asked = await Promise.allSettled(Array.from({ length: 25 }, () => isPassword('wrong', digest)));
    const refused = asked.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(25 - 2 - 16);
    expect(refused[0]).toMatchObject({ reason: { code: 'COORDINATOR_BUSY', retryable: true } });
    expect(await isPassword('correct horse battery', digest)).toBe(true);
  }, 60_000);
});
