/** A command of the model as a control of IEC 61850, and its outcome as steps. */
import type { Iec61850Client, OperateOutcome } from '@enerchain/iec61850';
import type { Data, TypeSpecification } from '@enerchain/mms';
import { type CommandOrder, type CommandStep, DOUBLE_POINT } from '@enerchain/model';
import type { Order, ReportStep } from '../../connector.ts';
import type { Iec61850Target } from './protocol.ts';

/** @param type of ctlVal @returns the value as the device wants it, or why there is none */
export function ctlValOf(cdc: string, type: TypeSpecification, value: number): Data | string {
  switch (type.kind) {
    case 'boolean': {
      // Commands of double points carry the numbers of their states.
      const [off, on] = cdc === 'DPC' ? [DOUBLE_POINT.off, DOUBLE_POINT.on] : [0, 1];
      if (value !== off && value !== on) return `${cdc} takes ${off} (off) or ${on} (on), not ${value}`;
      return { kind: 'boolean', value: value === on };
    }
    case 'bitString': {
      if (!Number.isInteger(value) || value < 0 || value > 3) return `${cdc} takes 0 to 3, not ${value}`;
      return { kind: 'bitString', value: { length: 2, bytes: Uint8Array.of(value << 6) } };
    }
    case 'integer':
    case 'unsigned':
      if (!Number.isInteger(value)) return `${cdc} takes a whole number, not ${value}`;
      return { kind: type.kind, value };
    case 'float':
      return { kind: type.value.format === 64 ? 'double' : 'float', value };
    case 'structure': {
      const parts = type.value.components.map(({ type: inner }) => ctlValOf(cdc, inner, value));
      const wrong = parts.find((part) => typeof part === 'string');
      return typeof wrong === 'string' ? wrong : { kind: 'structure', value: parts as Data[] };
    }
    default:
      return `${cdc} takes ${type.kind}, which a command cannot carry`;
  }
}

/** The steps that follow from an outcome. */
export function stepsOf(
  action: CommandOrder['action'],
  outcome: OperateOutcome,
): readonly { readonly step: CommandStep; readonly reason?: string }[] {
  if (outcome.ok) {
    if (action === 'select') return [{ step: 'selected' }];
    if (action === 'cancel') return [{ step: 'cancelled' }];
    const unsaid = 'the control model has no termination';
    return [
      { step: 'confirmed' },
      { step: 'terminated', ...(outcome.model.endsWith('enhanced') ? {} : { reason: unsaid }) },
    ];
  }
  const { step, addCause, unknown } = outcome;
  const reason = addCause === undefined ? 'the device gives no cause' : `AddCause ${addCause}`;
  if (unknown) return [{ step: 'outcomeUnknown', reason: 'the device did not say how it ended' }];
  if (step === 'select') return [{ step: 'selectRefused', reason }];
  return step === 'termination'
    ? [{ step: 'confirmed' }, { step: 'negative', reason }]
    : [{ step: 'negative', reason }];
}

/** Carries an order out as the control model of its object wants it. Rejects only when nothing was operated. */
export async function carryOut(
  client: Pick<Iec61850Client, 'type' | 'operate'>,
  { command, point }: Order,
  report: ReportStep,
): Promise<void> {
  const { object, cdc } = point.target as Iec61850Target;
  const type = await client.type(`${object}.Oper.ctlVal`, 'CO');
  const value = ctlValOf(cdc, type, (command.value - point.d) / point.k);
  if (typeof value === 'string') {
    report('refusedByEdge', value);
    return;
  }
  if (command.action === 'operate') report('operateSent', object);
  const outcome = await client.operate(object, value, {
    test: command.test === true,
    ...(command.action === 'select' ? { selectOnly: true } : {}),
    ...(command.action === 'cancel' ? { cancel: true } : {}),
  });
  for (const { step, reason } of stepsOf(command.action, outcome)) report(step, reason);
}
