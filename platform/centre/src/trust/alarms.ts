/**
 * The alarms of trust, in the words of ISA-18.2: what, what follows of it, what to do. Each is raised once and stands until it
 * is over: of a node, of one that shows old evidence, of the verifier itself.
 */
import type { NodeRole, NodeTrust } from '@enerchain/attestation';
import type { Clock, RaisedAlarm } from '@enerchain/model';
import { clockTime } from '../alarms/conditions.ts';
import type { Findings } from '../ingest/findings.ts';
import type { NodeState } from './node-state.ts';

const ROLE: Readonly<Record<NodeRole, string>> = {
  edge: 'The gateway',
  service: 'The service',
  centre: 'The centre itself:',
  network: 'The network node',
};

const PRIORITY = { none: undefined, observe: undefined, alarm: 3, restrict: 2, quarantine: 1 } as const;

/** Milliseconds for which the alarm stands after somebody has passed old evidence off as fresh. */
const STALE_SHOWN = 600_000;

export class TrustAlarms {
  readonly #findings: Findings;
  readonly #clock: Clock;
  /** What is said of each node for which an alarm stands. */
  readonly #nodes = new Map<string, string>();
  /** Who has passed old evidence off as fresh, and when last; monotonic milliseconds. */
  readonly #stales = new Map<string, number>();
  #verifierFails = false;

  constructor(findings: Findings, clock: Clock) {
    this.#findings = findings;
    this.#clock = clock;
  }

  /** The state of a node has changed. */
  node({ node, role, trust, quarantine }: NodeState): void {
    const alarm = alarmOf(trust, role, quarantine && clockTime(quarantine.since));
    if (alarm?.message === this.#nodes.get(node)) return;
    if (alarm) {
      this.#nodes.set(node, alarm.message);
      this.#findings.raise({ ...alarm, ...(role === 'centre' ? {} : { source: node }) });
    } else {
      this.#nodes.delete(node);
      const message = `${node} is trusted again: ${trust.reason}.`;
      this.#findings.raise({ key: `trust.node.${node}`, priority: 3, message }, false);
    }
  }

  /** A node of the network lies about another one, or its clock and that of the other one are apart. */
  stale(verifier: string, node: string, text: string): void {
    this.#findings.tell({
      action: 'trust.stale-evidence',
      actor: verifier,
      outcome: 'refused',
      subject: node,
      detail: { detail: text },
    });
    const raised = this.#stales.has(verifier);
    this.#stales.set(verifier, this.#clock.monotonic());
    if (raised) return;
    this.#findings.raise({
      key: `trust.stale.${verifier}`,
      priority: 2,
      source: verifier,
      message: text,
      consequence: 'The evidence was not used. Whoever shows old evidence hides what a node is running now.',
      action: `Look at ${verifier}: an honest node does not do this, whatever its clock says. Put it into quarantine if nothing explains it.`,
    });
  }

  /** To be called now and then: ends the alarms of those that have shown no old evidence for a while. */
  forgetStales(): void {
    const now = this.#clock.monotonic();
    for (const [verifier, at] of this.#stales) {
      if (now - at < STALE_SHOWN) continue;
      this.#stales.delete(verifier);
      const message = `${verifier} has shown no old evidence for ${STALE_SHOWN / 60_000} minutes.`;
      this.#findings.raise({ key: `trust.stale.${verifier}`, priority: 2, source: verifier, message }, false);
    }
  }

  /** Whether the verifier of the centre works. */
  verifier({ ok, text }: { readonly ok: boolean; readonly text: string }): void {
    if (ok !== this.#verifierFails) return;
    this.#verifierFails = !ok;
    const alarm = {
      key: 'trust.verifier',
      priority: 1,
      message: `The verifier of the centre does not work: ${text || 'it works again'}.`,
      consequence: 'Results run out, no node counts as good any more, and commands over attested paths are refused.',
      action: 'Look into the log of the centre and restart it.',
    } as const;
    this.#findings.raise(alarm, !ok);
  }
}

/** What people are told about a node. @returns undefined when there is nothing to tell */
function alarmOf(
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
