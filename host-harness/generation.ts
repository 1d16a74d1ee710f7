import { reportedSystem } from '../agent/own-system.ts'
import { PlasmError } from '../service/errors.ts'
import { type GuestPlace, ORIGIN, type Participant, PROVIDER_PORT } from './addresses.ts'
import type { ChainSpec, PublishedSet } from './chain-spec.ts'
import { consoleFacts } from './console.ts'
import { readCounters } from './counters.ts'
import { type Facts, judge } from './evidence.ts'
import type { Guest } from './guest.ts'
import { servedBytes } from './provider-status.ts'
import type { Generation } from './result.ts'
import { discoveryMarks, secondsOf } from './seconds.ts'
import { servedSetDifferences } from './served-set.ts'
import { type NetworkKind, type NetworkPlan, reaches } from './topology.ts'
import type { Ready } from './wait-ready.ts'

/** A provider that may be booted from. */
export interface LiveProvider {
  readonly participant: Participant
  readonly generation: number
  /** Peer ids: its own, its provider's, … up to the origin's, as the harness knows them. */
  readonly ancestry: readonly string[]
  /** Whether it gives boot receipts: a foreign plasmd does not. */
  readonly receipts: boolean
  stop(): Promise<void>
}

export interface ProofContext {
  readonly spec: ChainSpec
  readonly published: PublishedSet
  readonly plan: NetworkPlan
  readonly providers: readonly LiveProvider[]
  /** {@link servedByEach} of those providers, before the machine was started. */
  readonly servedBefore: ReadonlyMap<string, number | null>
  readonly signal: AbortSignal
}

/** What each provider says it has served so far. */
export async function servedByEach(providers: readonly LiveProvider[]): Promise<ReadonlyMap<string, number | null>> {
  const entries = providers.map(async ({ participant }) => {
    return [participant.name, await servedBytes(participant.address)] as const
  })
  return new Map(await Promise.all(entries))
}

/**
 * Gathers the evidence of a machine's boot and judges it.
 * @throws PlasmError `evidence-missing` (facts: `machine`, `pieces`)
 */
export async function proveGeneration(guest: Guest, ready: Ready, context: ProofContext): Promise<Generation> {
  const { name, address } = guest.place
  const facts = await gather(guest, ready, context)
  const { evidence, missing } = judge(facts)
  if (missing.length > 0) {
    throw new PlasmError(
      'evidence-missing',
      `${name}: ${missing.map(({ piece, found }) => `${piece}: ${found}`).join('; ')}`,
      {
        facts: { machine: name, step: 'evidence', pieces: missing.map(({ piece }) => piece) },
        hint: `compare ${guest.machine.consoleLog} and reports.jsonl beside it`,
      },
    )
  }
  const { record, memory } = ready.event
  const { banners, kexecAt } = facts.console
  return {
    machine: name,
    generation: record.generation,
    address,
    runId: guest.runId,
    provider: { ...facts.provider!, url: record.provider.url },
    discoveredBy: record.provider.discoveredBy,
    manifestDigest: record.set.manifestDigest,
    handover: record.handover,
    ...reportedSystem(ready.event),
    signed: record.set.signedBy.length > 0,
    peerId: facts.lineage.peerId,
    provenBy: record.provider.provenBy,
    seconds: secondsOf({
      qemuStarted: guest.machine.startedAt,
      firstBanner: banners[0]!,
      kexecLine: kexecAt!,
      secondBanner: banners[1]!,
      ready: ready.at,
      discovery: discoveryMarks(fetchStageOf(guest)),
    }),
    memory: {
      totalMiB: memory.totalMiB,
      lowestAvailableMiB: Math.min(memory.lowestAvailableMiB, ...lowestAtKexec(guest)),
    },
    evidence,
  }
}

/** The fetch stage's lowest point is while kexec loads, after the boot record is written: only its own report tells it. */
function lowestAtKexec(guest: Guest): readonly number[] {
  return guest.events.flatMap(({ event }) => (event.type === 'kexec' ? [event.lowestAvailableMiB] : []))
}

/** What it reported before kexec: each kernel has a boot id of its own. */
function fetchStageOf({ events }: Guest): Guest['events'] {
  const started = events.find(({ event }) => event.type === 'stage-started' && event.stage === 'fetch')
  return events.filter(({ bootId }) => bootId === started?.bootId)
}

async function gather(guest: Guest, ready: Ready, context: ProofContext): Promise<Facts> {
  const { spec, published, plan, providers } = context
  const { record, release, lineage } = ready.event
  // Counters first: what the harness downloads itself below must not be among them.
  const received = await readCounters(guest.place, plan)
  const servedAfter = await servedByEach(providers)
  const provider = providers.find(({ participant }) => participantUrl(participant) === record.provider.url)
  const differences = await servedSetDifferences(participantUrl(guest.place), published, context.signal)
  const fetched = guest.events.filter(({ event }) => 'stage' in event && event.stage === 'fetch')
  const console = consoleFacts(guest.machine.lines)
  return {
    console,
    resets: guest.machine.resets(),
    runId: guest.runId,
    nonce: spec.nonce,
    rootfs: spec.rootfs,
    published,
    claim: {
      record,
      release,
      serveBootId: ready.bootId,
      rootfs: reportedSystem(ready.event).rootfs,
      fetchBootIds: [...new Set(fetched.map(({ bootId }) => bootId))],
    },
    provider: provider && { machine: provider.participant.name, generation: provider.generation },
    allowedProviders: allowedProviders(spec, guest.place, providers),
    asked: { network: plan.network, discovery: plan.discovery },
    isNearOrigin: reaches(plan.network, guest.place.name, ORIGIN.name),
    received,
    network: received.network,
    providerSaysServed: provider ? rise(context.servedBefore, servedAfter, provider.participant.name) : null,
    servedSetDifferences: differences,
    lineage: {
      envelopes: lineage,
      peerId: guest.peerId(),
      ancestry: provider?.ancestry ?? [],
      receipts: provider?.receipts ?? true,
      bootNonce: console.bootNonce,
      manifestDigest: published.manifestDigest,
    },
  }
}

/** Those that a machine's network lets it talk to. */
export function inReach(
  network: NetworkKind,
  { name }: GuestPlace,
  providers: readonly LiveProvider[],
): readonly LiveProvider[] {
  return providers.filter(({ participant }) => reaches(network, name, participant.name))
}

/** Of those in reach; where booted machines serve, the origin is to be spared (DESIGN: peers spare the origin). */
export function allowedProviders(
  { network, providers: left }: Pick<ChainSpec, 'network' | 'providers'>,
  place: GuestPlace,
  providers: readonly LiveProvider[],
): readonly string[] {
  const near = inReach(network, place, providers)
  const booted = near.filter(({ generation }) => generation > 0)
  const eligible = left === 'last' || booted.length === 0 ? near : booted
  return eligible.map(({ participant }) => participant.name)
}

function rise(
  before: ReadonlyMap<string, number | null>,
  after: ReadonlyMap<string, number | null>,
  name: string,
): number | null {
  const [from, to] = [before.get(name) ?? null, after.get(name) ?? null]
  return from === null || to === null ? null : to - from
}

const participantUrl = ({ address }: Participant) => `http://${address}:${PROVIDER_PORT}`
