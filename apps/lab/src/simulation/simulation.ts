/**
 * The simulated grid: customers and weather move it, commands change it, every step solves it. Pure but for its own
 * state: no timers and no clock; the same seed, start and orders give the same grid.
 */
import { buildNetwork, type Flow, type Power, type PowerFlowResult, solvePowerFlow } from '@enerchain/grid-state';
import { type ConductingEquipment, EnerchainError, type Mrid } from '@enerchain/model';
import type { LabGrid } from '../grid/lab-grid.ts';
import { batteryShare, loadShare, windShare } from './profiles.ts';
import { randomStream, Wander } from './random.ts';
import { type FaultLocation, type Phasor, type ShortCircuit, shortCircuit } from './short-circuit.ts';
import { REGULATION, type Regulation, VoltageRegulator } from './voltage-regulator.ts';
import { Weather } from './weather.ts';

type OfClass<C extends ConductingEquipment['class']> = Extract<ConductingEquipment, { class: C }>;
type Transformer = OfClass<'PowerTransformer'>;
type Converter = OfClass<'PowerElectronicsConnection'>;

interface ConverterState {
  readonly equipment: Converter;
  /** MW: upper bound for a plant, wanted power for a battery; undefined = as it likes. */
  setPoint: number | undefined;
  /** MWh in a battery. */
  energy: number;
  /** MW fed in. */
  output: number;
}

export interface SimulationOptions {
  readonly seed: number;
  /** Simulated time at the start, ms since the Unix epoch; its time of day is taken as local solar time. */
  readonly start: number;
}

export class GridSimulation {
  readonly grid: LabGrid;
  readonly weather: Weather;
  readonly #closed = new Map<Mrid, boolean>();
  readonly #taps = new Map<Mrid, number>();
  readonly #regulators = new Map<Mrid, VoltageRegulator>();
  readonly #converters = new Map<Mrid, ConverterState>();
  readonly #loads: { equipment: OfClass<'EnergyConsumer'>; noise: Wander; slow: Wander }[] = [];
  readonly #energies = new Map<Mrid, { forward: number; reverse: number }>();
  readonly #frequency: Wander;
  /** What the 110 kV grid does by itself, kV. */
  readonly #source: readonly [slow: Wander, fast: Wander];
  #time: number;
  #result: PowerFlowResult;
  readonly #faults = new Set<FaultLocation>();
  #shortCircuit: ShortCircuit | undefined;
  #changed = false;

  constructor(grid: LabGrid, { seed, start }: SimulationOptions) {
    this.grid = grid;
    this.#time = start;
    this.weather = new Weather(seed, start);
    this.#frequency = new Wander(randomStream(seed, 'frequency'), 0.018, 30);
    this.#source = [
      new Wander(randomStream(seed, 'source/slow'), 0.5, 1800),
      new Wander(randomStream(seed, 'source/fast'), 0.06, 10),
    ];
    for (const equipment of grid.model.equipment) {
      switch (equipment.class) {
        case 'Breaker':
        case 'LoadBreakSwitch':
        case 'Disconnector':
        case 'GroundDisconnector':
          this.#closed.set(equipment.mRID, !equipment.normalOpen);
          break;
        case 'PowerTransformer':
          this.#taps.set(equipment.mRID, equipment.ratioTapChanger?.normalStep ?? 0);
          this.#regulators.set(equipment.mRID, new VoltageRegulator());
          break;
        case 'PowerElectronicsConnection':
          this.#converters.set(equipment.mRID, {
            equipment,
            setPoint: undefined,
            energy: (equipment.ratedE ?? 0) / 2,
            output: 0,
          });
          break;
        case 'EnergyConsumer':
          this.#loads.push({
            equipment,
            noise: new Wander(randomStream(seed, `load/${equipment.name}/fast`), 0.012, 15),
            slow: new Wander(randomStream(seed, `load/${equipment.name}/slow`), 0.03, 1200),
          });
          break;
      }
    }
    for (const { bays } of grid.stations) {
      for (const { terminal } of bays) if (terminal) this.#energies.set(terminal, { forward: 0, reverse: 0 });
    }
    this.#result = this.#solve();
    // The grid has been running before we look: the regulators have found their steps.
    for (let i = 0; i < 20 && this.#regulate(REGULATION.delay); i++) this.#result = this.#solve();
  }

  /** Simulated time, ms since the Unix epoch. */
  get time(): number {
    return this.#time;
  }

  get result(): PowerFlowResult {
    return this.#result;
  }

  /** Hz, of the 110 kV grid. */
  get frequency(): number {
    return 50 + this.#frequency.value;
  }

  /** Lets simulated time pass and solves. */
  step(seconds: number): void {
    this.#time += seconds * 1000;
    this.weather.step(this.#time, seconds);
    for (const process of [this.#frequency, ...this.#source]) process.step(seconds);
    for (const { noise, slow } of this.#loads) {
      noise.step(seconds);
      slow.step(seconds);
    }
    for (const state of this.#converters.values()) {
      if (state.equipment.unit === 'BatteryUnit') {
        const hours = seconds / 3600;
        state.energy = Math.max(0, Math.min(state.equipment.ratedE ?? 0, state.energy - state.output * hours));
      }
    }
    this.#regulate(seconds);
    this.#changed = true;
    this.settle();
    for (const [terminal, energy] of this.#energies) {
      const { p } = this.#result.flows.get(terminal) ?? { p: 0 };
      if (p > 0) energy.forward += (p * seconds) / 3600;
      else energy.reverse -= (p * seconds) / 3600;
    }
  }

  /** Solves again when an order has changed the grid since the last solution. */
  settle(): void {
    if (!this.#changed) return;
    this.#changed = false;
    this.#result = this.#solve();
    this.#shortCircuit = this.#solveFaults();
  }

  /** A short circuit without resistance, until the returned function is called. */
  startFault(location: FaultLocation): () => void {
    this.#faults.add(location);
    this.#changed = true;
    return () => {
      this.#changed = this.#faults.delete(location) || this.#changed;
    };
  }

  /** A short circuit is fed. */
  get isFaulted(): boolean {
    return this.#shortCircuit !== undefined;
  }

  isClosed(mRID: Mrid): boolean {
    return this.#closed.get(mRID) ?? fail(mRID, 'switch');
  }

  setSwitch(mRID: Mrid, closed: boolean): void {
    if (this.isClosed(mRID) === closed) return;
    this.#closed.set(mRID, closed);
    this.#changed = true;
  }

  tap(transformer: Mrid): number {
    return this.#taps.get(transformer) ?? fail(transformer, 'transformer');
  }

  /**
   * One step up or down; higher means more voltage at the 20 kV side.
   * @returns false at the end of the range
   */
  moveTap(transformer: Transformer, direction: 'higher' | 'lower'): boolean {
    if (!this.canMoveTap(transformer, direction)) return false;
    this.#taps.set(transformer.mRID, this.#nextStep(transformer, direction));
    this.#changed = true;
    return true;
  }

  canMoveTap(transformer: Transformer, direction: 'higher' | 'lower'): boolean {
    const changer = transformer.ratioTapChanger;
    const step = this.#nextStep(transformer, direction);
    return changer !== undefined && step >= changer.lowStep && step <= changer.highStep;
  }

  /** More turns at the high-voltage end (0) mean less voltage below; at the other end it is the other way round. */
  #nextStep(transformer: Transformer, direction: 'higher' | 'lower'): number {
    const up = transformer.ratioTapChanger?.end === 0 ? -1 : 1;
    return this.tap(transformer.mRID) + (direction === 'higher' ? up : -up);
  }

  isRegulated(transformer: Mrid): boolean {
    return this.#regulators.get(transformer)?.enabled ?? fail(transformer, 'transformer');
  }

  setRegulated(transformer: Mrid, enabled: boolean): void {
    const regulator = this.#regulators.get(transformer) ?? fail(transformer, 'transformer');
    regulator.enabled = enabled;
  }

  /** What its regulator aims at; for one with settings of its own. */
  setRegulation(transformer: Mrid, regulation: Regulation): void {
    const regulator = this.#regulators.get(transformer) ?? fail(transformer, 'transformer');
    regulator.regulation = regulation;
  }

  /** MW that a plant may feed in at most, or that a battery shall give (negative: take). */
  setPoint(converter: Mrid): number {
    const { setPoint, equipment } = this.#converters.get(converter) ?? fail(converter, 'converter');
    return setPoint ?? (equipment.unit === 'BatteryUnit' ? 0 : equipment.maxP);
  }

  setSetPoint(converter: Mrid, megawatts: number): void {
    const state = this.#converters.get(converter) ?? fail(converter, 'converter');
    state.setPoint = Math.max(state.equipment.minP, Math.min(state.equipment.maxP, megawatts));
    this.#changed = true;
  }

  /** State of charge of a battery, %. */
  charge(converter: Mrid): number {
    const { energy, equipment } = this.#converters.get(converter) ?? fail(converter, 'converter');
    return equipment.ratedE ? (100 * energy) / equipment.ratedE : 0;
  }

  /** kV; null when the node is not energised or the grid was not solved. */
  voltage(node: Mrid): number | null {
    const faulted = this.#shortCircuit?.voltages.get(node);
    if (faulted !== undefined) return faulted;
    return this.#result.buses[this.#result.busOfNode.get(node) ?? -1]?.voltage ?? null;
  }

  isEnergised(node: Mrid): boolean {
    const bus = this.#result.buses[this.#result.busOfNode.get(node) ?? -1];
    return bus !== undefined && this.#result.islands[bus.island]!.energised;
  }

  /** Undefined where the grid was not solved. */
  flow(terminal: Mrid): Flow | undefined {
    return this.#shortCircuit?.flows.get(terminal) ?? this.#result.flows.get(terminal);
  }

  /** A, as it is while a short circuit is fed over the terminal; undefined otherwise. */
  faultCurrent(terminal: Mrid): Phasor | undefined {
    return this.#shortCircuit?.flows.get(terminal)?.current;
  }

  /** MWh since the start, into the equipment and out of it. */
  energy(terminal: Mrid): { readonly forward: number; readonly reverse: number } {
    return this.#energies.get(terminal) ?? { forward: 0, reverse: 0 };
  }

  #solveFaults(): ShortCircuit | undefined {
    const earthed = this.grid.model.equipment.some(
      (equipment) => equipment.class === 'GroundDisconnector' && this.isClosed(equipment.mRID),
    );
    if (this.#faults.size === 0 && !earthed) return undefined;
    return shortCircuit(
      this.grid.model,
      (mRID) => this.isClosed(mRID),
      [...this.#faults],
      (source) => this.#sourceVoltage(source),
    );
  }

  /** kV */
  #sourceVoltage({ voltage }: OfClass<'ExternalNetworkInjection'>): number {
    return voltage + this.#source[0].value + this.#source[1].value;
  }

  #solve(): PowerFlowResult {
    const powers = new Map<Mrid, Power>();
    for (const { equipment, noise, slow } of this.#loads) {
      const share = loadShare(equipment.customerKind ?? 'residential', this.#time) * (1 + noise.value + slow.value);
      powers.set(equipment.mRID, { p: equipment.p * share, q: equipment.q * share });
    }
    for (const state of this.#converters.values()) {
      state.output = this.#output(state);
      powers.set(state.equipment.mRID, { p: -state.output, q: 0 });
    }
    const voltages = new Map<Mrid, number>();
    for (const equipment of this.grid.model.equipment) {
      if (equipment.class !== 'ExternalNetworkInjection') continue;
      voltages.set(equipment.mRID, this.#sourceVoltage(equipment));
    }
    const network = buildNetwork(this.grid.model, { switches: this.#closed, taps: this.#taps });
    return solvePowerFlow(network, { powers, voltages }, this.#result ? { start: this.#result } : {});
  }

  /** MW fed in. */
  #output({ equipment, setPoint, energy }: ConverterState): number {
    switch (equipment.unit) {
      case 'PhotoVoltaicUnit':
        return Math.min(equipment.maxP * this.weather.sun(equipment.name), setPoint ?? Number.POSITIVE_INFINITY);
      case 'PowerElectronicsWindUnit':
        return Math.min(equipment.maxP * windShare(this.weather.windSpeed), setPoint ?? Number.POSITIVE_INFINITY);
      case 'PowerElectronicsUnit':
        return setPoint ?? 0;
      case 'BatteryUnit': {
        const wanted = setPoint ?? equipment.maxP * batteryShare(this.#time);
        if (wanted > 0 && energy <= 0) return 0;
        return wanted < 0 && energy >= (equipment.ratedE ?? 0) ? 0 : wanted;
      }
    }
  }

  /** @returns true when a regulator has moved its tap changer */
  #regulate(seconds: number): boolean {
    let moved = false;
    for (const equipment of this.grid.model.equipment) {
      if (equipment.class !== 'PowerTransformer') continue;
      const regulator = this.#regulators.get(equipment.mRID)!;
      const direction = regulator.step(seconds, this.voltage(equipment.terminals[1]!.connectivityNode));
      if (direction && this.moveTap(equipment, direction)) moved = true;
    }
    return moved;
  }
}

function fail(mRID: Mrid, what: string): never {
  throw new EnerchainError(
    'caller',
    'lab.simulation.unknown',
    `the lab grid has no ${what} ${mRID}; nothing was changed`,
  );
}
