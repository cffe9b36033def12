import { describe, expect, test } from 'vitest';
import { FAULTS } from '../src/faults/catalogue.ts';
import { checkFault } from '../src/faults/request.ts';

describe('a request for a fault', () => {
  test('takes its defaults from the catalogue and numbers as text', () => {
    expect(checkFault({ kind: 'link-down', target: 'rtu-08' }).number('seconds')).toBe(30);
    expect(checkFault({ kind: 'link-down', target: 'rtu-08', settings: { seconds: '5' } }).number('seconds')).toBe(5);
  });

  test('what is wrong is said, with what there is instead', () => {
    const refused = (request: unknown) => expect(() => checkFault(request));
    refused({ kind: 'meteor', target: 'rtu-08' }).toThrow(/no fault 'meteor'; there are link-down/);
    refused({ kind: 'link-down' }).toThrow(/needs a target/);
    refused({ kind: 'stuck', target: 'rtu-08' }).toThrow(/needs ioa=/);
    refused({ kind: 'stuck', target: 'rtu-08', settings: { ioa: 'x' } }).toThrow(/not a usable number/);
    refused({ kind: 'link-down', target: 'rtu-08', settings: { hours: 1 } }).toThrow(/no setting 'hours'/);
    refused(null).toThrow(/no object/);
  });

  test('every fault has a description that names its settings', () => {
    for (const { description, settings } of FAULTS)
      for (const { name } of settings) expect(description).toContain(name);
  });
});
