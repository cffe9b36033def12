/** Verification of TPM2_Quote (Part 3 § 18.4) in software: no TPM is needed. */
import { HASHES, type HashAlgorithm } from '../spec/algorithms.ts';
import { describeSelection, type PcrBank, pcrDigest, sameSelection, selectionOf } from '../structures/pcr.ts';
import { type AttestationInput, checkAttestation, Findings, same, type Verdict, verdict } from './attestation.ts';

export interface QuoteInput extends AttestationInput {
  /**
   * Values that the quote must prove: from the node, or replayed from its logs. The quote must select exactly these PCRs of
   * exactly these banks, in this order of banks: a subset proves nothing of what it leaves out.
   */
  readonly pcrs: readonly PcrBank[];
}

/**
 * Checks everything that can be checked of a quote and says all that is wrong. What comes from outside never makes it throw.
 *
 * ```ts
 * const { ok, problems, attest } = verifyQuote({ attest, signature, akPublic, qualifyingData, pcrs });
 * if (!ok) console.log(problems.map(({ text }) => text).join('; '));
 * ```
 */
export function verifyQuote(input: QuoteInput): Verdict<'quote'> {
  const findings = new Findings();
  const { attest, signature } = checkAttestation('quote', input, findings);
  if (attest !== undefined) {
    const expected = selectionOf(input.pcrs);
    const { pcrs, pcrDigest: signed } = attest.attested;
    if (!sameSelection(pcrs, expected)) {
      findings.add(
        'pcrSelection',
        `the quote is over ${describeSelection(pcrs)} instead of ${describeSelection(expected)}`,
      );
    } else if (signature !== undefined && signature.scheme !== 'null') {
      // The digest is made with the hash of the signature scheme (Part 3 § 18.4.1).
      checkDigest(input.pcrs, signature.hash, signed, findings);
    }
  }
  return verdict(findings, attest);
}

function checkDigest(pcrs: readonly PcrBank[], hash: HashAlgorithm, signed: Uint8Array, findings: Findings): void {
  const wrong = pcrs.find(({ hash: bank, values }) =>
    [...values.values()].some(({ length }) => length !== HASHES[bank].size),
  );
  if (wrong !== undefined) {
    findings.add('pcrDigest', `a value of the ${wrong.hash} bank is not ${HASHES[wrong.hash].size} octets long`);
  } else if (!same(pcrDigest(hash, pcrs), signed)) {
    findings.add('pcrDigest', 'the PCR values are not those that the TPM signed');
  }
}
