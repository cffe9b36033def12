/** Reads a point's quantity from the simulated grid, with the quality that a real transducer would give it. */
import type { GridSimulation } from '../simulation/simulation.ts';
import type { Quantity } from './point-list.ts';

/** Quality bits as on the wire (5-101 § 7.2.6.3). */
export const IV = 0x80;

export interface Reading {
  readonly value: number;
  readonly quality: number;
}

/** What only the RTU knows. */
export interface LocalState {
  flag(name: string): boolean;
  /** Double point state of a switch: 0 while it moves. */
  position(mRID: string): number;
  readonly ledgerCounter: number;
}

const good = (value: number): Reading => ({ value, quality: 0 });
/** As a short float carries it. */
const measured = (value: number): Reading => good(Math.fround(value));
const INVALID: Reading = { value: 0, quality: IV };

export function read(quantity: Quantity, simulation: GridSimulation, local: LocalState): Reading {
  switch (quantity.of) {
    case 'p':
    case 'q':
    case 'i': {
      const flow = simulation.flow(quantity.terminal);
      // `+ 0` so that nothing measures minus zero.
      return flow ? measured(quantity.sign * flow[quantity.of] + 0) : INVALID;
    }
    case 'voltage': {
      const voltage = simulation.voltage(quantity.node);
      if (voltage !== null) return measured(voltage);
      // A voltage transformer on a dead busbar measures zero, and is right.
      return simulation.isEnergised(quantity.node) ? INVALID : good(0);
    }
    case 'frequency': {
      // Without voltage there is nothing to count periods of.
      if (!simulation.isEnergised(quantity.node)) return INVALID;
      return measured(simulation.frequency);
    }
    case 'position':
      return good(local.position(quantity.switch));
    case 'tap':
      return good(simulation.tap(quantity.transformer));
    case 'regulated':
      return good(simulation.isRegulated(quantity.transformer) ? 1 : 0);
    case 'windingTemperature': {
      const load = (simulation.flow(quantity.terminal)?.i ?? 0) / quantity.ratedCurrent;
      // IEC 60076-7: top oil about 50 K and hot spot about 28 K above, both at rated current.
      return measured(Math.max(5, simulation.weather.temperature) + 8 + 45 * load ** 1.6 + 22 * load ** 2);
    }
    case 'energy':
      // kWh in 31 bits, as a meter's register rolls over.
      return good(Math.floor(simulation.energy(quantity.terminal)[quantity.direction] * 1000) % 2 ** 31);
    case 'setPoint':
      return measured(simulation.setPoint(quantity.converter));
    case 'charge':
      return measured(simulation.charge(quantity.converter));
    case 'flag':
      return good(local.flag(quantity.name) ? 1 : 0);
    case 'ledgerCounter':
      return good(local.ledgerCounter);
    default:
      return quantity satisfies never;
  }
}
