/** What the trust of a node, of a result and of a value means, in plain words. Pure. */
import type {
  CertificateJson,
  KeyOrigin,
  LinkTrust,
  NodeRole,
  Reaction,
  Tier,
  TrustPolicyJson,
  Trustworthiness,
  ValueTrust,
} from '../api/trust.ts';
import { duration } from '../format/time.ts';
import type { NodeState, TrustCount } from './state.ts';

export const ROLE_WORDS: Readonly<Record<NodeRole, string>> = {
  centre: 'control centre',
  service: 'service',
  network: 'network node',
  edge: 'gateway',
};

export const STATE_WORDS: Readonly<Record<NodeState, string>> = {
  quarantined: 'quarantined',
  failed: 'failed attestation',
  ranOut: 'trust ran out',
  unknown: 'unknown',
  warned: 'attested with a finding',
  software: 'attested by software',
  attested: 'attested',
};

/** What follows from a state, for the legend and for a node's page. */
export const STATE_MEANINGS: Readonly<Record<NodeState, string>> = {
  quarantined: 'Shut out until two persons release it.',
  failed: 'Its evidence contradicts what is expected of it.',
  ranOut: 'It was good; no newer result has come in time.',
  unknown: 'No result, or none that counts. Unknown is never good.',
  warned: 'A result with a finding that somebody should look at.',
  software: 'Fresh and good as far as software can tell: whoever owns the machine can deceive it.',
  attested: 'Fresh and good, by a key that cannot leave its chip.',
};

export const STATUS_WORDS: Readonly<Record<Trustworthiness | 'silent', string>> = {
  none: 'says nothing',
  affirming: 'good',
  warning: 'good, with a warning',
  contraindicated: 'not to be trusted',
  silent: 'hears nothing from it',
};

export const REACTION_WORDS: Readonly<Record<Reaction, string>> = {
  none: 'none',
  observe: 'observed',
  alarm: 'alarm raised',
  restrict: 'monitoring only',
  quarantine: 'quarantined',
};
export const REACTION_MEANINGS: Readonly<Record<Reaction, string>> = {
  none: 'Nothing is held back.',
  observe: 'It is watched more closely; nothing is held back.',
  alarm: 'The operators were told; nothing is held back yet.',
  restrict: 'Its values come in, marked; commands through it are stopped.',
  quarantine:
    'It is shut out. Its values are distrusted; commands through it are stopped. Protection and local control go on.',
};

export const LINK_WORDS: Readonly<Record<LinkTrust, string>> = {
  attested: 'attest each other',
  failing: 'one has failed the other',
  silent: 'one hears nothing of the other',
  unknown: 'no result yet',
};

export const ORIGIN_WORDS: Readonly<Record<KeyOrigin, string>> = {
  file: 'key in a file',
  hsm: 'key in an HSM',
  tpm: 'key in a TPM',
};
export const TIER_WORDS: Readonly<Record<Tier, string>> = { tpm: 'TPM quote', software: 'software attester' };
export const TIER_MEANINGS: Readonly<Record<Tier, string>> = {
  tpm: 'The measurements are signed inside a TPM; software on the machine cannot change them afterwards.',
  software:
    'The machine speaks for itself: somebody who controls its operating system could make it lie. Never more than a warning in AR4SI terms.',
};

export const VALUE_TRUST_WORDS: Readonly<Record<ValueTrust, string>> = {
  unknown: 'unknown: no result about its source',
  provisional: 'provisional: good before it, the next result is due',
  attested: 'attested: good before it and after it',
  distrusted: 'distrusted: its source has failed or is shut out',
};

/** `24 s left`, `ran out 3 min ago`; undefined is not good now. */
export function untilWords(left: number | undefined): string {
  if (left === undefined) return 'not now';
  return left > 0 ? `${duration(left)} left` : `ran out ${duration(-left)} ago`;
}

interface ClaimWords {
  readonly title: string;
  readonly affirming: string;
  readonly warning: string;
  readonly contraindicated: string;
  /** Values with a meaning of their own. */
  readonly special?: Readonly<Record<number, string>>;
}
/** Claims of AR4SI § 2.3.4 and what their values mean, in our words. */
export const CLAIMS: Readonly<Record<string, ClaimWords>> = {
  instanceIdentity: {
    title: 'Identity',
    affirming: 'the node is recognised, and nothing speaks against its key',
    warning: 'the node is recognised, with a reservation about its key',
    contraindicated: 'its key is known to be compromised',
    special: { 97: 'the node is not recognised, and should be' },
  },
  configuration: {
    title: 'Configuration',
    affirming: 'the configuration is known and approved',
    warning: 'the configuration has known weaknesses, or parts of it could not be seen',
    contraindicated: 'the configuration has unacceptable weaknesses',
    special: { 36: 'parts of the configuration that matter could not be seen' },
  },
  executables: {
    title: 'Programs',
    affirming: 'only approved programs have been loaded',
    warning: 'programs were loaded that are not known or have weaknesses',
    contraindicated: 'programs were loaded that must not run here',
    special: {
      2: 'only approved programs have been loaded, at start and since',
      3: 'only approved programs were loaded at start; nothing is said about later',
      32: 'only known programs have been loaded, some with weaknesses',
      33: 'programs were loaded that nobody knows',
    },
  },
  fileSystem: {
    title: 'Files',
    affirming: 'only approved files were found',
    warning: 'there are files that nobody knows',
    contraindicated: 'there are files that must not be here',
  },
  hardware: {
    title: 'Hardware',
    affirming: 'hardware and firmware are genuine and supported',
    warning: 'the hardware is genuine, or unproven, with a reservation',
    contraindicated: 'the hardware or its firmware is not to be trusted',
    special: { 97: 'hardware or firmware is not recognised, and should be' },
  },
  runtimeOpaque: {
    title: 'Memory',
    affirming: 'nobody else on the machine can see into the running program',
    warning: 'other guests cannot see into it; the owner of the machine can',
    contraindicated: 'others on the machine can see into the running program',
  },
  storageOpaque: {
    title: 'Secrets at rest',
    affirming: 'secrets on disk are encrypted by keys that never leave hardware',
    warning: 'secrets on disk are encrypted, by keys that lie in software',
    contraindicated: 'secrets lie on disk unencrypted',
  },
  sourcedData: {
    title: 'What it passes on',
    affirming: 'all that it passes on comes from attested sources',
    warning: 'part of what it passes on comes from sources that nobody attests',
    contraindicated: 'part of what it passes on comes from sources that failed',
  },
};

/** AR4SI § 2.3.2: which tier a claim value lies in. Negative values are the vendor's own, mirrored. */
export function claimTier(value: number): Trustworthiness {
  const size = value < 0 ? -value - 1 : value;
  // −1 … 1 say that no claim could be made.
  if (value >= -1 && value <= 1) return 'none';
  return size >= 96 ? 'contraindicated' : size >= 32 ? 'warning' : 'affirming';
}

/** A claim in words: title, tier and sentence. @param by the tier of the evidence */
export function claimWords(
  claim: string,
  value: number,
  by?: Tier,
): { title: string; tier: Trustworthiness; text: string } {
  const words = CLAIMS[claim];
  const tier = claimTier(value);
  const title = words?.title ?? claim;
  if (value === 0) return { title, tier, text: 'nothing is claimed' };
  if (value === 1) return { title, tier, text: 'the evidence holds something that the verifier does not understand' };
  if (value === -1) return { title, tier, text: 'the verifier failed while it looked' };
  if (value === 99) return { title, tier, text: 'the signature of the evidence does not hold' };
  // The least of a warning is also what a good finding becomes that rests on software alone.
  if (by === 'software' && value === 32 && words)
    return { title, tier, text: `${words.affirming}, as far as software can tell` };
  const text = words?.special?.[value] ?? (tier === 'none' ? undefined : words?.[tier]);
  return { title, tier, text: text ?? STATUS_WORDS[tier] };
}

const BEGINNINGS = /^(a|all|an|everything|it|its|no|nobody|nothing|one|some|the|there|this) /;
/**
 * What the centre gives as a reason, as a sentence: a capital where it begins with a word that is surely no name of a node,
 * a person or a file, and a full stop.
 */
export function asSentence(text: string): string {
  const begun = BEGINNINGS.test(text) ? `${text[0]!.toUpperCase()}${text.slice(1)}` : text;
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

export const USE_WORDS: Readonly<Record<CertificateJson['use'], string>> = {
  identity: 'identity: signatures, and connections where it has no other key',
  attestation: 'signs evidence, inside the TPM',
  connections: 'connections alone; signs nothing',
  log: 'transparency log',
  authority: 'issues certificates',
};

/** `7 of 9 attested, 2 by software alone · 1 failed · 1 open`. */
export function countSentence({ all, good, software, bad, open }: TrustCount): string {
  const how =
    software === 0 ? '' : software === good ? ', by software alone' : `, ${software} of them by software alone`;
  return [
    ...(bad ? [`${bad} failed or shut out`] : []),
    `${good} of ${all} attested${how}`,
    ...(open ? [`${open} not known to be good`] : []),
  ].join(' · ');
}

/** What the policy asks for, in a line. */
export function policySentence(policy: TrustPolicyJson | null | undefined): string {
  if (!policy) return 'No policy: nothing counts as trusted.';
  const tier =
    policy.commandTier === 'tpm' ? 'commands need a TPM on the way' : 'commands are allowed with software attesters';
  return `Policy ${policy.name}: a result every ${policy.period} s, good for ${policy.validFor} s; ${tier}`;
}
