/** The verifier and the identity of the platform in the form that a node of the network wants. */
import { decodeEvidence, type NodeRole, type Verifier } from '@enerchain/attestation';
import type { Identity } from '@enerchain/trust';
import type { Appraiser, Reappraiser, TcnIdentity } from './engine/ports.ts';

const timeOf = (evidence: Uint8Array) => {
  try {
    return decodeEvidence(evidence).claims.at;
  } catch {
    // What cannot be read says no time.
    return undefined;
  }
};

/** For the evidence that neighbours show to this node: it remembers their lists, so that only what is new travels. */
export const appraiserOf = (verifier: Verifier): Appraiser => ({
  appraise: (evidence, expected) => verifier.appraise(evidence, expected),
  cursor: (node) => verifier.cursor(node),
  timeOf,
});

/** For evidence that was shown to others. @param verifier one of its own: it forgets each node before it looks */
export const reappraiserOf = (verifier: Verifier): Reappraiser => ({
  appraise: (evidence, expected) => ({ result: verifier.examine(evidence, expected) }),
  timeOf,
});

export const identityOf = ({ name, role, kid, certificate, signer }: Identity): TcnIdentity => ({
  name,
  role: role as NodeRole,
  kid,
  certificate: certificate.der,
  signer,
});
