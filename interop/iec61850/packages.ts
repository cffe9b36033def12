/** Stacks of IEC 61850 on PyPI that do not descend from libiec61850. */
import { pythonEnvironment } from '../python-environment.ts';

/** Apache-2.0, pure Python; checked by its author against two families of real IEDs. */
export const OPEN61850 = { name: 'open61850', version: '0.9.12', module: 'open61850', licence: 'Apache-2.0' } as const;

export const open61850 = pythonEnvironment('open61850', OPEN61850);

/** MIT or Apache-2.0, written in Rust, as a wheel; wants Python 3.11. */
export const RUST = { name: 'iec61850', version: '0.14.0', module: 'iec61850', licence: 'MIT OR Apache-2.0' } as const;

export const rust = pythonEnvironment('iec61850', RUST);
