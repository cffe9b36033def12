/**
 * HVDC links, as far as their AC ends need them. One converter of a link is given a power, the other holds the DC voltage and
 * takes what arrives: what the first one sends less the losses of both and of the line between them (IEC 61970-301, DC).
 */
import type { CimSource } from './source.ts';

const VOLTAGE_CONTROLS = ['udc', 'dcVoltage'];

export class DirectCurrent {
  readonly #source: CimSource;
  /** The converter at the other end. */
  readonly #partner = new Map<number, number>();
  /** Ω of all that lies between, by converter. */
  readonly #resistance = new Map<number, number>();

  constructor(source: CimSource) {
    this.#source = source;
    const { store, model } = source;
    if (store.ofClass('CsConverter').length + store.ofClass('VsConverter').length === 0) return;
    const nodesOf = new Map<number, number[]>();
    for (const name of ['DCTerminal', 'ACDCConverterDCTerminal']) {
      for (const terminal of store.ofClass(name)) {
        const equipment = store.reference(terminal, `${name}.DCConductingEquipment`);
        const node = store.reference(terminal, 'DCBaseTerminal.DCNode');
        if (equipment === undefined || node === undefined) continue;
        nodesOf.set(equipment, [...(nodesOf.get(equipment) ?? []), node]);
      }
    }
    // Everything that shares a node is one link.
    const linkOf = new Map<number, Set<number>>();
    for (const [equipment, nodes] of nodesOf) {
      const link = new Set([equipment]);
      for (const node of nodes) for (const other of linkOf.get(node) ?? []) link.add(other);
      for (const member of link) for (const node of nodesOf.get(member)!) linkOf.set(node, link);
    }
    for (const link of new Set(linkOf.values())) {
      const converters = [...link].filter((each) => model.schema.isA(store.class(each), 'ACDCConverter'));
      const [a, b, more] = converters;
      if (a === undefined || b === undefined || more !== undefined) continue;
      this.#partner.set(a, b).set(b, a);
      const lines = [...link].filter((each) => store.class(each) === 'DCLineSegment');
      const resistance = this.#between(lines, nodesOf);
      this.#resistance.set(a, resistance).set(b, resistance);
    }
  }

  /** Whether it holds the DC voltage, so that its power follows from the other end's. */
  follows(converter: number): boolean {
    const { store } = this.#source;
    const control = this.#source.kind(converter, `${store.class(converter)}.pPccControl`) ?? '';
    return VOLTAGE_CONTROLS.includes(control) && this.#partner.has(converter);
  }

  /** The converter at the other end of one that follows it. */
  otherEnd(converter: number): number {
    return this.#partner.get(converter)!;
  }

  /**
   * What a converter that holds the DC voltage takes.
   * @param sent MW that the other end takes from its grid, negative where it gives
   * @returns MW, likewise; undefined when no DC voltage is known
   */
  power(converter: number, sent: number): number | undefined {
    const other = this.otherEnd(converter);
    const volts = this.#voltage(converter) ?? this.#voltage(other);
    if (volts === undefined) return undefined;
    // The DC side of the other end: what it takes from its grid less its losses, or what it gives and its losses.
    const kiloamperes = this.#current(other, sent, volts);
    const line = this.#resistance.get(converter)! * kiloamperes ** 2;
    return -(sent - this.#loss(other, kiloamperes) - line - this.#loss(converter, kiloamperes));
  }

  /** kV. */
  #voltage(converter: number): number | undefined {
    const { targetUdc, ratedUdc } = this.#source.numbers(converter, 'ACDCConverter', 'targetUdc', 'ratedUdc');
    return [targetUdc, ratedUdc].find((value) => value !== undefined && value > 0);
  }

  /** kA on the DC side; its losses depend on it and it on them, so it is found step by step. */
  #current(converter: number, power: number, volts: number): number {
    let current = Math.abs(power) / volts;
    for (let step = 0; step < 20; step++) current = Math.abs(power - this.#loss(converter, current)) / volts;
    return current;
  }

  /** MW: idleLoss + switchingLoss · |Idc| + resistiveLoss · Idc², in MW, MW/A and Ω. */
  #loss(converter: number, kiloamperes: number): number {
    const {
      idleLoss = 0,
      switchingLoss = 0,
      resistiveLoss = 0,
    } = this.#source.numbers(converter, 'ACDCConverter', 'idleLoss', 'switchingLoss', 'resistiveLoss');
    return idleLoss + switchingLoss * 1000 * kiloamperes + resistiveLoss * kiloamperes ** 2;
  }

  /** Ω of lines in series, those between the same nodes side by side. */
  #between(lines: readonly number[], nodesOf: ReadonlyMap<number, readonly number[]>): number {
    const conductance = new Map<string, number>();
    for (const line of lines) {
      const ohms = this.#source.store.number(line, 'DCLineSegment.resistance') ?? 0;
      const key = [...nodesOf.get(line)!].sort((x, y) => x - y).join(' ');
      conductance.set(key, (conductance.get(key) ?? 0) + (ohms > 0 ? 1 / ohms : Number.POSITIVE_INFINITY));
    }
    let sum = 0;
    for (const value of conductance.values()) sum += 1 / value;
    return sum;
  }
}
