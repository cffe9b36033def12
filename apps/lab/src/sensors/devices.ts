/** The IoT sensors of the lab: what each one measures, and how it says it. */

import { normal, type Random } from '../simulation/random.ts';
import type { GridSimulation } from '../simulation/simulation.ts';

export interface SensorPoint {
  readonly name: string;
  /** Key in the JSON payload; absent where the payload is the value itself. */
  readonly field?: string;
  /** Columns of the gateway's point list. */
  readonly columns: Readonly<Record<string, string | number | boolean>>;
  read(simulation: GridSimulation, random: Random): number;
}

export interface SensorDevice {
  readonly id: string;
  /** Seconds between two messages, of simulated time. */
  readonly every: number;
  readonly points: readonly SensorPoint[];
}

const bayOf = (simulation: GridSimulation, rtu: string, code: string) =>
  simulation.grid.stations.find((station) => station.rtu === rtu)?.bays.find((bay) => bay.code === code);

/** Share of the rated current in a bay, 0 where nothing flows. */
function loading(simulation: GridSimulation, rtu: string, code: string): number {
  const bay = bayOf(simulation, rtu, code);
  return bay?.terminal ? (simulation.flow(bay.terminal)?.i ?? 0) / (bay.ratedCurrent ?? 100) : 0;
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

const oilTemperature = (transformer: 1 | 2): SensorDevice => ({
  id: `oil-t${transformer}`,
  every: 10,
  points: [
    {
      name: `T${transformer} top oil temperature`,
      field: 'temperature',
      columns: {
        measurementType: 'Temperature',
        unit: 'degC',
        high: 95,
        highHigh: 105,
        hysteresis: 2,
        alarmPriority: 2,
        consequence: 'The insulation ages fast.',
        action: 'Take load off the transformer, check the cooling.',
      },
      read: (simulation, random) => {
        const load = loading(simulation, 'rtu-01-110', `E0${transformer + 1}`);
        return round(simulation.weather.temperature + 8 + 45 * load ** 1.6 + 0.2 * normal(random), 1);
      },
    },
  ],
});

const cableTemperature = (station: string, bay: string): SensorDevice => ({
  id: `cable-${station}`,
  every: 15,
  points: [
    {
      name: `Cable joint temperature ${station} ${bay}`,
      field: 'temperature',
      columns: {
        measurementType: 'Temperature',
        unit: 'degC',
        high: 75,
        highHigh: 90,
        hysteresis: 2,
        alarmPriority: 2,
      },
      read: (simulation, random) =>
        round(12 + 55 * loading(simulation, `rtu-${station}`, bay) ** 2 + 0.15 * normal(random), 1),
    },
  ],
});

/** A sensor that sends nothing but the bare number. */
const door = (station: string): SensorDevice => ({
  id: `door-${station}`,
  every: 60,
  points: [
    {
      name: `Kiosk door ${station}`,
      columns: { kind: 'discrete', cdc: 'SPS', aliases: '0=closed|1=open', normal: 0, alarmPriority: 3 },
      read: () => 0,
    },
  ],
});

const lowVoltageFeeder = (station: string, kilovoltAmperes: number): SensorDevice => ({
  id: `lv-${station}`,
  every: 10,
  points: (['A', 'B', 'C'] as const).map((phase, index) => ({
    name: `LV feeder current ${station} ${phase}`,
    field: `current${phase}`,
    columns: { measurementType: 'LineCurrent', phases: phase, unit: 'A', high: kilovoltAmperes * 1.4 },
    read: (simulation, random) => {
      const share = loading(simulation, `rtu-${station}`, 'L1');
      return round(kilovoltAmperes * share * (1 + [0.06, -0.02, -0.04][index]!) * (1 + 0.01 * normal(random)), 1);
    },
  })),
});

const WEATHER: SensorDevice = {
  id: 'weather',
  every: 10,
  points: [
    {
      name: 'Air temperature',
      field: 'temperature',
      columns: { measurementType: 'Temperature', unit: 'degC' },
      read: ({ weather }) => round(weather.temperature, 1),
    },
    {
      name: 'Wind speed',
      field: 'windSpeed',
      columns: { measurementType: 'WindSpeed', unit: 'm/s', high: 22, alarmPriority: 3 },
      read: ({ weather }) => round(weather.windSpeed, 1),
    },
    {
      name: 'Global radiation',
      field: 'radiation',
      columns: { measurementType: 'Radiation', unit: 'W/m2' },
      read: ({ weather }) => round(weather.radiation, 0),
    },
  ],
};

export const SENSOR_DEVICES: readonly SensorDevice[] = [
  oilTemperature(1),
  oilTemperature(2),
  cableTemperature('03', 'R1'),
  cableTemperature('08', 'R2'),
  door('05'),
  door('09'),
  door('13'),
  WEATHER,
  lowVoltageFeeder('04', 400),
  lowVoltageFeeder('06', 400),
  lowVoltageFeeder('10', 630),
  lowVoltageFeeder('11', 400),
];

export const TOPICS = {
  state: (device: string): string => `lab/${device}/state`,
  status: (device: string): string => `lab/${device}/status`,
} as const;
export const ONLINE = 'online';
export const OFFLINE = 'offline';
