/** The values a control accepts, as words. */
import type { PointInfo } from '../api/types.ts';
import { isDouble } from '../format/number.ts';

/** The values a control accepts, each with the verb for it. */
export function choicesOf(point: PointInfo): readonly { value: number; word: string }[] {
  const aliases = Object.entries(point.valueAliases ?? {}).map(([value, word]) => ({ value: Number(value), word }));
  if (aliases.length) return aliases.sort((a, b) => a.value - b.value);
  const position = point.measurementType === 'SwitchPosition' || point.cdc === 'DPC';
  if (isDouble(point))
    return [
      { value: 1, word: position ? 'open' : 'off' },
      { value: 2, word: position ? 'close' : 'on' },
    ];
  if (point.cdc === 'BSC' || point.cdc === 'INC')
    return [
      { value: 1, word: 'lower' },
      { value: 2, word: 'raise' },
    ];
  return [
    { value: 0, word: position ? 'open' : 'off' },
    { value: 1, word: position ? 'close' : 'on' },
  ];
}
