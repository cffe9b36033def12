/** The protocols this edge speaks. A third one is added here and nowhere else. */
import { iec104Protocol } from './connectors/iec104/protocol.ts';
import { iec61850Protocol } from './connectors/iec61850/protocol.ts';
import { mqttProtocol } from './connectors/mqtt/protocol.ts';
import type { ProtocolSpec } from './protocol.ts';

export const PROTOCOLS: Readonly<Record<string, ProtocolSpec>> = {
  [iec104Protocol.name]: iec104Protocol,
  [iec61850Protocol.name]: iec61850Protocol,
  [mqttProtocol.name]: mqttProtocol,
};
