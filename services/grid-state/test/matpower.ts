/** Published grids as MATPOWER cases: a folder `shared/data/matpower` beside the repository or further up, not part of it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MatpowerCase, readMatpower as parse } from '@enerchain/cim';
import { referenceData } from '../../../tools/reference-data.ts';
import { caseOfMatpower } from '../src/cases/matpower.ts';
import type { PowerFlowCase } from '../src/powerflow/case.ts';

const FOLDER = referenceData('matpower');

export const hasMatpower = (name: string): boolean => FOLDER !== undefined && existsSync(join(FOLDER, `${name}.m`));
export const matpowerFile = (name: string): string => join(FOLDER!, `${name}.m`);
export const matpowerCase = (name: string): MatpowerCase => parse(readFileSync(matpowerFile(name), 'utf8'));

/** Of a case that is one island. */
export const readMatpower = (name: string): PowerFlowCase => caseOfMatpower(matpowerCase(name)).case;
