/**
 * The signature of a person under one command: of the second person, or of whoever breaks the glass. It is asked for under
 * a challenge of the gateway, so that it counts for this session and no other.
 */
import { type CommandApproval, EnerchainError } from '@enerchain/model';
import type { Principal } from '../accounts/accounts.ts';
import type { AssertionJson, RequestOptionsJson } from '../accounts/webauthn-json.ts';
import type { Sources } from '../ports.ts';
import { type OpenCommand, refused } from './book.ts';
import { subjectOf } from './order.ts';
import type { Approvers, SecondPerson } from './second-person.ts';

export class ApprovalDesk {
  readonly #secondPerson: SecondPerson | undefined;
  readonly #sources: Sources;

  /** @param secondPerson absent: nothing is ever approved */
  constructor(secondPerson: SecondPerson | undefined, sources: Sources) {
    this.#secondPerson = secondPerson;
    this.#sources = sources;
  }

  /**
   * What the browser of the person asks its authenticator to sign.
   * @throws EnerchainError `centre.command.refused`, `centre.command.approver`, `centre.authenticator.*`
   */
  ask(command: OpenCommand, principal: Principal): RequestOptionsJson {
    const approvers = this.#mayApprove(command, principal);
    const { target } = command.view;
    const session = this.#sources.commandChallenge(target);
    if (session === undefined) throw refused(`The gateway ${target} is not there to be asked for a challenge.`);
    command.asked.set(principal.name, session);
    return approvers.approvalOptions(principal, subjectOf(command.view, session));
  }

  /**
   * Takes back the question: each is answered once.
   * @returns the challenge under which it was asked
   * @throws EnerchainError as `ask`, and `centre.command.refused` when nobody was asked
   */
  answered(command: OpenCommand, principal: Principal): string {
    this.#mayApprove(command, principal);
    const session = command.asked.get(principal.name);
    if (session === undefined) throw refused(`${principal.name} was not asked to approve this command; ask again.`);
    command.asked.delete(principal.name);
    return session;
  }

  /** @throws EnerchainError when it is not the approval of this person for this command, or no longer wanted */
  async verify(
    command: OpenCommand,
    principal: Principal,
    session: string,
    assertion: AssertionJson,
  ): Promise<CommandApproval> {
    const approvers = this.#mayApprove(command, principal);
    const approval = await approvers.verifyApproval(principal, subjectOf(command.view, session), assertion);
    // Somebody else may have been quicker, or the time is over.
    this.#mayApprove(command, principal);
    return approval;
  }

  /** A token or a service has no hand with which to touch an authenticator, and nobody is two people. Who breaks the glass signs alone. */
  #mayApprove({ view, machine }: OpenCommand, principal: Principal): Approvers {
    const phase = view.breakGlass ? 'prepared' : 'approving';
    if (!this.#secondPerson || machine.phase !== phase) throw refused('This command waits for no approval.');
    const refuse = (text: string) => new EnerchainError('caller', 'centre.command.approver', text);
    if (principal.kind !== 'user') throw refuse(`${principal.name} is no person who is logged in, and cannot approve.`);
    const own = principal.name === view.by;
    if (view.breakGlass && !own) throw refuse(`${view.by} breaks the glass, and nobody else can sign for that.`);
    if (!view.breakGlass && own) throw refuse(`${view.by} has prepared the command and cannot be the second person.`);
    return this.#secondPerson.approvers;
  }
}
