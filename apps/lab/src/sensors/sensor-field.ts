/** The broker and the sensors that talk to it, each on a connection of its own with a last will. */
import { createServer, type Server, type Socket } from 'node:net';
import { EnerchainError } from '@enerchain/model';
import { Aedes } from 'aedes';
import { connect, type MqttClient } from 'mqtt';
import type { Logger } from 'pino';
import { type Random, randomStream } from '../simulation/random.ts';
import type { GridSimulation } from '../simulation/simulation.ts';
import { OFFLINE, ONLINE, SENSOR_DEVICES, type SensorDevice, TOPICS } from './devices.ts';

export interface SensorFieldOptions {
  readonly host: string;
  readonly port: number;
  readonly seed: number;
  readonly simulation: GridSimulation;
  readonly logger: Logger;
  /** Wall clock, ms since the Unix epoch. */
  readonly now: () => number;
}

interface Sensor {
  readonly device: SensorDevice;
  readonly random: Random;
  readonly client: MqttClient;
  due: number;
}

export class SensorField {
  readonly counters = { published: 0, failed: 0 };
  readonly #options: SensorFieldOptions;
  readonly #broker: Aedes;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #sensors: Sensor[] = [];

  private constructor(options: SensorFieldOptions, broker: Aedes) {
    this.#options = options;
    this.#broker = broker;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      broker.handle(socket);
    });
  }

  static async start(options: SensorFieldOptions): Promise<SensorField> {
    const field = new SensorField(options, await Aedes.createBroker());
    await new Promise<void>((resolve, reject) => {
      field.#server.once('error', reject);
      field.#server.listen(options.port, options.host, () => {
        field.#server.off('error', reject);
        resolve();
      });
    });
    const { port } = field.#server.address() as { port: number };
    field.#sensors = SENSOR_DEVICES.map((device, index) => field.#sensor(device, index, port));
    return field;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Publishes what is due. @param elapsed simulated seconds since the start */
  tick(elapsed: number): void {
    for (const sensor of this.#sensors) {
      if (elapsed < sensor.due || !sensor.client.connected) continue;
      sensor.due = elapsed + sensor.device.every;
      this.#publish(sensor);
    }
  }

  /**
   * A sensor drops off the network without a word: the broker sends its last will.
   * @param seconds until it comes back
   */
  lose(id: string, seconds: number): void {
    const sensor = this.#sensors.find(({ device }) => device.id === id);
    if (!sensor) {
      throw new EnerchainError(
        'caller',
        'lab.sensor.unknown',
        `there is no sensor '${id}'; there are ${SENSOR_DEVICES.map((device) => device.id).join(', ')}`,
      );
    }
    sensor.client.options.reconnectPeriod = seconds * 1000;
    sensor.client.stream.destroy();
  }

  async close(): Promise<void> {
    await Promise.all(this.#sensors.map(({ client }) => client.endAsync(true)));
    await new Promise<void>((done) => this.#broker.close(done));
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  #sensor(device: SensorDevice, index: number, port: number): Sensor {
    const { host, seed, logger } = this.#options;
    const status = TOPICS.status(device.id);
    const client = connect(`mqtt://${host}:${port}`, {
      clientId: `lab-${device.id}`,
      keepalive: 30,
      reconnectPeriod: 1000,
      will: { topic: status, payload: Buffer.from(OFFLINE), qos: 1, retain: true },
    });
    const sensor = {
      device,
      random: randomStream(seed, `sensor/${device.id}`),
      client,
      due: (device.every * index) / SENSOR_DEVICES.length,
    };
    client.on('connect', () => {
      client.options.reconnectPeriod = 1000;
      client.publish(status, ONLINE, { qos: 1, retain: true });
      this.#publish(sensor);
    });
    client.on('error', (error) => logger.warn({ sensor: device.id, error: error.message }, 'sensor connection failed'));
    return sensor;
  }

  #publish({ device, client, random }: Sensor): void {
    const { simulation, now } = this.#options;
    const plain = device.points.find((point) => point.field === undefined);
    const payload = plain
      ? String(plain.read(simulation, random))
      : JSON.stringify({
          ...Object.fromEntries(device.points.map((point) => [point.field, point.read(simulation, random)])),
          time: new Date(now()).toISOString(),
        });
    client.publish(TOPICS.state(device.id), payload, { qos: 1, retain: true }, (error) => {
      if (error) this.counters.failed += 1;
      else this.counters.published += 1;
    });
  }
}
