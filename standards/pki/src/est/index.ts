/** Enrolment over Secure Transport (RFC 7030, clarified by RFC 8951): messages, client, server. */
export * from './channel.ts';
export * from './client.ts';
export * from './message.ts';
export * from './server.ts';
