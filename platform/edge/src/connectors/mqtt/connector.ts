/** An MQTT broker as an endpoint (MQTT 3.1.1, OASIS): topics bound to points, last wills as quality, commands published. */
import { CAUSES, type CommandStep, describeError, QUALITY, type UtcNanos } from '@enerchain/model';
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import type { Connector, ConnectorHost, EndpointState, Health, Order, ReportStep } from '../../connector.ts';
import type { BoundPoint, EndpointSite } from '../../site/site.ts';
import { readNamedFile } from '../named-file.ts';
import { ManualAcknowledgement } from './acknowledge.ts';
import { MAX_PAYLOAD, memberAt, RECEIVE_TIME, type Reading, readPlain, readScalar, readTime } from './payload.ts';
import { jsonPath, type MqttSettings, type MqttTarget } from './protocol.ts';

const SPONTANEOUS = CAUSES.indexOf('spontaneous');
const INTERROGATION = CAUSES.indexOf('interrogation');
const SOURCE_LOST = CAUSES.indexOf('sourceLost');
/** Topics in one SUBSCRIBE. */
const SUBSCRIBE_CHUNK = 100;
/** Unacknowledged messages after which the outbox is asked to commit at once; brokers allow a few dozen in flight. */
const COMMIT_AT = 16;
const DEFAULT_COMMAND_TIMEOUT = 10;

interface WaitingCommand {
  readonly finish: (step: CommandStep, reason?: string) => void;
  readonly timer: NodeJS.Timeout;
}

export class MqttConnector implements Connector {
  readonly #endpoint: EndpointSite;
  readonly #settings: MqttSettings;
  readonly #host: ConnectorHost;
  readonly #byTopic = new Map<string, BoundPoint[]>();
  readonly #byWill = new Map<string, BoundPoint[]>();
  readonly #replyTopics = new Set<string>();
  readonly #waiting = new Map<string, WaitingCommand>();
  readonly #published = new Set<number>();
  readonly #counters = {
    messages: 0,
    octets: 0,
    retained: 0,
    absentFields: 0,
    lastWills: 0,
    connects: 0,
    commands: 0,
    unacknowledged: 0,
  };
  #client: MqttClient | undefined;
  #acknowledgement: ManualAcknowledgement | undefined;
  #state: EndpointState = 'connecting';
  #since: UtcNanos;
  #detail: string | undefined;
  #stopping = false;

  constructor(endpoint: EndpointSite, host: ConnectorHost) {
    this.#endpoint = endpoint;
    this.#settings = endpoint.settings as unknown as MqttSettings;
    this.#host = host;
    this.#since = host.clock.now();
    for (const point of endpoint.points) {
      const target = point.target as MqttTarget;
      if (point.binding.access === 'control') {
        if (target.replyTopic) this.#replyTopics.add(target.replyTopic);
        continue;
      }
      push(this.#byTopic, target.topic, point);
      if (target.willTopic) push(this.#byWill, target.willTopic, point);
    }
  }

  /** The points that can be commanded. */
  get controls(): readonly BoundPoint[] {
    return this.#endpoint.points.filter((point) => point.binding.access === 'control');
  }

  start(): void {
    const client = connect(this.#settings.url, this.#options());
    this.#client = client;
    const acknowledgement = new ManualAcknowledgement(client, (receipt) => {
      this.#host.intake.hold(receipt);
      if (acknowledgement.pending >= COMMIT_AT) this.#host.intake.commitSoon();
    });
    this.#acknowledgement = acknowledgement;
    client.on('connect', () => {
      acknowledgement.newConnection();
      this.#counters.connects++;
      this.#host.intake.connected();
      void this.#subscribe(client);
    });
    client.on('message', (topic, payload, packet) => this.#message(topic, payload, packet));
    client.on('close', () => this.#closed());
    client.on('error', (error) => {
      this.#detail = describeError(error);
      this.#host.logger.warn({ error: this.#detail }, 'MQTT connection failed');
    });
  }

  #options(): IClientOptions {
    const { clientId, username, passwordFile, tls, keepAliveSeconds } = this.#settings;
    const { id } = this.#endpoint.endpoint;
    const read = (file: string): Buffer => readNamedFile(id, this.#host.folder, file);
    return {
      // A session that outlives the connection: the broker keeps what it could not deliver.
      clean: false,
      clientId: clientId ?? `${this.#host.source}-${id}`,
      protocolVersion: 4,
      keepalive: keepAliveSeconds ?? 30,
      reconnectPeriod: 1_000,
      resubscribe: false,
      ...(username === undefined ? {} : { username }),
      ...(passwordFile === undefined ? {} : { password: read(passwordFile).toString('utf8').split(/\r?\n/)[0] ?? '' }),
      ...(tls
        ? {
            ca: read(tls.ca),
            minVersion: 'TLSv1.2' as const,
            ...(tls.certificate ? { cert: read(tls.certificate) } : {}),
            ...(tls.key ? { key: read(tls.key) } : {}),
          }
        : {}),
    };
  }

  async #subscribe(client: MqttClient): Promise<void> {
    const topics = [...new Set([...this.#byTopic.keys(), ...this.#byWill.keys(), ...this.#replyTopics])];
    const refused: string[] = [];
    try {
      for (let at = 0; at < topics.length; at += SUBSCRIBE_CHUNK) {
        const chunk = topics.slice(at, at + SUBSCRIBE_CHUNK);
        // 128 in a SUBACK is a refusal (MQTT 3.1.1 § 3.9.3).
        for (const grant of await client.subscribeAsync(chunk, { qos: 1 })) {
          if (grant.qos >= 128) refused.push(grant.topic);
        }
      }
    } catch (error) {
      if (this.#stopping || !client.connected) return;
      refused.push(`all (${describeError(error)})`);
    }
    if (refused.length > 0) {
      const detail = `the broker refuses ${refused.length} topics: ${refused.slice(0, 20).join(', ')}`;
      this.#host.logger.error({ refused: refused.length }, detail);
      this.#host.intake.event('configuration', detail, 'edge.mqtt.refused');
      this.#enter('up', detail);
    } else {
      this.#enter('up');
    }
    this.#host.intake.synchronized();
  }

  #message(topic: string, payload: Buffer, packet: IPublishPacket): void {
    const { intake, clock } = this.#host;
    this.#counters.messages++;
    this.#counters.octets += payload.length;
    if (packet.retain) this.#counters.retained++;
    const at = clock.now();
    if (payload.length > MAX_PAYLOAD) {
      intake.malformed(`${topic}: ${payload.length} octets; more than ${MAX_PAYLOAD} are not read`);
      return;
    }
    const points = this.#byTopic.get(topic);
    const willPoints = this.#byWill.get(topic);
    const reply = this.#replyTopics.has(topic);
    if (!points && !willPoints && !reply) {
      intake.unknown(topic, () => `topic=${topic}`);
      return;
    }
    const text = payload.toString('utf8');
    let json: { readonly value: unknown } | undefined;
    const parsed = (): unknown => {
      json ??= { value: parseJson(text) };
      return json.value;
    };
    if (willPoints) this.#lastWill(willPoints, text, parsed, at);
    if (points) this.#values(points, topic, text, parsed, at, packet.retain);
    if (reply) this.#reply(parsed());
  }

  #values(
    points: readonly BoundPoint[],
    topic: string,
    text: string,
    parsed: () => unknown,
    at: UtcNanos,
    retained: boolean,
  ): void {
    const { intake } = this.#host;
    const cause = retained ? INTERROGATION : SPONTANEOUS;
    for (const bound of points) {
      const { field, timeField } = bound.target as MqttTarget;
      let reading: Reading;
      if (field.length === 0) {
        reading = readPlain(text, bound.point);
      } else {
        const json = parsed();
        if (json === undefined) {
          intake.malformed(`${topic}: the payload is no JSON: ${text.slice(0, 60)}`);
          return;
        }
        const member = memberAt(json, field);
        if (member === undefined) {
          // Devices send what has changed; a field that is not there says nothing about the value.
          this.#counters.absentFields++;
          continue;
        }
        reading = readScalar(member, bound.point);
      }
      if (reading.problem) intake.malformed(`${topic}: ${reading.problem}`);
      let [sourceTime, timeQuality] = [at, RECEIVE_TIME];
      if (timeField) {
        const member = memberAt(parsed(), timeField);
        const time = readTime(member, this.#settings.timeFormat ?? 'iso');
        if (time) [sourceTime, timeQuality] = [time.at, time.quality];
        else if (member !== undefined) {
          intake.malformed(
            `${topic}: ${JSON.stringify(member).slice(0, 60)} is no time (${this.#settings.timeFormat ?? 'iso'})`,
          );
        }
      }
      const { value } = reading;
      const scaled = typeof value === 'number' ? value * bound.k + bound.d : value;
      intake.add(bound, scaled, reading.quality, sourceTime, timeQuality, at, cause);
    }
  }

  /** The device is gone (its last will): its values are no longer known. */
  #lastWill(points: readonly BoundPoint[], text: string, parsed: () => unknown, at: UtcNanos): void {
    const { lost, field } = this.#settings.lastWill!;
    const state = field === undefined ? text.trim() : String(memberAt(parsed(), jsonPath(field)));
    if (state !== lost) return;
    this.#counters.lastWills++;
    for (const bound of points) {
      this.#host.intake.add(bound, null, QUALITY.invalid | QUALITY.oldData, at, RECEIVE_TIME, at, SOURCE_LOST);
    }
  }

  operate(order: Order, report: ReportStep): Promise<void> {
    const { command, point } = order;
    this.#counters.commands++;
    if (command.action === 'select') {
      report('selected', 'MQTT knows no selection; the edge has checked the command and holds it');
      return Promise.resolve();
    }
    if (command.action === 'cancel') {
      report('cancelled');
      return Promise.resolve();
    }
    const client = this.#client;
    if (!client?.connected) {
      report('negative', 'the broker is not connected; nothing was sent');
      return Promise.resolve();
    }
    const target = point.target as MqttTarget;
    const value = (command.value - point.d) / point.k;
    const payload =
      target.field.length === 0 && target.replyTopic === undefined
        ? String(value)
        : JSON.stringify({ id: command.id, ...nested(target.field, value), validFor: command.validFor });
    return new Promise((done) => {
      const seconds = this.#settings.commandTimeoutSeconds ?? DEFAULT_COMMAND_TIMEOUT;
      const finish = (step: CommandStep, reason?: string): void => {
        if (this.#waiting.get(command.id) !== entry) return;
        clearTimeout(timer);
        this.#waiting.delete(command.id);
        report(step, reason);
        done();
      };
      const timer = setTimeout(() => finish('outcomeUnknown', `no answer within ${seconds} s`), seconds * 1000);
      const entry: WaitingCommand = { finish, timer };
      this.#waiting.set(command.id, entry);
      report('operateSent');
      // Sent with QoS 1 for the broker's answer, and taken back when the connection breaks: MQTT.js would send it again.
      client.publish(target.topic, payload, { qos: 1 }, (error) => {
        this.#published.delete(messageId);
        if (error) finish('outcomeUnknown', `the connection to the broker was lost: ${error.message}`);
        else if (target.replyTopic === undefined) {
          finish('outcomeUnknown', 'the broker has taken it; the device gives no answer, look at the feedback');
        } else if (this.#waiting.get(command.id) === entry) report('confirmed', 'the broker has taken it');
      });
      const messageId = client.getLastMessageId();
      this.#published.add(messageId);
    });
  }

  #reply(json: unknown): void {
    const id = memberAt(json, ['id']);
    const waiting = typeof id === 'string' ? this.#waiting.get(id) : undefined;
    if (!waiting) return;
    const ok = memberAt(json, ['ok']);
    const reason = memberAt(json, ['reason']);
    const text = typeof reason === 'string' ? reason.slice(0, 500) : undefined;
    if (ok === true) waiting.finish('terminated', text);
    else waiting.finish('negative', text ?? 'refused by the device');
  }

  #closed(): void {
    for (const messageId of this.#published) this.#client?.removeOutgoingMessage(messageId);
    this.#published.clear();
    if (this.#state === 'up') this.#host.intake.lost(this.#detail ?? 'the connection to the broker was lost');
    this.#enter(this.#stopping ? 'down' : 'connecting', this.#detail);
  }

  #enter(state: EndpointState, detail?: string): void {
    if (state !== this.#state) this.#since = this.#host.clock.now();
    this.#state = state;
    this.#detail = detail;
  }

  health(): Health {
    this.#counters.unacknowledged = this.#acknowledgement?.pending ?? 0;
    return {
      state: this.#state,
      since: this.#since,
      ...(this.#detail === undefined ? {} : { detail: this.#detail }),
      counters: this.#counters,
    };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const { finish } of [...this.#waiting.values()]) finish('outcomeUnknown', 'the edge is stopping');
    const client = this.#client;
    this.#client = undefined;
    if (!client) return;
    client.removeAllListeners('message');
    await client.endAsync(!client.connected).catch(() => undefined);
    this.#enter('down');
  }
}

function push(map: Map<string, BoundPoint[]>, key: string, point: BoundPoint): void {
  const list = map.get(key);
  if (list) list.push(point);
  else map.set(key, [point]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `['a','b'], 5` → `{a: {b: 5}}`; an empty path gives `{value: 5}`. */
function nested(path: readonly string[], value: number): Record<string, unknown> {
  const [first = 'value', ...rest] = path;
  return { [first]: rest.length === 0 ? value : nested(rest, value) };
}
