/** libiec61850 through `pyiec61850-ng`, in a Python environment of its own (GPL-3: a program that runs beside the tests). */
import { pythonEnvironment } from './python-environment.ts';

/** `missing`: why it is not there; undefined when it is. */
export const { python, missing } = pythonEnvironment('mms', {
  name: 'pyiec61850-ng',
  version: '1.6.1.7',
  module: 'pyiec61850.pyiec61850',
  licence: 'GPL-3.0',
});
