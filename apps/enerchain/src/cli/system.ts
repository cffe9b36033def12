/** What runs: the whole system or one part of it, and what is asked of a running one. */
import type { Command } from 'commander';
import { data, json } from './options.ts';

export function systemCommands(program: Command): void {
  program
    .command('up')
    .description('the whole system on this machine: lab grid, gateways, centre and control room')
    .option(...data)
    .option('--port <port>', 'port of the control room and API', '8080')
    .option(
      '--host <address>',
      'address to listen on; anything but loopback needs --tls-cert and --tls-key',
      '127.0.0.1',
    )
    .option('--tls-cert <file>', 'PEM certificate chain for the control room')
    .option('--tls-key <file>', 'PEM private key for the control room')
    .option('--no-lab', 'without the simulated grid')
    .option('--site <files...>', 'site files of gateways of your own, run beside the lab')
    .option('--no-tpm', 'without TPMs of the lab (swtpm): software attests, the lower tier')
    .option(
      '--goose-interface <names...>',
      'GOOSE of the IEDs of the lab on a network interface too (Linux, CAP_NET_RAW); the gateway listens on a second one, as of a veth pair',
    )
    .option('--seed <number>', 'seed of the simulated grid', '1')
    .option('--speed <factor>', 'simulated time per real time', '1')
    .option('--grid-time <time>', 'time of day in the grid at the start, UTC, as 12:00 for a high sun (default: now)')
    .option('--trust-policy <policy>', 'what a good node is: development, production, or a JSON file', 'development')
    .option(
      '--keys <file>',
      'YAML file: where the keys of the centre lie (identity, log, authority: file, tpm or an HSM); a TPM named there attests it',
    )
    .option(
      '--commanding-service <name...>',
      'services that may prepare and operate commands under their own name; by default none',
    )
    .action(async (options) => (await import('../commands/up.ts')).up(options));

  program
    .command('centre')
    .description('the centre: ingest log, historian, alarms, commands, API and control room')
    .option(...data)
    .option('--port <port>', 'port of the control room and API', '8080')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--link-port <port>', 'port for gateways and services (default: --port + 1)')
    .option('--link-host <address>', 'address for gateways and services (always mutual TLS)', '127.0.0.1')
    .option('--tls-cert <file>', 'PEM certificate chain for the control room')
    .option('--tls-key <file>', 'PEM private key for the control room')
    .option(
      '--keys <file>',
      'YAML file: where the keys of the centre lie (identity, log, authority: file, tpm or an HSM)',
    )
    .option(
      '--commanding-service <name...>',
      'services that may prepare and operate commands under their own name; by default none',
    )
    .option(
      '--relay <relay=sources...>',
      'which sources a relay may stand in for, for example relay-1=edge-nord,edge-sued; by default none',
    )
    .option(
      '--trust-policy <policy>',
      'what a good node is: development, production, or a JSON file; development lets software attest',
      'development',
    )
    .option('--tpm-maker <files...>', 'PEM files: who certifies endorsement keys of TPMs')
    .option('--vouch-site <files...>', 'development: site files of gateways that are vouched for as they are now')
    .option('--vouch-boot <file>', 'development: golden values of PCRs, {"<pcr>": "<SHA-256, hex>"}')
    .option(
      '--crl-url <url>',
      'where others fetch revocation lists, as certificates say; by default <address of the API>/crl',
    )
    .option('--certificate-hours <hours>', 'validity of certificates; they renew themselves at a third of it', '72')
    .option('--key-days <days>', 'days after which the key of the centre gives way to another one', '365')
    .action(async (options) => (await import('../commands/centre.ts')).centre(options));

  program
    .command('edge')
    .description('a gateway: its devices, outbox and uplink')
    .argument('<site.yaml>', 'connectors, endpoints and bindings')
    .option(...data)
    .option('--centre <url>', 'link address of the centre, wss://host:port', process.env.ENERCHAIN_LINK)
    .option(
      '--token <token>',
      'one-time enrolment token (first start only; or ENERCHAIN_ENROL)',
      process.env.ENERCHAIN_ENROL,
    )
    .option('--key-days <days>', 'days after which the key of this gateway gives way to another one', '365')
    .option('--check', 'check the site file and stop')
    .action(async (site, options) => (await import('../commands/edge.ts')).edge(site, options));

  program
    .command('lab')
    .description('the simulated grid; `enerchain lab fault` makes trouble in a running one')
    .argument('[grid]', 'cigre-mv', 'cigre-mv')
    .option(...data)
    .option('--seed <number>', 'same seed, same run', '1')
    .option('--counter-every <ms>', 'how often the ledger counter of each RTU steps', '1000')
    .option('--no-tpm', 'without TPMs, also where swtpm is installed')
    .option(
      '--goose-interface <names...>',
      'GOOSE of the IEDs of the lab on a network interface too (Linux, CAP_NET_RAW); the gateway listens on a second one, as of a veth pair',
    )
    .option('--speed <factor>', 'simulated time per real time', '1')
    .option('--grid-time <time>', 'time of day in the grid at the start, UTC, as 12:00 for a high sun (default: now)')
    .action(async (grid, options) => (await import('../commands/lab.ts')).lab(grid, options))
    .command('fault')
    .description('make a fault: enerchain lab fault <kind> [target] [key=value…]; without a kind, list them')
    .argument('[kind]')
    .argument('[target]', 'the RTU, switch or point concerned')
    .argument('[settings...]', 'key=value')
    .option(...data)
    .action(async (kind, target, settings, options) =>
      (await import('../commands/lab.ts')).fault(kind, target, settings, options),
    );

  program
    .command('grid-state')
    .description('the grid-state service: topology and power flow from live values')
    .option(...data)
    .option('--centre <url>', 'link address of the centre', process.env.ENERCHAIN_LINK)
    .option('--token <token>', 'one-time enrolment token', process.env.ENERCHAIN_ENROL)
    .action(async (options) => (await import('../commands/grid-state.ts')).gridState(options));

  program
    .command('network-node')
    .description('a node of the Trusted Core Network of the lab: attests its neighbours, carries no values')
    .argument('<file>', 'written by the lab')
    .option(...data)
    .option('--centre <url>', 'link address of the centre', process.env.ENERCHAIN_LINK)
    .option('--token <token>', 'one-time enrolment token', process.env.ENERCHAIN_ENROL)
    .action(async (file, options) => (await import('../commands/network-node.ts')).networkNode(file, options));

  program
    .command('enrol-token')
    .description('make a one-time token with which a new gateway or service gets its certificate')
    .argument('<name>', 'name of the gateway or service')
    .option('--role <role>', 'edge, service or network', 'edge')
    .option(...data)
    .action(async (name, options) => (await import('../commands/system.ts')).enrolToken(name, options));

  program
    .command('revoke')
    .description('shut out a gateway or service: revoke its certificates and end its connection')
    .argument('<name>', 'name of the gateway or service')
    .option('--reason <text>', 'for the audit', 'revoked on the command line')
    .option('--fingerprint <sha256>', 'this certificate only')
    .option(...data)
    .action(async (name, options) => (await import('../commands/system.ts')).revoke(name, options));

  program
    .command('rotate-key')
    .description('make another key for the centre; gateways rotate theirs by themselves (--key-days)')
    .option('--reason <text>', 'for the audit', 'rotated on the command line')
    .option(...data)
    .action(async (options) => (await import('../commands/system.ts')).rotateKey(options));

  program
    .command('status')
    .description('gateways, services and devices of a running system')
    .option(...data)
    .option(...json)
    .action(async (options) => (await import('../commands/system.ts')).status(options));

  program
    .command('values')
    .description('points of a running system with their present values')
    .argument('[filter]', 'part of the name')
    .option(...data)
    .option(...json)
    .action(async (filter, options) => (await import('../commands/system.ts')).values(filter, options));
}
