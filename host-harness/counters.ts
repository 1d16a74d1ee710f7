import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'
import type { Participant } from './addresses.ts'
import { COUNTERS, counterRules, familyOf } from './counter-rules.ts'
import { type NetworkPlan, participantsOf } from './topology.ts'

/** Bytes of IP packets that one participant's provider sent to another. */
export interface PairBytes {
  readonly provider: string
  readonly bytes: number
}

/** What reached one machine through the bridge or router. */
export interface ReceivedBytes {
  readonly pairs: readonly PairBytes[]
  /** TCP that no pair accounts for: another port, IPv6, a foreign address. Nothing of the sort is expected. */
  readonly strayBytes: number
}

/** What shows that the network is what it is called, and what passed on it; all of it since the run began. */
export interface NetworkEvidence {
  /** Multicast packets of IP that participants sent. */
  readonly multicastHeard: number
  /** Those that passed on to another participant, one for each. */
  readonly multicastCrossed: number
  /** Packets from or to UDP 5353 that passed between participants, and those that were dropped on the way. */
  readonly mdnsCrossed: number
  readonly mdnsDropped: number
  /** Between the origin and this machine, either way, of any protocol: bytes that passed, frames that were dropped. */
  readonly originBytes: number
  readonly originDropped: number
  /** Bytes that this machine got from or to the DHT's port; 0 where no DHT is in use. */
  readonly dhtBytes: number
}

/** @throws PlasmError `counters-failed` when this kernel has no nftables in that family */
export async function installCounters(plan: NetworkPlan): Promise<void> {
  const ran = await execa('nft', ['-f', '-'], { input: counterRules(plan), reject: false })
  if (ran.failed) {
    const module = familyOf(plan.network) === 'bridge' ? 'nf_tables_bridge' : 'nf_tables_inet'
    throw new PlasmError('counters-failed', `nft refuses the counters: ${ran.stderr || ran.shortMessage}`, {
      facts: { step: 'network' },
      hint: `the host kernel needs nf_tables with family ${familyOf(plan.network)} (modprobe ${module} nft_counter)`,
    })
  }
}

export async function readCounters(
  to: Participant,
  plan: NetworkPlan,
): Promise<ReceivedBytes & { readonly network: NetworkEvidence }> {
  const { stdout } = await execa('nft', ['-j', 'list', 'counters', 'table', familyOf(plan.network), 'plasm'])
  return { ...receivedBytes(stdout, to, participantsOf(plan)), network: networkEvidence(stdout, to) }
}

/** @param json what `nft -j list counters` prints: {"nftables":[{"metainfo":…},{"counter":{"name","packets","bytes",…}},…]} */
export function receivedBytes(json: string, to: Participant, participants: readonly Participant[]): ReceivedBytes {
  const counter = readerOf(json)
  return {
    pairs: participants
      .filter(({ name }) => name !== to.name)
      .map(({ name }) => ({ provider: name, bytes: counter(COUNTERS.pair(name, to.name)).bytes })),
    strayBytes: counter(COUNTERS.stray(to.name)).bytes,
  }
}

/** @param json as for {@link receivedBytes} */
export function networkEvidence(json: string, { name }: Participant): NetworkEvidence {
  const counter = readerOf(json)
  return {
    multicastHeard: counter(COUNTERS.multicastHeard).packets,
    multicastCrossed: counter(COUNTERS.multicastCrossed).packets,
    mdnsCrossed: counter(COUNTERS.mdnsCrossed).packets,
    mdnsDropped: counter(COUNTERS.mdnsDropped).packets,
    originBytes: counter(COUNTERS.withOrigin(name)).bytes,
    originDropped: counter(COUNTERS.keptFromOrigin(name)).packets,
    dhtBytes: counter(COUNTERS.dht(name)).bytes,
  }
}

function readerOf(json: string): (name: string) => { readonly packets: number; readonly bytes: number } {
  const { nftables } = JSON.parse(json) as {
    nftables: ReadonlyArray<{ counter?: { name: string; packets: number; bytes: number } }>
  }
  return (name) => {
    const found = nftables.find(({ counter }) => counter?.name === name)?.counter
    if (found) return found
    throw new PlasmError('counters-failed', `the counter ${name} is gone`, {
      facts: { step: 'evidence', counter: name },
    })
  }
}
