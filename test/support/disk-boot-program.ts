import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StepName } from '../../agent/events.ts'
import { chooseAccelerator } from '../../host-harness/accelerator.ts'
import { guestPlace, HARNESS_ADDRESS, PROVIDER_PORT } from '../../host-harness/addresses.ts'
import type { ChainSpec } from '../../host-harness/chain-spec.ts'
import { type Guest, startGuest } from '../../host-harness/guest.ts'
import { createNetwork } from '../../host-harness/network.ts'
import { startOrigin } from '../../host-harness/origin.ts'
import { openReportServer } from '../../host-harness/report-server.ts'
import { servedSetDifferences } from '../../host-harness/served-set.ts'
import { lanOf } from '../../host-harness/topology.ts'
import { readyWithinSeconds, waitUntilReady } from '../../host-harness/wait-ready.ts'
import { hostArch } from '../../service/arch.ts'
import { ENVELOPE_FILE, MANIFEST_PAYLOAD_TYPE, parseEnvelope } from '../../service/dsse.ts'
import { parsePayload, sha256Of } from '../../service/manifest.ts'
import type { DiskBoot } from './disk-boot.ts'

/**
 * usage: disk-boot-program.ts JSON, as root of fresh namespaces. Boots a machine of an earlier run from its disk, with or without
 * an origin beside it, until it serves or says that it will not. Prints one JSON object as its last line; QEMU is killed, as by a
 * power cut.
 */
export interface DiskBootRequest {
  readonly directory: string
  readonly images: string
  readonly disk: string
  /** Which machine it was: 2 is vm2. */
  readonly number: number
  /** `<dir>/<channel>/<arch>/` of what an origin beside it serves; absent: no provider is in reach. */
  readonly published?: string | undefined
  readonly parameters: readonly string[]
  /** Cuts the power while this step of the fetch stage runs. */
  readonly cutAt?: StepName | undefined
}

const NOTHING: DiskBoot = {
  ...{ record: null, peerId: null, lineage: 0, servedDigest: null, differences: [] },
  ...{ mounts: '', status: '', doctor: '', console: '' },
}

const request = JSON.parse(process.argv[2]!) as DiskBootRequest
console.log(JSON.stringify(await bootDisk()))
process.exit(0)

async function bootDisk(): Promise<DiskBoot> {
  const { directory: runDir, images, disk, parameters } = request
  const arch = hostArch()
  const mediaDir = join(images, 'stable', arch)
  const place = guestPlace(request.number)
  const spec: ChainSpec = {
    ...{ generations: 1, arch, memoryMiB: 512, rootfs: 'none', providers: 'all', unsigned: false, keep: false },
    ...{ network: 'lan', discovery: 'mdns' },
    ...{ channel: 'stable', runDir, mediaDir, publishedDir: request.published ?? images, nonce: '' },
  }
  const { accel } = await chooseAccelerator(arch, join(mediaDir, 'kernel'), runDir)
  await using network = await createNetwork(lanOf([place]), runDir)
  await using reportServer = await openReportServer(HARNESS_ADDRESS, runDir)
  if (request.published !== undefined) await startOrigin(network.inOrigin, spec)
  const guest = await startGuest(place, { spec, accel, reportServer, emit: () => {}, parameters, disk })
  await using _ = guest.machine
  const seconds = readyWithinSeconds(accel, arch)
  if (request.cutAt !== undefined) return { ...NOTHING, console: await untilAt(guest, request.cutAt, seconds) }
  if (parameters.includes('phase.mode=private')) return await untilPrivate(guest, seconds)
  const { event } = await waitUntilReady(guest.machine, guest.events, seconds, new AbortController().signal)
  const base = `http://${place.address}:${PROVIDER_PORT}`
  const document = Buffer.from(await (await fetch(`${base}/stable/${arch}/${ENVELOPE_FILE}`)).arrayBuffer())
  const { payload } = parseEnvelope(document, MANIFEST_PAYLOAD_TYPE)
  const served = {
    manifest: parsePayload(payload),
    manifestDigest: sha256Of(payload),
    document: { file: ENVELOPE_FILE, hash: sha256Of(document) },
    ...{ manifestBytes: document.length, setBytes: 0 },
  }
  const run = async (...words: string[]) => (await guest.machine.exec(words)).stdout.toString()
  return {
    record: event.record,
    lineage: event.lineage.length,
    peerId: guest.peerId(),
    servedDigest: served.manifestDigest,
    differences: await servedSetDifferences(base, served, AbortSignal.timeout(120_000)),
    mounts: await run('cat', '/proc/mounts'),
    status: await run('plasm-agent', 'status'),
    doctor: await run('plasm-agent', 'doctor'),
    console: consoleOf(guest),
  }
}

/** Half of the artifacts are there when the step is `fetch`. @returns the console */
async function untilAt(guest: Guest, step: StepName, seconds: number): Promise<string> {
  for (const deadline = performance.now() + seconds * 1000; performance.now() < deadline; await sleep(5)) {
    const there = guest.events.some(({ event }) =>
      step === 'fetch'
        ? event.type === 'progress' && event.bytes > event.totalBytes / 2
        : event.type === 'step-started' && event.step === step,
    )
    if (there) return consoleOf(guest)
  }
  throw new Error(`it did not come to ${step}:\n${consoleOf(guest)}`)
}

async function untilPrivate(guest: Guest, seconds: number): Promise<DiskBoot> {
  for (const deadline = performance.now() + seconds * 1000; performance.now() < deadline; await sleep(100)) {
    // It tells nobody who it is, so its reports of the serve stage are another peer's, and refused.
    const isPrivate = guest.machine.lines.some(({ text }) => text.includes('private: this machine serves nothing'))
    if (!isPrivate) continue
    const mounts = (await guest.machine.exec(['cat', '/proc/mounts'])).stdout.toString()
    return { ...NOTHING, mounts, console: consoleOf(guest) }
  }
  throw new Error(`it did not become private:\n${consoleOf(guest)}`)
}

function consoleOf({ machine }: Guest): string {
  return machine.lines.map(({ text }) => text).join('\n')
}
