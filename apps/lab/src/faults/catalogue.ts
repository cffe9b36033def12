/** The faults that can be asked for, as data: what each one does and what can be set. */

export interface FaultSetting {
  readonly name: string;
  readonly type: 'number' | 'text';
  readonly default?: string | number;
  readonly about: string;
}

export interface FaultSpec {
  readonly name: string;
  readonly description: string;
  /** What `target` names; `all` stands for every RTU where it is allowed. */
  readonly target: 'rtu' | 'rtu or all' | 'sensor' | 'node' | 'network node';
  readonly settings: readonly FaultSetting[];
}

const seconds = (value: number, about = 'how long, in seconds'): FaultSetting => ({
  name: 'seconds',
  type: 'number',
  default: value,
  about,
});
const ioa: FaultSetting = { name: 'ioa', type: 'number', about: 'information object address of the point' };
const bay: FaultSetting = { name: 'bay', type: 'text', about: 'designation of the bay, for example J01' };

export const FAULTS: readonly FaultSpec[] = [
  {
    name: 'link-down',
    description: 'closes the connections of an RTU and refuses new ones; its events wait in its buffer (seconds=30)',
    target: 'rtu or all',
    settings: [seconds(30)],
  },
  {
    name: 'rtu-restart',
    description: 'restarts an RTU: connections and event buffer are gone, then end of initialisation (seconds=3)',
    target: 'rtu or all',
    settings: [seconds(3, 'how long it is away, in seconds')],
  },
  {
    name: 'stuck',
    description: 'a point stops following its process (ioa=…, seconds=120)',
    target: 'rtu',
    settings: [ioa, seconds(120)],
  },
  {
    name: 'noisy',
    description: 'a point flutters around its value (ioa=…, amplitude=0.1, seconds=120)',
    target: 'rtu',
    settings: [
      ioa,
      { name: 'amplitude', type: 'number', default: 0.1, about: 'standard deviation as a share of the value' },
      seconds(120),
    ],
  },
  {
    name: 'breaker-trip',
    description: 'protection opens the breaker of a bay (bay=J01)',
    target: 'rtu',
    settings: [bay],
  },
  {
    name: 'earth-fault',
    description: 'the earth fault indicator of a bay picks up (bay=R1, seconds=120)',
    target: 'rtu',
    settings: [bay, seconds(120)],
  },
  {
    name: 'short-circuit',
    description:
      'three phases touch on what a bay feeds, or on the busbar: protection has to find it (bay=J11 or busbar, percent=50 of a line, seconds=60)',
    target: 'rtu',
    settings: [
      { ...bay, about: 'designation of the bay, for example J11, or busbar' },
      { name: 'percent', type: 'number', default: 50, about: 'how far along a line, in percent' },
      seconds(60, 'how long the fault stays, in seconds'),
    ],
  },
  {
    name: 'breaker-stuck',
    description: 'the breaker of a bay does not move, whoever tells it to (bay=J11, seconds=120)',
    target: 'rtu',
    settings: [bay, seconds(120)],
  },
  {
    name: 'clock-step',
    description: 'the clock of an RTU jumps until it is next synchronised (seconds=3600, negative = back)',
    target: 'rtu or all',
    settings: [seconds(3600, 'how far, in seconds')],
  },
  {
    name: 'interrogation-storm',
    description: 'an RTU announces end of initialisation again and again and reports every point each time (count=5)',
    target: 'rtu or all',
    settings: [{ name: 'count', type: 'number', default: 5, about: 'how many times' }],
  },
  {
    name: 'event-flood',
    description: 'an RTU produces many events at once; beyond its buffer it reports overflow (events=20000)',
    target: 'rtu or all',
    settings: [{ name: 'events', type: 'number', default: 20_000, about: 'how many' }],
  },
  {
    name: 'door-open',
    description: 'the door contact of a station opens (seconds=60)',
    target: 'rtu',
    settings: [seconds(60)],
  },
  {
    name: 'local-control',
    description: 'somebody on site switches to local: commands are refused (seconds=60)',
    target: 'rtu',
    settings: [seconds(60)],
  },
  {
    name: 'sensor-lost',
    description: 'an MQTT sensor drops off without a word; its last will goes out (seconds=60)',
    target: 'sensor',
    settings: [seconds(60)],
  },
  {
    name: 'firmware-changed',
    description:
      'the firmware of a gateway or network node is another one than was delivered: in quarantine within seconds (restore=no; restore=yes puts the right one back, then the node has to be started anew and released)',
    target: 'node',
    settings: [{ name: 'restore', type: 'text', default: 'no', about: 'yes: the firmware as delivered' }],
  },
  {
    name: 'attester-stopped',
    description: 'a network node (core-1, core-2) gives no evidence: no longer good, then isolated (seconds=120)',
    target: 'network node',
    settings: [seconds(120)],
  },
  {
    name: 'quote-replayed',
    description: 'a network node shows old evidence instead of fresh one (seconds=60)',
    target: 'network node',
    settings: [seconds(60)],
  },
  {
    name: 'device-cloned',
    description: 'a second device uses the key of a network node (seconds=60)',
    target: 'network node',
    settings: [seconds(60)],
  },
  {
    name: 'network-partition',
    description: 'a network node is cut off from all its neighbours (seconds=120)',
    target: 'network node',
    settings: [seconds(120)],
  },
];
