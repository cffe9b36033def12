/** The controllable objects of a server: where they stand in its variables, and how they tell clients what became of a control. */
import type { Data, Variable as MmsVariable } from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import { CONTROL_MODELS, encodeLastApplError, type LastApplError } from '../mapping/control.ts';
import type { Variable } from '../mapping/variables.ts';
import { type ControlHandler, ControlObject } from './control.ts';
import type { Client } from './device.ts';
import type { Domain } from './model.ts';
import type { Change } from './substitution.ts';

export interface ControlObjectPorts {
  readonly clock: Clock;
  /** By `BCU1CTRL/QA1XCBR1.Pos`; those without one are refused. */
  readonly handlers: Readonly<Record<string, ControlHandler>>;
  readonly apply: (set: readonly Change[]) => void;
}

/** Milliseconds that a selection stands where the file does not say. */
const SBO_TIMEOUT = 30_000;
const REFUSED: ControlHandler = { operate: () => 'not-supported', check: () => 'not-supported' };
const LAST_APPL_ERROR: MmsVariable = {
  specification: { kind: 'name', value: { kind: 'vmd', value: 'LastApplError' } },
};

/** Those of a domain by their variable under CO. */
export function* controlObjects(domain: Domain, ports: ControlObjectPorts): Generator<[Variable, ControlObject]> {
  for (const [node, root] of domain.nodes) {
    for (const object of root.part('CO')?.parts ?? []) {
      if (!object.part('Oper') && !object.part('SBO')) continue;
      const reference = `${domain.name}/${node}.${object.name}`;
      const configured = root.find(['CF', object.name, 'ctlModel']);
      const timeout = root.find(['CF', object.name, 'sboTimeout']);
      yield [
        object,
        new ControlObject(reference, `${domain.name}/${object.item}`, {
          clock: ports.clock,
          handler: ports.handlers[reference] ?? REFUSED,
          model: () => CONTROL_MODELS[Number(configured?.data.value ?? 0)] ?? 'status-only',
          sboTimeout: () => Number(timeout?.data.value ?? 0) || SBO_TIMEOUT,
          selected: (selected) => {
            const seld = root.find(['ST', object.name, 'stSeld']);
            if (seld) ports.apply([{ variable: seld, data: { kind: 'boolean', value: selected } }]);
          },
          lastApplError: (client, error) => sendLastApplError(client as Client, error),
          terminated: (client, parameters, error) =>
            sendTermination(client as Client, domain, `${object.item}$Oper`, parameters, error),
        }),
      ];
    }
  }
}

function sendLastApplError(client: Client, error: LastApplError): void {
  client.session.report({
    access: { kind: 'variables', value: [LAST_APPL_ERROR] },
    results: [{ kind: 'success', value: encodeLastApplError(error) }],
  });
}

function sendTermination(
  client: Client,
  domain: Domain,
  item: string,
  parameters: Data,
  error: LastApplError | undefined,
): void {
  const oper: MmsVariable = {
    specification: { kind: 'name', value: { kind: 'domain', value: { domain: domain.name, item } } },
  };
  client.session.report({
    access: { kind: 'variables', value: error ? [LAST_APPL_ERROR, oper] : [oper] },
    results: [
      ...(error ? [{ kind: 'success', value: encodeLastApplError(error) } as const] : []),
      { kind: 'success', value: parameters },
    ],
  });
}
