/**
 * Whether a command that is to be believed may be given to its device: the policy of the site, what this gateway knows of the
 * nodes on the way, and the second person. All of it stands on this side, so that a centre in other hands is not enough. It
 * is asked for commands of the centre only: local control and protection never come through here.
 */
import { hopRefusal, type NodeTrust, type TrustPolicy } from '@enerchain/attestation';
import { type Clock, type Command, describeError, pointMatcher } from '@enerchain/model';
import type { BoundPoint, SitePolicy } from '../site/site.ts';

/** What the gateway's own view of the nodes says about commands to a point. */
export type MayCommand = (
  bound: BoundPoint,
  endpoint: string,
) => { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** What the gateway itself knows: by attestation of its neighbours, and what they tell with their evidence. */
export interface OwnView {
  readonly policy: TrustPolicy | undefined;
  /** The nodes between this gateway and the centre, as far as it sees them. */
  path(): readonly NodeTrust[];
}

/** Refuses what comes over a node that this gateway does not find good itself. */
export function byOwnView(view: OwnView, clock: Clock): MayCommand {
  return ({ point }, endpoint) => {
    const { policy } = view;
    if (policy && pointMatcher(policy.essential)(point, endpoint)) return { ok: true };
    const at = clock.now();
    const reasons = view.path().flatMap((hop) => hopRefusal(hop, policy, at) ?? []);
    return reasons.length === 0 ? { ok: true } : { ok: false, reason: reasons.join(' ') };
  };
}

export interface GateOptions {
  readonly policy: SitePolicy;
  /** Absent where the gateway has no view of its own: then the centre's check of the path stands alone. */
  readonly mayCommand?: MayCommand | undefined;
  /** Verifies the approval of a second person. @returns their name @throws EnerchainError when there is none that counts */
  readonly approvedBy: (command: Command) => string;
  /** Verifies the signature of who breaks the glass. @returns their name @throws EnerchainError when there is none that counts */
  readonly brokenBy: (command: Command) => string;
}

export class CommandGate {
  readonly #options: GateOptions;
  readonly #forbidden;
  readonly #essential;
  readonly #secondPerson;

  constructor(options: GateOptions) {
    const { forbidCommands, essential, secondPerson } = options.policy;
    this.#options = options;
    this.#forbidden = pointMatcher(forbidCommands);
    this.#essential = pointMatcher(essential);
    this.#secondPerson = pointMatcher(secondPerson);
  }

  /** @returns why the command must not go to the device; undefined when it may */
  refusal(command: Command, bound: BoundPoint, endpoint: string): string | undefined {
    const { policy, mayCommand, approvedBy, brokenBy } = this.#options;
    const forbidden = this.#forbidden(bound.point, endpoint);
    if (forbidden) return `forbidden by the local policy '${forbidden}'`;
    // To give a selection back is never less safe than to leave it.
    if (command.action === 'cancel') return undefined;
    if (command.breakGlass) {
      if (policy.breakGlass === 'authenticator') return refusalOf(() => brokenBy(command));
      return policy.breakGlass ? undefined : 'break-glass is not allowed by the local policy';
    }
    // A function on which safety depends is not taken away because of what somebody thinks of a node (IEC 62443-3-3 SR 5).
    if (!this.#essential(bound.point, endpoint)) {
      const may = mayCommand?.(bound, endpoint);
      if (may?.ok === false) return may.reason;
    }
    if (!this.#secondPerson(bound.point, endpoint)) return undefined;
    return refusalOf(() => approvedBy(command));
  }
}

function refusalOf(verify: () => string): string | undefined {
  try {
    verify();
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}
