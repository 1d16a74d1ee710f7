import type { NetworkEvidence } from './counters.ts'
import type { ChainResult, Generation } from './result.ts'
import type { Seconds } from './seconds.ts'

const MACHINES_ABREAST = 5

type Row = readonly [label: string, cell: (generation: Generation) => string]

const yes = (holds: boolean) => (holds ? 'yes' : 'NO')
const count = (bytes: number) => bytes.toLocaleString('en-US')

/** One number of the machine's network evidence and another. */
const counted =
  (first: 'multicastHeard' | 'mdnsCrossed' | 'originBytes', second: keyof NetworkEvidence) =>
  ({ evidence: { network } }: Generation) =>
    `${count(network[first])} / ${count(network[second])}`

const discovery = ({ discovery: all, looking }: Seconds) =>
  all === null || looking === null ? 'not told' : `${all.toFixed(1)}, ${looking.toFixed(1)} of it looking`

const ROWS: readonly Row[] = [
  ['', ({ machine }) => machine],
  ['address', ({ address }) => address],
  ['generation', ({ generation }) => String(generation)],
  ['booted from', ({ provider }) => `${provider.machine} (${new URL(provider.url).host})`],
  ['found by', ({ discoveredBy }) => discoveredBy],
  ['bytes from it', ({ evidence }) => count(evidence.bytesFromProvider)],
  ['artifact bytes from others', ({ evidence }) => count(evidence.bytesFromOthers)],
  ['asking others, bytes', ({ evidence }) => count(evidence.probeBytes)],
  ['DHT, bytes', ({ evidence }) => count(evidence.network.dhtBytes)],
  ['multicast sent / passed on', counted('multicastHeard', 'multicastCrossed')],
  ['mDNS passed / dropped', counted('mdnsCrossed', 'mdnsDropped')],
  ['origin: bytes / dropped frames', counted('originBytes', 'originDropped')],
  ['kernel banners / resets', ({ evidence }) => `${evidence.kernelBanners} / ${evidence.resets}`],
  ['boot id changed', ({ evidence }) => yes(evidence.bootIdChanged)],
  ["this run's nonce", ({ evidence }) => yes(evidence.nonceInServeStage)],
  ['serves the same set', ({ evidence }) => yes(evidence.servesSameSet)],
  ['signed set', ({ signed }) => (signed ? 'yes' : 'no')],
  ['peer id', ({ peerId }) => (peerId === null ? 'none' : `…${peerId.slice(-8)}`)],
  ['receipt from its provider', ({ provenBy }) => (provenBy === 'receipt' ? 'yes' : 'none given')],
  ['system', ({ rootfs }) => (rootfs === 'none' ? 'none (initramfs)' : rootfs)],
  ['plasmd kept running by', ({ serviceManager }) => serviceManager],
  ['crossed kexec by', ({ handover }) => handover],
  ['seconds to ready', ({ seconds }) => seconds.total.toFixed(1)],
  ['  firmware and kernel load', ({ seconds }) => seconds.firmware.toFixed(1)],
  ['  fetch stage', ({ seconds }) => seconds.fetchStage.toFixed(1)],
  ['    network up to provider', ({ seconds }) => discovery(seconds)],
  ['  kexec', ({ seconds }) => seconds.kexec.toFixed(1)],
  ['  serve stage', ({ seconds }) => seconds.serveStage.toFixed(1)],
  ['lowest free memory', ({ memory }) => `${memory.lowestAvailableMiB} of ${memory.totalMiB} MiB`],
]

/** The proof for people: a column for each machine, then the verdict. */
export function proofView(result: ChainResult): string {
  const tables: string[] = []
  for (let first = 0; first < result.generations.length; first += MACHINES_ABREAST) {
    tables.push(table(result.generations.slice(first, first + MACHINES_ABREAST)))
  }
  return [...tables, verdict(result)].join('\n\n')
}

function table(generations: readonly Generation[]): string {
  const cells = ROWS.map(([label, cell]) => [label, ...generations.map(cell)])
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function verdict({ ok, error, generations, arch, accel, plasmd, setBytes, ...asked }: ChainResult): string {
  if (ok) {
    const machines = `${generations.length} ${generations.length === 1 ? 'machine' : 'machines'}`
    const booted = generations.map(({ machine, provider }) => `${machine} from ${provider.machine}`).join(', ')
    const foreign = plasmd === 'foreign' ? ', a foreign plasmd' : ''
    const network = `network ${asked.network}, discovery ${asked.discovery}`
    return `proven: ${booted} (${machines}, ${arch}, ${accel}${foreign}, ${network}, a set of ${count(setBytes)} bytes)`
  }
  const where = error!.machine ? `${error!.machine}, ${error!.step}` : error!.step
  return [`failed (${where}): ${error!.message} [${error!.code}]`, ...(error!.hint ? [`  ${error!.hint}`] : [])].join(
    '\n',
  )
}
