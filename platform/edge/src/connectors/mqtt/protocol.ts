/** MQTT in a site file: the keys of an endpoint and the address columns of a point list. */
import Type from 'typebox';
import type { PointRow, ProtocolSpec } from '../../protocol.ts';

const topic = Type.String({ minLength: 1, maxLength: 500 });

/** Keys of an endpoint with `protocol: mqtt`. */
export const SETTINGS = {
  url: Type.String({ pattern: '^(mqtt|mqtts|ws|wss)://', description: 'address of the broker' }),
  clientId: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  username: Type.Optional(Type.String()),
  passwordFile: Type.Optional(Type.String({ description: 'file whose first line is the password' })),
  tls: Type.Optional(
    Type.Object(
      {
        ca: Type.String({ description: 'PEM file' }),
        certificate: Type.Optional(Type.String({ description: 'PEM file' })),
        key: Type.Optional(Type.String({ description: 'PEM file' })),
      },
      { additionalProperties: false },
    ),
  ),
  keepAliveSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 3600 })),
  /** Template for points without a topic of their own: `plant/{device}/state`. */
  topic: Type.Optional(topic),
  /** Payload form of points that have a `field`; without a field the payload is the value itself. */
  timeField: Type.Optional(Type.String({ maxLength: 200, description: 'JSON pointer of the time stamp' })),
  timeFormat: Type.Optional(Type.Enum(['iso', 'seconds', 'milliseconds', 'nanoseconds'] as const)),
  /** Where a device's last will arrives; template like `topic`. */
  lastWill: Type.Optional(
    Type.Object(
      {
        topic,
        lost: Type.String({ description: 'payload that says: the device is gone' }),
        field: Type.Optional(Type.String({ maxLength: 200, description: 'JSON pointer, when the payload is JSON' })),
      },
      { additionalProperties: false },
    ),
  ),
  /** Template of the topic commands are published to. */
  commandTopic: Type.Optional(topic),
  /** Template of the topic on which the device answers a command; without it a command ends with the broker's PUBACK. */
  commandReplyTopic: Type.Optional(topic),
  commandTimeoutSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 300 })),
};

export type MqttSettings = Type.Static<ReturnType<typeof settingsObject>>;
const settingsObject = () => Type.Object(SETTINGS);

/** The address of a bound point at run time. */
export interface MqttTarget {
  readonly topic: string;
  /** Path into the JSON payload; empty when the payload is the value. */
  readonly field: readonly string[];
  readonly timeField: readonly string[] | undefined;
  readonly willTopic: string | undefined;
  readonly replyTopic: string | undefined;
}

/** `/a/b` (RFC 6901) or `a.b` as a path. */
export function jsonPath(text: string): readonly string[] {
  if (text === '') return [];
  if (!text.startsWith('/')) return text.split('.');
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

const canFill = (template: string | undefined, row: PointRow): boolean =>
  [...(template ?? '').matchAll(/\{(\w+)\}/g)].every(([, name]) => row.has(name as string));

export const mqttProtocol: ProtocolSpec = {
  name: 'mqtt',
  settings: SETTINGS,
  pointFields: [
    { name: 'topic', type: 'text', maxLength: 500, about: 'topic of this point; the endpoint’s template when absent' },
    { name: 'device', type: 'text', maxLength: 200, about: 'fills {device} in the templates of the endpoint' },
    {
      name: 'field',
      aliases: ['jsonPointer', 'path'],
      type: 'text',
      maxLength: 200,
      about: 'JSON pointer of the value; absent = the payload is the value',
    },
    { name: 'timeField', type: 'text', maxLength: 200, about: 'JSON pointer of the time stamp' },
  ],
  address(row, settings, problem) {
    const { topic, timeField, lastWill, commandTopic, commandReplyTopic } = settings as unknown as MqttSettings;
    const control = row.get('kind') === 'command' || row.get('kind') === 'setpoint';
    const fill = (template: string | undefined, key: string): string | undefined => {
      if (template === undefined) return undefined;
      const filled = template.replace(/\{(\w+)\}/g, (whole, name: string) => {
        const value = row.get(name);
        if (value === undefined) problem(name, `is missing; the template '${template}' of ${key} needs it`);
        return value === undefined ? whole : String(value);
      });
      if (/[+#\0]/.test(filled)) problem(key, `'${filled}' has a wildcard; expected the topic of one device`);
      return filled;
    };
    const own = fill(
      (row.get('topic') as string | undefined) ?? (control ? commandTopic : topic),
      control ? 'commandTopic' : 'topic',
    );
    if (own === undefined) {
      problem(
        'topic',
        `is missing; expected a topic here or \`${control ? 'commandTopic' : 'topic'}\` at the endpoint`,
      );
      return undefined;
    }
    const field = (row.get('field') as string | undefined) ?? '';
    const ownTime = (row.get('timeField') as string | undefined) ?? timeField;
    const target: MqttTarget = {
      topic: own,
      field: jsonPath(field),
      timeField: ownTime === undefined ? undefined : jsonPath(ownTime),
      // A point that names no device has no last will.
      willTopic: control || !canFill(lastWill?.topic, row) ? undefined : fill(lastWill?.topic, 'lastWill.topic'),
      replyTopic: control ? fill(commandReplyTopic, 'commandReplyTopic') : undefined,
    };
    return {
      address: `topic=${own}${field === '' ? '' : ` field=${field}`}${control ? ' control' : ''}`,
      access: control ? 'control' : 'read',
      ...(control ? {} : { kind: 'analog' as const }),
      target,
    };
  },
  async create(endpoint, host) {
    const { MqttConnector } = await import('./connector.ts');
    return new MqttConnector(endpoint, host);
  },
};
