/**
 * Commands in the name of a service. The centre takes them only from services it has been told to take them from
 * (`--commanding-service`), runs the same checks as for a person, and audits every step under `service:<name>`. What
 * becomes of a command comes with the log (`commandEvents`). Nothing is ever repeated automatically.
 */
import type { LinkClient } from '@enerchain/link';
import type { CommandStep, Mrid } from '@enerchain/model';
import type { CborValue } from '@enerchain/trust';

/** A command as the centre shows it. */
export interface CommandView {
  readonly id: string;
  readonly point: Mrid;
  readonly value: number;
  readonly ctlModel: 'direct' | 'sbo';
  /** Source that carries it out. */
  readonly target: string;
  readonly by: string;
  readonly test: boolean;
  readonly state: CommandStep;
  /** Nothing more will be sent. */
  readonly final: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly text: string }[];
  /** ISO 8601. */
  readonly expiresAt: string;
}

/**
 * All throw EnerchainError: `service.right` when the service may not command, `link.offline` without a connection, and
 * what the centre refuses a step with. A prepared command whose checks failed comes back as `refusedByCentre`.
 */
export interface Commands {
  prepare(order: { readonly point: Mrid; readonly value: number; readonly test?: boolean }): Promise<CommandView>;
  /** For `ctlModel: 'sbo'`, before operate. */
  select(id: string): Promise<CommandView>;
  operate(id: string): Promise<CommandView>;
  cancel(id: string): Promise<CommandView>;
}

export function commandsOver(client: Pick<LinkClient, 'request'>): Commands {
  const ask = async (method: string, params: object): Promise<CommandView> =>
    (await client.request(method, params as CborValue)) as unknown as CommandView;
  return {
    prepare: ({ point, value, test }) =>
      ask('command.prepare', { point, value, ...(test === undefined ? {} : { test }) }),
    select: (id) => ask('command.select', { id }),
    operate: (id) => ask('command.operate', { id }),
    cancel: (id) => ask('command.cancel', { id }),
  };
}
