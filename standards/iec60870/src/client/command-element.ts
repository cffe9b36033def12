import type { Element } from '../codec/elements.ts';
import { callerError } from '../errors.ts';
import { typeName, typeSpec } from '../spec/types.ts';

/**
 * The element of a command type for a value: 0/1 for single commands, 1 off and 2 on for double, 1 lower and 2 higher
 * for step, the raw int16 for normalised and scaled set-points, any number for short ones, 32 bits for bit strings.
 * @throws Iec104Error (caller) for a type that is no command, a value the type does not permit, or a bit string that is to be selected
 */
export function commandElement(typeId: number, value: number, qualifier: number, select: boolean): Element {
  const kind = typeSpec(typeId)?.element;
  switch (kind) {
    case 'doubleCommand':
    case 'stepCommand':
      if (value !== 1 && value !== 2)
        throw callerError('client.value', `${typeName(typeId)} takes 1 or 2, not ${value}; nothing was sent`);
      return { kind, value, qualifier, select };
    case 'singleCommand':
    case 'setpointScaled':
    case 'setpointShort':
      return { kind, value, qualifier, select };
    case 'setpointNormalized':
      return { kind, raw: value, qualifier, select };
    case 'bitstringCommand':
      if (select)
        throw callerError(
          'client.select',
          `${typeName(typeId)} has no select bit: it can only be sent directly; nothing was sent`,
        );
      return { kind, value };
    default:
      throw callerError('client.type', `${typeName(typeId)} is no command; types 45 to 51 and 58 to 64 are`);
  }
}

/** The element of a parameter type (110 to 112). @throws Iec104Error (caller) for another type */
export function parameterElement(typeId: number, value: number, qualifier: number): Element {
  const kind = typeSpec(typeId)?.element;
  switch (kind) {
    case 'parameterNormalized':
      return { kind, raw: value, qualifier };
    case 'parameterScaled':
    case 'parameterShort':
      return { kind, value, qualifier };
    default:
      throw callerError('client.type', `${typeName(typeId)} is no parameter of a measured value; types 110 to 112 are`);
  }
}
