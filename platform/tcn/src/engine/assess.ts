/**
 * From what is known about a node to its state and the reaction: a pure function. Only two things move it: what this node has
 * appraised itself, and silence that enough neighbours see. What others merely say never makes a node good.
 */
import type { AttestationResult, Reaction, Tier, TrustPolicy, Trustworthiness } from '@enerchain/attestation';
import { isGood, REACTIONS } from '@enerchain/attestation';

/** A result of our own over the channel to the node, and until when it stands on our monotonic clock. */
export interface OwnResult {
  readonly result: AttestationResult;
  readonly until: number;
}

/** Why a node is in quarantine; stays until an operator's release and fresh good evidence. */
export interface Conviction {
  readonly by: 'own evidence' | 'evidence of a neighbour' | 'operator';
  readonly reason: string;
  /** A release has come: the next good result of our own lets the node back in. */
  readonly released: boolean;
}

export interface Known {
  readonly neighbour: boolean;
  readonly own: OwnResult | undefined;
  readonly conviction: Conviction | undefined;
  /** It owes us an answer since then; monotonic. */
  readonly missingSince: number | undefined;
  /** Answers in a row that could not be appraised, and why the last one could not. */
  readonly unsound: number;
  readonly unsoundReason: string | undefined;
  /** A quorum saw it silent for long enough. */
  readonly isolated: boolean;
  /** Who misses it, ourselves included. */
  readonly missedBy: readonly string[];
  /** It said of another node what its evidence did not show. */
  readonly contradicted: string | undefined;
  /** Two devices seem to answer under its name. */
  readonly twins: string | undefined;
}

export const KNOWN_NOTHING: Known = {
  neighbour: false,
  own: undefined,
  conviction: undefined,
  missingSince: undefined,
  unsound: 0,
  unsoundReason: undefined,
  isolated: false,
  missedBy: [],
  contradicted: undefined,
  twins: undefined,
};

/** A node that never answered so that it can be appraised is restricted after as many attempts. */
const UNSOUND_RESTRICT = 4;

export interface Assessment {
  readonly tier: Tier | undefined;
  readonly status: Trustworthiness;
  readonly reaction: Reaction;
  readonly reason: string;
  /** Until when it is good, monotonic; undefined when it is not. */
  readonly goodUntil: number | undefined;
}

/**
 * @param policy undefined: nothing is ever good, and nothing is done
 * @param now monotonic milliseconds
 */
export function assess(known: Known, policy: TrustPolicy | undefined, now: number): Assessment {
  const tier = known.own?.result.tier;
  if (!policy) return { tier, status: 'none', reaction: 'none', reason: 'there is no policy', goodUntil: undefined };
  const say = (status: Trustworthiness, reaction: Reaction, reason: string): Assessment => ({
    tier,
    status,
    reaction: atMost(reaction, policy.reaction),
    reason,
    goodUntil: undefined,
  });
  const { conviction, own } = known;
  if (conviction) {
    const waits = conviction.released ? '; released by the operator, waits for fresh good evidence' : '';
    return say('contraindicated', 'quarantine', `${conviction.reason} (${conviction.by})${waits}`);
  }
  if (known.isolated) return say('none', 'restrict', `silent to ${list(known.missedBy)}: isolated`);
  if (known.unsound > 0) {
    const steps: Reaction = known.unsound >= UNSOUND_RESTRICT ? 'restrict' : known.unsound > 1 ? 'alarm' : 'observe';
    // One answer that is no good does not end what an earlier one has shown; the second one does.
    if (known.unsound > 1 || !own || own.until <= now) {
      return say('none', steps, known.unsoundReason ?? 'its evidence cannot be appraised');
    }
  }
  if (!own) {
    if (!known.neighbour) return say('none', 'none', 'no neighbour of this node: not attested here');
    return say('none', known.missingSince === undefined ? 'none' : 'observe', 'not attested yet');
  }
  if (own.until <= now) return say('none', 'alarm', 'its last good result has run out');
  const { status, reasons } = own.result;
  if (status === 'none') return say('none', 'alarm', reasons[0] ?? 'its evidence says nothing');
  if (status === 'contraindicated') return say(status, 'quarantine', reasons[0] ?? 'its evidence is bad');
  // Evidence with findings is not good, whatever its tier; a software attester without any is as good as it can be.
  if (!isGood(own.result)) return say(status, 'alarm', reasons[0] ?? 'its evidence is not as it should be');
  const finding = known.twins ?? known.contradicted;
  const base: Reaction = finding ? 'alarm' : known.missingSince !== undefined || known.unsound > 0 ? 'observe' : 'none';
  const reason = finding ?? (base === 'observe' ? 'did not answer the last time' : 'fresh evidence, as it should be');
  return { tier, status, reaction: atMost(base, policy.reaction), reason, goodUntil: own.until };
}

export const atMost = (reaction: Reaction, most: Reaction): Reaction =>
  REACTIONS.indexOf(reaction) <= REACTIONS.indexOf(most) ? reaction : most;

const list = (names: readonly string[]): string =>
  names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
