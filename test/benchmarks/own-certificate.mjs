import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** A certificate for this machine that is its own authority, and its key, as PEM files in the folder. Needs openssl. */
export function makeCertificate(folder) {
  const [file, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const order = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1';
  execFileSync('openssl', [...order.split(' '), '-keyout', key, '-out', file], { stdio: 'pipe' });
  return { file, key };
}
