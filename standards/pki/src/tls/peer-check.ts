/** What a finished handshake says of the peer, before anything is said to it. */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { libraryRefusal, type PeerRefusal } from '@enerchain/transport';
import type { TlsProfile } from './profile.ts';

export type { PeerRefusal } from '@enerchain/transport';

/**
 * Why a peer is to be turned away: it showed no certificate, one that TLS did not accept, or more than the profile allows.
 * @param shown certificate of the peer where the socket shows none, as a client's does whose session was resumed
 * @returns undefined when there is no reason
 */
export function refusalOf(
  socket: TLSSocket,
  { maxChain, maxCertificateBytes }: Pick<TlsProfile, 'maxChain' | 'maxCertificateBytes'>,
  shown: X509Certificate | undefined = socket.getPeerX509Certificate(),
): PeerRefusal | undefined {
  const refusal = libraryRefusal(socket, shown);
  if (refusal || !shown) return refusal;
  const chain = chainOf(shown, maxChain + 1);
  const tooLarge = chain.length > maxChain || chain.some(({ raw }) => raw.length > maxCertificateBytes);
  return tooLarge ? { name: 'certificate-too-large' } : undefined;
}

/** The certificate of a peer and those it sent behind it. @param limit most that are looked at */
export function chainOf(first: X509Certificate, limit: number): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let each: X509Certificate | undefined = first; each && chain.length < limit; each = each.issuerCertificate) {
    // A self-signed one is its own issuer.
    if (chain.some((before) => before.raw.equals(each!.raw))) break;
    chain.push(each);
  }
  return chain;
}
