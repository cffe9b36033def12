/** A command of the model as a command of IEC 60870-5-101 § 7.3.2, and its outcome as steps. Pure. */
import type { CommandMode, CommandOutcome, CommandRequest } from '@enerchain/iec60870';
import type { CommandOrder, CommandStep } from '@enerchain/model';
import type { BoundPoint } from '../../site/site.ts';
import type { Iec104Target } from './protocol.ts';

export interface OrderOptions {
  /** True when this edge has selected the object for this very command before. */
  readonly selected: boolean;
  readonly timeouts?: { readonly actcon?: number; readonly actterm?: number };
}

/** @returns the request for the client, or why it cannot be sent */
export function requestOf(
  command: CommandOrder,
  bound: BoundPoint,
  options: OrderOptions,
): { readonly request: CommandRequest } | { readonly refusal: string } {
  const { ca, ioa, type } = bound.target as Iec104Target;
  if (type?.typeId === undefined) return { refusal: `'${bound.point.name}' has no command type` };
  const value = wireValue(type.typeId, (command.value - bound.d) / bound.k);
  if (typeof value === 'string') return { refusal: value };
  return {
    request: {
      ca,
      ioa,
      typeId: type.typeId,
      value,
      mode: modeOf(command, bound, options.selected),
      ...(command.test ? { test: true } : {}),
      ...(options.timeouts ? { timeouts: options.timeouts } : {}),
    },
  };
}

function modeOf(command: CommandOrder, bound: BoundPoint, selected: boolean): CommandMode {
  if (command.action === 'select') return 'select';
  if (command.action === 'cancel') return 'deactivate';
  if (bound.point.ctlModel !== 'sbo') return 'direct';
  return selected ? 'execute' : 'select-before-operate';
}

/** The value as the client wants it: raw int16 for normalised and scaled set-points. A text says why there is none. */
function wireValue(typeId: number, value: number): number | string {
  const base = typeId >= 58 ? typeId - 13 : typeId;
  const integer = Math.round(value);
  const off = Math.abs(integer - value) > 1e-6;
  switch (base) {
    case 45:
      return off || integer < 0 || integer > 1 ? `a single command takes 0 or 1, not ${value}` : integer;
    case 46:
      return off || integer < 1 || integer > 2 ? `a double command takes 1 (off) or 2 (on), not ${value}` : integer;
    case 47:
      return off || integer < 1 || integer > 2 ? `a step command takes 1 (lower) or 2 (higher), not ${value}` : integer;
    case 48: {
      const raw = Math.round(value * 32768);
      // +1 is one step beyond the largest normalised value and is meant as that.
      if (raw === 32768) return 32767;
      return raw < -32768 || raw > 32767 ? `a normalised set-point takes -1 to 1, not ${value}` : raw;
    }
    case 49:
      return integer < -32768 || integer > 32767 ? `a scaled set-point takes -32768 to 32767, not ${value}` : integer;
    case 50:
      return Math.abs(value) > 3.4028234663852886e38 ? `a short float cannot hold ${value}` : value;
    case 51:
      return off || integer < 0 || integer > 0xffffffff ? `a bit string takes 0 to 4294967295, not ${value}` : integer;
    default:
      return `type ${typeId} is no command`;
  }
}

/** The steps that follow from an outcome. */
export function stepsOf(
  action: CommandOrder['action'],
  outcome: CommandOutcome,
): readonly { readonly step: CommandStep; readonly reason?: string }[] {
  switch (outcome.kind) {
    case 'confirmed':
      if (action === 'select') return [{ step: 'selected' }];
      if (action === 'cancel') return [{ step: 'cancelled' }];
      return outcome.terminated
        ? [{ step: 'confirmed' }, { step: 'terminated' }]
        : [{ step: 'confirmed' }, { step: 'terminated', reason: 'the station sent no activation termination' }];
    case 'negative': {
      const reason = `COT ${outcome.cause} ${outcome.text}`.slice(0, 500);
      return [{ step: outcome.step === 'select' ? 'selectRefused' : 'negative', reason }];
    }
    case 'timeout':
      // Without an answer to the execute nobody knows whether the station acted.
      return [{ step: outcome.step === 'select' ? 'timedOut' : 'outcomeUnknown', reason: outcome.text.slice(0, 500) }];
    case 'unknown':
      return [
        { step: outcome.step === 'select' ? 'timedOut' : 'outcomeUnknown', reason: outcome.reason.slice(0, 500) },
      ];
  }
}
