/** Shunt compensators, static var compensators and equivalent shunts. */
import { type ConductingEquipment, type ShuntCompensator, shuntAdmittance } from '@enerchain/model';
import type { Controls } from './control.ts';
import type { Head } from './injections.ts';
import type { Solution } from './solution.ts';
import type { CimSource } from './source.ts';

type OfClass<C extends ConductingEquipment['class']> = Extract<ConductingEquipment, { class: C }>;

const MAX_SECTIONS = 1_000;

export class Shunts {
  readonly #source: CimSource;
  readonly #controls: Controls;
  readonly #points: Map<number, number[]>;
  readonly #solved = new Map<number, number>();
  readonly #solution: Solution | undefined;

  /** @param solution when given, the sections in it go before those of the hypothesis, unless its own flows deny them */
  constructor(source: CimSource, controls: Controls, solution: Solution | undefined) {
    this.#source = source;
    this.#controls = controls;
    this.#solution = solution;
    this.#points = source.referring(
      ['NonlinearShuntCompensatorPoint'],
      'NonlinearShuntCompensatorPoint.NonlinearShuntCompensator',
      'NonlinearShuntCompensatorPoint.sectionNumber',
    );
    if (!solution) return;
    const { store } = source;
    for (const object of store.ofClass('SvShuntCompensatorSections')) {
      const shunt = store.reference(object, 'SvShuntCompensatorSections.ShuntCompensator');
      const sections = store.number(object, 'SvShuntCompensatorSections.sections');
      if (shunt !== undefined && sections !== undefined) this.#solved.set(shunt, sections);
    }
  }

  /** @returns the equipment, why it is left out, or undefined when the class is none of these */
  convert(
    object: number,
    name: string,
    head: Head,
    terminals: OfClass<'EquivalentShunt'>['terminals'],
  ): ConductingEquipment | string | undefined {
    const source = this.#source;
    const one = { ...head, terminals };
    switch (name) {
      case 'LinearShuntCompensator': {
        const { bPerSection, gPerSection = 0 } = source.numbers(object, name, 'bPerSection', 'gPerSection');
        if (bPerSection === undefined) return 'bPerSection is missing';
        return this.#settle(object, { class: name, ...one, ...this.#sections(object), bPerSection, gPerSection });
      }
      case 'NonlinearShuntCompensator': {
        const points = this.#bank(object);
        if (typeof points === 'string') return points;
        return this.#settle(object, { class: name, ...one, ...this.#sections(object), points });
      }
      case 'StaticVarCompensator': {
        const {
          capacitiveRating,
          inductiveRating,
          slope,
          q = 0,
        } = source.numbers(object, name, 'capacitiveRating', 'inductiveRating', 'slope', 'q');
        return {
          class: name,
          ...one,
          // Some files write both reactances with the same sign.
          ...(capacitiveRating ? { capacitiveRating: Math.abs(capacitiveRating) } : {}),
          ...(inductiveRating ? { inductiveRating: -Math.abs(inductiveRating) } : {}),
          ...(slope === undefined || slope < 0 ? {} : { slope }),
          q,
          ...this.#controls.of(object, 'RegulatingCondEq'),
        };
      }
      case 'EquivalentShunt': {
        const { b, g = 0 } = source.numbers(object, name, 'b', 'g');
        return b === undefined ? 'b is missing' : { class: name, ...one, b, g };
      }
      default:
        return undefined;
    }
  }

  #sections(object: number) {
    const source = this.#source;
    const of = 'ShuntCompensator';
    const given = source.numbers(object, of, 'maximumSections', 'normalSections', 'sections', 'nomU');
    const maximumSections = Math.min(MAX_SECTIONS, Math.max(0, Math.round(given.maximumSections ?? 1)));
    const within = (value: number, property: string): number => {
      const held = Math.min(Math.max(value, 0), maximumSections);
      if (held !== value) {
        const text = `${value} sections are in, of ${maximumSections}; ${held} is taken`;
        source.assume(object, text, `${of}.${property}`);
      }
      return held;
    };
    const { sections } = given;
    return {
      maximumSections,
      normalSections: Math.round(within(given.normalSections ?? 0, 'normalSections')),
      ...(sections === undefined ? {} : { sections: within(sections, 'sections') }),
      ...(given.nomU === undefined ? {} : { nomU: given.nomU }),
      ...this.#controls.of(object, 'RegulatingCondEq'),
    };
  }

  /** The sections of the solution, where what it says of voltage and flow does not speak for those of the hypothesis. */
  #settle<S extends ShuntCompensator>(object: number, shunt: S): S {
    const given = this.#solved.get(object);
    const { sections = shunt.normalSections } = shunt;
    if (given === undefined || given === sections) return shunt;
    const solved = Math.min(Math.max(given, 0), shunt.maximumSections);
    const [terminal] = shunt.terminals;
    const flow = this.#solution?.flows.get(terminal!.mRID);
    const volts = this.#solution?.voltages.get(terminal!.connectivityNode);
    if (flow && volts) {
      const away = (count: number): number => Math.abs(flow.q + shuntAdmittance(shunt, count).b * volts.v ** 2);
      if (away(sections) < away(solved)) {
        const text = `the solution has ${solved} sections in, but its flow is that of ${sections}, which is taken`;
        this.#source.assume(object, text);
        return shunt;
      }
    }
    return { ...shunt, sections: solved };
  }

  /** Admittances per section add up to that of the bank. */
  #bank(object: number): OfClass<'NonlinearShuntCompensator'>['points'] | string {
    const points: OfClass<'NonlinearShuntCompensator'>['points'] = [];
    let [sumB, sumG] = [0, 0];
    for (const point of this.#points.get(object) ?? []) {
      const {
        sectionNumber: section,
        b,
        g = 0,
      } = this.#source.numbers(point, 'NonlinearShuntCompensatorPoint', 'sectionNumber', 'b', 'g');
      if (section === undefined || b === undefined || !Number.isInteger(section)) {
        return 'a point of it has no section or no b';
      }
      if (section < 1) continue;
      if (points.at(-1)?.section === section) return `it has two points for section ${section}`;
      sumB += b;
      sumG += g;
      points.push({ section, b: sumB, g: sumG });
    }
    if (points.length === 0) return 'it has no points';
    return points.length > 1_000 ? 'it has more than 1 000 points' : points;
  }
}
