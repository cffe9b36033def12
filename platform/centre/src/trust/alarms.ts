/** What people are told about a node, in the words of ISA-18.2: what, what follows of it, what to do. */
import type { NodeRole, NodeTrust } from '@enerchain/attestation';
import type { RaisedAlarm } from '@enerchain/model';

const ROLE: Readonly<Record<NodeRole, string>> = {
  edge: 'The gateway',
  service: 'The service',
  centre: 'The centre itself:',
  network: 'The network node',
};

const PRIORITY = { none: undefined, observe: undefined, alarm: 3, restrict: 2, quarantine: 1 } as const;

/** @returns undefined when there is nothing to tell */
export function alarmOf(
  trust: NodeTrust,
  role: NodeRole,
  quarantinedSince: string | undefined,
): Omit<RaisedAlarm, 'active' | 'at' | 'source'> | undefined {
  const priority = PRIORITY[trust.reaction];
  if (priority === undefined) return undefined;
  const who = `${ROLE[role]} ${trust.node}`;
  const key = `trust.node.${trust.node}`;
  const { reason } = trust;
  switch (trust.reaction) {
    case 'quarantine':
      return {
        key,
        priority,
        message: `${who} has been in quarantine since ${quarantinedSince}: ${reason}.`.slice(0, 1000),
        consequence:
          'Its values are kept and marked as distrusted, and commands through it are refused. Protection and local control are not touched.',
        action:
          'Find out what changed it and bring it back to what was released. When its evidence is good again, two persons can release it on the trust page.',
      };
    case 'restrict':
      return {
        key,
        priority,
        message: `${who} is restricted to the monitoring direction: ${reason}.`.slice(0, 1000),
        consequence: 'Commands through it are refused; its values still arrive and are marked.',
        action:
          'Look at what differs on the trust page: approve it with a manifest if it was meant, or undo it. The restriction ends with good evidence.',
      };
    default:
      return {
        key,
        priority,
        message: `${who} cannot be appraised: ${reason}.`.slice(0, 1000),
        consequence: 'It does not count as good: commands through it are refused as long as this lasts.',
        action: 'See whether it runs and whether its attester can work; its own log says why it gives no evidence.',
      };
  }
}
