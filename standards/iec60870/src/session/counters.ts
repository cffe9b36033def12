/** What one connection has done; every field only grows while the connection lives. */
export interface ConnectionCounters {
  /** Octets read from the transport. */
  octetsReceived: number;
  /** Octets given to the transport. */
  octetsSent: number;
  /** I frames (each with one ASDU) received in sequence. */
  iReceived: number;
  iSent: number;
  /** S frames received. */
  sReceived: number;
  sSent: number;
  /** U frames (STARTDT, STOPDT, TESTFR) received. */
  uReceived: number;
  uSent: number;
  /** Information objects in the ASDUs received. */
  objectsReceived: number;
  /** ASDUs whose octets did not fit their header; dropped, connection kept. */
  asdusMalformed: number;
  /** ASDUs of a type that the companion standard does not define; handed on. */
  asdusUnknown: number;
  /** Times that sending was refused because k I frames were unacknowledged or transfer was not started. */
  sendRefused: number;
  /** TESTFR act sent because nothing was heard for t3. */
  testsSent: number;
  /** Times that reading was paused because the application had too many receipts to release. */
  readPauses: number;
}

export function emptyCounters(): ConnectionCounters {
  return {
    octetsReceived: 0,
    octetsSent: 0,
    iReceived: 0,
    iSent: 0,
    sReceived: 0,
    sSent: 0,
    uReceived: 0,
    uSent: 0,
    objectsReceived: 0,
    asdusMalformed: 0,
    asdusUnknown: 0,
    sendRefused: 0,
    testsSent: 0,
    readPauses: 0,
  };
}

/** Adds the counters of a connection to a sum over connections. */
export function addCounters<S extends ConnectionCounters>(sum: S, part: ConnectionCounters): S {
  for (const key of Object.keys(part) as (keyof ConnectionCounters)[]) (sum as ConnectionCounters)[key] += part[key];
  return sum;
}
