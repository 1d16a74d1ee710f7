import type { BootRecord } from '../agent/boot-record.ts'
import type { ConsoleFacts } from './console.ts'
import type { NetworkEvidence, ReceivedBytes } from './counters.ts'
import { type LineageFacts, lineageProblem } from './lineage-evidence.ts'
import { type Check, type MissingPiece, networkChecks } from './network-evidence.ts'
import type { Evidence } from './result.ts'
import type { Discovery, NetworkKind } from './topology.ts'

/** Everything gathered about one machine's boot. */
export interface Facts {
  readonly console: ConsoleFacts
  readonly resets: number
  readonly runId: string
  readonly nonce: string
  /** Flavour of the published set's rootfs, or `none`. */
  readonly rootfs: string
  readonly published: { readonly manifestDigest: string; readonly manifestBytes: number; readonly setBytes: number }
  /** From its verified reports. */
  readonly claim: {
    readonly record: BootRecord
    readonly release: string | null
    readonly serveBootId: string
    /** What its agent says it runs from. */
    readonly rootfs: string
    /** Boot ids of the reports of its fetch stage. */
    readonly fetchBootIds: readonly string[]
  }
  /** Who the claimed provider's URL belongs to; undefined for nobody on this network. */
  readonly provider: { readonly machine: string; readonly generation: number } | undefined
  /** Who it may have booted from. */
  readonly allowedProviders: readonly string[]
  readonly asked: { readonly network: NetworkKind; readonly discovery: Discovery }
  /** Whether its network lets it talk to the origin. */
  readonly isNearOrigin: boolean
  readonly received: ReceivedBytes
  readonly network: NetworkEvidence
  /** What the provider's own HTTP counter rose by during the boot; null when it keeps none. */
  readonly providerSaysServed: number | null
  readonly servedSetDifferences: readonly string[]
  readonly lineage: LineageFacts
}

/** Asking a provider for its manifest a few times (a race, a retry), each with headers and acknowledgements: no chunk fits in it. */
const PROBE_REQUESTS = 8
const PROBE_OVERHEAD_BYTES = 2048

export function probeBudget(manifestBytes: number): number {
  return PROBE_REQUESTS * (manifestBytes + PROBE_OVERHEAD_BYTES)
}

/** DESIGN decision 12: proof is a difference seen from outside, not a claim. */
export function judge(facts: Facts): { readonly evidence: Evidence; readonly missing: readonly MissingPiece[] } {
  const { record } = facts.claim
  const bytes = countBytes(facts)
  const serve = facts.console.stages.find(({ stage, banners }) => stage === 'serve' && banners === 2)
  const fetch = facts.console.stages.find(({ stage, banners }) => stage === 'fetch' && banners === 1)
  const evidence: Evidence = {
    kernelBanners: facts.console.banners.length,
    resets: facts.resets,
    nonceInServeStage: serve?.release === facts.nonce && facts.claim.release?.trim() === facts.nonce,
    rootfs: facts.console.rootfs ?? 'none',
    ...bytes,
    servesSameSet: facts.servedSetDifferences.length === 0,
    bootIdChanged:
      record.fetchBootId !== facts.claim.serveBootId &&
      facts.claim.fetchBootIds.length === 1 &&
      facts.claim.fetchBootIds[0] === record.fetchBootId,
    network: facts.network,
  }
  const { machine, generation } = facts.provider ?? { machine: `nobody at ${record.provider.url}`, generation: -1 }
  const says = facts.providerSaysServed
  const lineage = lineageProblem(facts.lineage)
  const { peerId, ancestry, receipts, bootNonce } = facts.lineage
  const [provenBy, providerPeerId] = receipts ? ['receipt', ancestry[0]] : [null, null]
  const checks: readonly Check[] = [
    ['kernelBanners', evidence.kernelBanners === 2, `${evidence.kernelBanners} kernel banners on the console, not 2`],
    ['commandLines', facts.console.commandLines === 2, `${facts.console.commandLines} kernel command lines, not 2`],
    ['resets', facts.resets === 0, `${facts.resets} resets on QMP`],
    ['kexecLine', facts.console.kexecAt !== null, 'the agent did not say on the console that it kexecs'],
    [
      'bootMedia',
      fetch !== undefined && fetch.release !== facts.nonce,
      fetch ? 'the boot media hold the nonce' : 'no fetch stage on the console after the first banner',
    ],
    [
      'nonceInServeStage',
      evidence.nonceInServeStage,
      `after the second banner the console says release ${serve?.release ?? 'none'}, the report ${facts.claim.release ?? 'none'}`,
    ],
    [
      'rootfs',
      evidence.rootfs === facts.rootfs && facts.claim.rootfs === facts.rootfs,
      `after the second banner the console says rootfs ${evidence.rootfs}, the report ${facts.claim.rootfs}; published was ${facts.rootfs}`,
    ],
    ['runId', record.runId === facts.runId, `the boot record is of run ${record.runId}`],
    [
      'provider',
      facts.allowedProviders.includes(machine),
      `booted from ${machine}, not from ${facts.allowedProviders.join(' or ')}`,
    ],
    [
      'generation',
      record.generation === generation + 1,
      `generation ${record.generation} from a provider of generation ${generation}`,
    ],
    ...networkChecks(facts, record.provider.discoveredBy),
    [
      'manifestDigest',
      record.set.manifestDigest === facts.published.manifestDigest,
      `booted set ${record.set.manifestDigest}, published was ${facts.published.manifestDigest}`,
    ],
    [
      'bytesFromProvider',
      bytes.bytesFromProvider >= facts.published.setBytes,
      `${bytes.bytesFromProvider} bytes from ${machine}, the set has ${facts.published.setBytes}`,
    ],
    ['bytesFromOthers', bytes.bytesFromOthers === 0, `${bytes.bytesFromOthers} artifact bytes from others`],
    [
      'httpCounters',
      says === null || says >= facts.published.setBytes,
      `${machine} says it served ${says} bytes, the set has ${facts.published.setBytes}`,
    ],
    [
      'receipt',
      record.provider.provenBy === provenBy &&
        record.provider.peerId === providerPeerId &&
        record.peerId === peerId &&
        record.bootNonce === bootNonce,
      `the boot record of ${record.peerId} says provider ${record.provider.peerId ?? 'unproven'}, nonce ${record.bootNonce}; the machines are ${peerId} and ${providerPeerId ?? 'one without receipts'}, the nonce is ${bootNonce}`,
    ],
    ['lineage', lineage === undefined, lineage ?? ''],
    ['servesSameSet', evidence.servesSameSet, facts.servedSetDifferences.join('; ')],
    [
      'bootIdChanged',
      evidence.bootIdChanged,
      `fetch stage's boot id ${facts.claim.fetchBootIds.join(', ') || 'unreported'} (record: ${record.fetchBootId}), serve stage's ${facts.claim.serveBootId}`,
    ],
  ]
  return { evidence, missing: checks.flatMap(([piece, holds, found]) => (holds ? [] : [{ piece, found }])) }
}

/** What came from others counts as probing up to a budget for each of them, and as artifact bytes above. */
function countBytes({ received, provider, published }: Facts) {
  const budget = probeBudget(published.manifestBytes)
  const others = received.pairs.filter((pair) => pair.provider !== provider?.machine)
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
  return {
    bytesFromProvider: received.pairs.find((pair) => pair.provider === provider?.machine)?.bytes ?? 0,
    bytesFromOthers: sum(others.map(({ bytes }) => Math.max(0, bytes - budget))) + received.strayBytes,
    probeBytes: sum(others.map(({ bytes }) => Math.min(bytes, budget))),
  }
}
