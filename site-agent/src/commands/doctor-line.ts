/** The steps below HTTP on the way to the coordinator: names, and who vouches for the certificate. */
import type { Check } from '@consilium/shared/terminal';
import { withoutSecrets } from '../config/proxy-setting.js';
import { reasonInWords } from '../link/connect-error.js';
import { reasonOf } from '../link/coordinator-address.js';
import { type CertificateFacts, inspectCertificate } from '../link/inspect-certificate.js';
import { lookUpName } from '../link/look-up-name.js';
import type { OutgoingLine } from '../link/outgoing-line.js';

const LITTLE_VALIDITY_MS = 7 * 86_400_000;
/** Words in the names of authorities that programs which open TLS on the way make for themselves. */
const INSPECTORS =
  /zscaler|forti(net|gate)|palo ?alto|sophos|blue ?coat|symantec web|netskope|umbrella|check ?point|mcafee|trellix|forcepoint|barracuda|sonicwall|watchguard|squid|mitmproxy|kaspersky|eset ssl|bitdefender|avast|inspection|intercept|proxy/i;

/** Where there is a proxy, its name is looked up here, and the coordinator's by the proxy. */
export async function checkName(coordinatorUrl: string, line: OutgoingLine): Promise<Check> {
  const name = 'DNS';
  const proxy = line.proxyTo(coordinatorUrl);
  const { hostname } = new URL(proxy ?? coordinatorUrl);
  try {
    const addresses = (await lookUpName(hostname)).slice(0, 3).join(', ');
    if (proxy === undefined)
      return { name, status: 'ok', finding: addresses === hostname ? `${hostname} needs none` : `${hostname} is ${addresses}` };
    return {
      name,
      status: 'ok',
      finding: `the proxy ${hostname} is ${addresses}; it looks up ${new URL(coordinatorUrl).hostname}`,
    };
  } catch (error) {
    const what = proxy === undefined ? hostname : `the proxy ${hostname}`;
    const finding = `${what}: ${reasonInWords(reasonOf(error))}`;
    const remedy =
      proxy === undefined
        ? 'Compare the address with the operator’s. If it is right, your network looks names up for its proxy alone: ask your IT department for it and name it in site.yaml, "proxy: http://proxy.example:3128".'
        : 'Compare the name of the proxy in site.yaml (or in HTTPS_PROXY) with what your IT department says.';
    return { name, status: 'warning', finding, remedy, code: 'COORDINATOR_UNREACHABLE' };
  }
}

/** One line where a proxy is on the way; whether it lets anything through is what the line on the coordinator says. */
export function describeProxy(coordinatorUrl: string, line: OutgoingLine): Check {
  const proxy = line.proxyTo(coordinatorUrl);
  const finding =
    proxy === undefined ? 'none: the direct way' : `${withoutSecrets(proxy)}, for everything that goes to the coordinator`;
  return { name: 'proxy', status: 'ok', finding };
}

/** Who vouches for what answers, so that something which opens TLS on the way shows. */
export async function checkCertificate(
  coordinatorUrl: string,
  line: OutgoingLine,
  options: { readonly namesAuthority: boolean; readonly signal: AbortSignal },
): Promise<Check> {
  if (!coordinatorUrl.startsWith('https:')) {
    const remedy = 'Everybody on the way can read what passes. Ask the operator for an address that begins with https.';
    const isHere = /^(localhost|127\.|\[::1\])/.test(new URL(coordinatorUrl).hostname);
    const finding = isHere ? 'none: the coordinator is on this computer' : 'none: the line is not encrypted';
    return { name: 'TLS', status: isHere ? 'ok' : 'warning', finding, ...(!isHere && { remedy }) };
  }
  try {
    const facts = await inspectCertificate(coordinatorUrl, line, options.signal);
    return judgeCertificate(facts, options.namesAuthority, Date.now());
  } catch (error) {
    const finding = `could not be looked at: ${reasonInWords(reasonOf(error))}`;
    return {
      name: 'TLS',
      status: 'warning',
      finding,
      remedy: 'See the line on the coordinator.',
      code: 'COORDINATOR_UNREACHABLE',
    };
  }
}

/** A private authority is either an institution's own, or of something that opens TLS on the way: its name mostly tells. */
export function judgeCertificate(facts: CertificateFacts, namesAuthority: boolean, nowMs: number): Check {
  const name = 'TLS';
  const { authority, issuers, isPublic, validUntilMs } = facts;
  const inspector = isPublic ? undefined : issuers.find((issuer) => INSPECTORS.test(issuer));
  if (inspector !== undefined) {
    const remedy =
      'What passes can be read there: updates of weights and figures, never a scan. Works where its authority is named in site.yaml ' +
      '("authority: FILE.pem"); better, ask your IT department to leave the coordinator’s address out.';
    return { name, status: 'warning', finding: `something opens TLS on the way: the certificate is of "${inspector}"`, remedy };
  }
  const days = Math.floor((validUntilMs - nowMs) / 86_400_000);
  const finding = `certificate of "${authority}", valid until ${new Date(validUntilMs).toISOString().slice(0, 10)}`;
  if (validUntilMs - nowMs < LITTLE_VALIDITY_MS) {
    const words = days < 0 ? 'it is no longer valid by this computer’s clock' : `${days} days are left`;
    return {
      name,
      status: 'warning',
      finding: `${finding}: ${words}`,
      remedy: 'Tell the coordinator’s operator, and compare this computer’s date.',
    };
  }
  if (isPublic) return { name, status: 'ok', finding: `${finding}, a public authority` };
  const whose = 'not a public authority: the coordinator’s institution’s, or of something that opens TLS on the way';
  if (namesAuthority) return { name, status: 'ok', finding: `${finding}, ${whose}` };
  const remedy =
    'Ask the operator whose authority the coordinator has. Name it in site.yaml if the line on the coordinator says that it is unknown.';
  return { name, status: 'warning', finding: `${finding}, ${whose}`, remedy };
}
