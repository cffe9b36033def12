/** What control blocks of reports, logs and setting groups have in common. */
import type { Data, DataAccessErrorName } from '@enerchain/mms';
import type { Variable } from '../mapping/variables.ts';
import type { ClientIdentity } from './access.ts';

/** Why a write is refused, by the name of its DataAccessError. */
export type Refusal = Extract<
  DataAccessErrorName,
  'temporarily-unavailable' | 'object-access-denied' | 'type-inconsistent' | 'object-value-invalid' | 'hardware-fault'
>;

/** A client's association; what it holds is its own until it ends. */
export interface BlockClient {
  readonly identity: ClientIdentity;
}

export interface ControlBlock<Client> {
  readonly variable: Variable;
  /** What a client writes into one of its attributes; the value has the attribute's kind. @returns why not */
  write(part: string, value: Data, client: Client): Refusal | undefined | Promise<Refusal | undefined>;
  /** The association of a client has ended. */
  lost(client: Client): void;
}

/** A data set as a control block needs it. */
export interface DataSetMembers {
  /** `BCU1CTRL/LLN0$Positions`. */
  readonly reference: string;
  readonly members: readonly { readonly variable: Variable; readonly reference: string }[];
}

/** Who hears of changes of the members of a data set. */
export interface DataSetUser {
  /** The members whose changes it wants to hear of. */
  readonly members: DataSetMembers['members'];
  /** Whether the data set has to stay. */
  readonly enabled: boolean;
  /** Members that have changed, or were updated, and belong together; their values are set before. */
  changed(changes: readonly MemberChange[]): void;
}

/** Which member of a data set, and what it is a reason for. */
export type MemberChange = readonly [index: number, trigger: 'dchg' | 'qchg' | 'dupd'];
