/** The centre's own identity, issued by its own authority and renewed before it ends. */
import { isIP } from 'node:net';
import { systemClock, toMillis } from '@enerchain/model';
import type { GeneralName } from '@enerchain/pki';
import { CERTIFICATE_DAYS, type DevelopmentCa, type Identity, obtainIdentity, openIdentity } from '@enerchain/trust';
import { CENTRE } from './ingest/own-chain.ts';

/** A certificate with less left than this is renewed at the next start. */
const RENEW_BEFORE_MILLIS = 60 * 86_400_000;

/** @param reachedAs names and addresses under which sources reach the centre, besides this machine's own */
export async function centreIdentity(dir: string, ca: DevelopmentCa, reachedAs: readonly string[]): Promise<Identity> {
  const hosts = [...new Set(['localhost', '127.0.0.1', '::1', ...reachedAs])]
    .filter((host) => host !== '' && host !== '0.0.0.0' && host !== '::')
    .map((host): GeneralName => (isIP(host) ? { kind: 'ip', value: host } : { kind: 'dns', value: host }));
  const kept = await openIdentity(dir).catch((error) => {
    if (error?.code === 'trust.identity.missing') return undefined;
    throw error;
  });
  if (kept && covers(kept, hosts)) return kept;
  return obtainIdentity(dir, { name: CENTRE, role: 'centre' }, async (request) => ({
    certificate: await ca.issue(request, { name: CENTRE, role: 'centre', hosts, days: CERTIFICATE_DAYS }),
    ca: ca.certificatePem,
  }));
}

function covers(identity: Identity, hosts: readonly GeneralName[]): boolean {
  const names = identity.certificate.extensions.subjectAltName ?? [];
  const has = (host: GeneralName) => names.some((name) => JSON.stringify(name) === JSON.stringify(host));
  const left = identity.certificate.notAfter.getTime() - toMillis(systemClock.now());
  return left > RENEW_BEFORE_MILLIS && hosts.every(has);
}
