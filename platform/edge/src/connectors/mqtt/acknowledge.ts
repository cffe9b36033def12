/**
 * QoS 1 acknowledged when the outbox says so. MQTT.js sends a PUBACK when `handleMessage` calls back and reads no
 * further message before that, which would be one commit per message. Calling back with an error makes it go on
 * reading without a PUBACK (handlers/publish.js); the PUBACK is then sent from here. Messages that were not
 * acknowledged when the connection broke are sent again by the broker, since the session is kept.
 */
import type { MqttClient } from 'mqtt';
import type { Receipt } from '../../connector.ts';

interface Publish {
  readonly qos: 0 | 1 | 2;
  readonly messageId?: number | undefined;
}

/** The part of MQTT.js that sends a packet; not public, and covered by the tests of the connector. */
interface PacketSender {
  _sendPacket(packet: { cmd: 'puback'; messageId: number }): void;
}

/** Unacknowledged messages at which reading stops until the outbox has caught up. */
const MOST_PENDING = 1_000;

const LATER = new Error('acknowledged after the commit');

export class ManualAcknowledgement {
  readonly #client: MqttClient;
  readonly #hold: (receipt: Receipt) => void;
  /** Messages read on and not acknowledged yet. */
  pending = 0;
  #connection = 0;
  #resume: (() => void) | undefined;

  /** @param hold keeps a receipt until what the message brought is durable */
  constructor(client: MqttClient, hold: (receipt: Receipt) => void) {
    this.#client = client;
    this.#hold = hold;
    client.handleMessage = (packet, callback) => {
      if (packet.cmd !== 'publish' || !this.#take(packet)) callback();
      else if (this.pending < MOST_PENDING) callback(LATER);
      else this.#resume = () => callback(LATER);
    };
  }

  /** Packet identifiers belong to one connection; those of an earlier one must not be acknowledged on this one. */
  newConnection(): void {
    this.#connection++;
    this.pending = 0;
    this.#resume = undefined;
  }

  #take({ qos, messageId }: Publish): boolean {
    if (qos !== 1 || messageId === undefined) return false;
    const connection = this.#connection;
    this.pending++;
    this.#hold({
      release: () => {
        if (connection !== this.#connection || !this.#client.connected) return;
        this.pending--;
        (this.#client as unknown as PacketSender)._sendPacket({ cmd: 'puback', messageId });
        const resume = this.#resume;
        if (!resume || this.pending > MOST_PENDING / 2) return;
        this.#resume = undefined;
        resume();
      },
    });
    return true;
  }
}
