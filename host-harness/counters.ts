import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'
import { type Participant, PROVIDER_PORT } from './addresses.ts'

/** Bytes of IP packets that one participant's provider sent to another. */
export interface PairBytes {
  readonly provider: string
  readonly bytes: number
}

/** What reached one machine through the bridge. */
export interface ReceivedBytes {
  readonly pairs: readonly PairBytes[]
  /** TCP that no pair accounts for: another port, IPv6, a foreign address. Nothing of the sort is expected. */
  readonly strayBytes: number
}

const STRAY = 'stray'
const counterName = (from: string, to: string) => `${from}_to_${to}`

/**
 * nftables rules that count, in the bridge's forward hook, what each participant's port 8080 sends to each other one, and
 * all other TCP apart. Traffic of the harness itself (from the bridge's own address) does not pass this hook.
 */
export function counterRules(participants: readonly Participant[]): string {
  const pairs = participants.flatMap((from) =>
    participants.filter((to) => to !== from).map((to) => ({ from, to, name: counterName(from.name, to.name) })),
  )
  const strays = participants.map((to) => ({ to, name: counterName(STRAY, to.name) }))
  return [
    'table bridge plasm {',
    ...[...pairs, ...strays].map(({ name }) => `  counter ${name} { }`),
    '  chain forward {',
    '    type filter hook forward priority 0; policy accept;',
    ...pairs.map(
      ({ from, to, name }) =>
        `    iifname "${from.port}" oifname "${to.port}" ip saddr ${from.address} ip daddr ${to.address} tcp sport ${PROVIDER_PORT} counter name ${name} accept`,
    ),
    // A machine that serves gets acknowledgements and requests.
    `    tcp dport ${PROVIDER_PORT} accept`,
    ...strays.map(({ to, name }) => `    oifname "${to.port}" meta l4proto tcp counter name ${name}`),
    '  }',
    '}',
    '',
  ].join('\n')
}

/** @throws PlasmError `counters-failed` when this kernel has no nftables in family bridge */
export async function installCounters(participants: readonly Participant[]): Promise<void> {
  const ran = await execa('nft', ['-f', '-'], { input: counterRules(participants), reject: false })
  if (ran.failed) {
    throw new PlasmError('counters-failed', `nft refuses the counters: ${ran.stderr || ran.shortMessage}`, {
      facts: { step: 'network' },
      hint: 'the host kernel needs nf_tables with family bridge (modprobe nf_tables_bridge nft_counter)',
    })
  }
}

export async function readCounters(to: Participant, participants: readonly Participant[]): Promise<ReceivedBytes> {
  const { stdout } = await execa('nft', ['-j', 'list', 'counters', 'table', 'bridge', 'plasm'])
  return receivedBytes(stdout, to, participants)
}

/** @param json what `nft -j list counters` prints: {"nftables":[{"metainfo":…},{"counter":{"name","packets","bytes",…}},…]} */
export function receivedBytes(json: string, to: Participant, participants: readonly Participant[]): ReceivedBytes {
  const { nftables } = JSON.parse(json) as {
    nftables: ReadonlyArray<{ counter?: { name: string; bytes: number } }>
  }
  const bytesOf = (name: string) => {
    const found = nftables.find(({ counter }) => counter?.name === name)?.counter
    if (found) return found.bytes
    throw new PlasmError('counters-failed', `the counter ${name} is gone`, {
      facts: { step: 'evidence', counter: name },
    })
  }
  return {
    pairs: participants
      .filter(({ name }) => name !== to.name)
      .map(({ name }) => ({ provider: name, bytes: bytesOf(counterName(name, to.name)) })),
    strayBytes: bytesOf(counterName(STRAY, to.name)),
  }
}
