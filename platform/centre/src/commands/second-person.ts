/** Commands that take two people: who may be the second one, and the check that there is one. */
import type { CommandApproval, PointMatcher } from '@enerchain/model';
import type { ApprovalSubject } from '@enerchain/trust';
import type { Principal } from '../accounts/accounts.ts';
import type { AssertionJson, RequestOptionsJson } from '../accounts/webauthn-json.ts';
import type { CommandCheck } from './checks.ts';

/** The operators' authenticators, as commands need them. */
export interface Approvers {
  /** People other than `than` whose key is on the list that the gateways hold. */
  others(than: string): readonly string[];
  /** What the browser of the second person asks its authenticator. @throws EnerchainError when they have none */
  approvalOptions(principal: Principal, subject: ApprovalSubject): RequestOptionsJson;
  /** @throws EnerchainError when it is not the approval of this person for this */
  verifyApproval(principal: Principal, subject: ApprovalSubject, assertion: AssertionJson): Promise<CommandApproval>;
}

export interface SecondPerson {
  /** The entry of the policy that asks for a second person. */
  readonly needed: PointMatcher;
  readonly approvers: Approvers;
}

export function secondPersonCheck({ needed, approvers }: SecondPerson): CommandCheck {
  return {
    name: 'secondPerson',
    overridable: true,
    check({ point, principal, approval, breakGlass }) {
      const entry = point && needed(point, point.endpoint);
      if (!point || entry === undefined) return undefined;
      if (breakGlass) return { ok: false, text: `Needs a second person ('${entry}'), and nobody has approved it.` };
      if (approval) {
        return approval.stands
          ? { ok: true, text: `Approved by ${approval.by}.` }
          : {
              ok: false,
              text: `The approval of ${approval.by} was for a session of the gateway that is over, or is old.`,
            };
      }
      const others = approvers.others(principal.name);
      return others.length > 0
        ? { ok: true, text: `Needs the approval of a second person ('${entry}'): ${namesOf(others)}.` }
        : {
            ok: false,
            text: `Needs a second person ('${entry}'), but nobody else has an authenticator that the gateways know.`,
          };
    },
  };
}

const namesOf = (names: readonly string[]): string =>
  names.length > 3 ? `${names.slice(0, 3).join(', ')} or ${names.length - 3} more` : names.join(' or ');
