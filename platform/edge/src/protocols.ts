/** The protocols this edge speaks. A third one is added here and nowhere else. */
import { iec104Protocol } from './connectors/iec104/protocol.ts';
import { mqttProtocol } from './connectors/mqtt/protocol.ts';
import type { ProtocolSpec } from './protocol.ts';

export const PROTOCOLS: Readonly<Record<string, ProtocolSpec>> = {
  [iec104Protocol.name]: iec104Protocol,
  [mqttProtocol.name]: mqttProtocol,
};
