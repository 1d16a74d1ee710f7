import { PlasmError } from '../service/errors.ts'
import { chooseAccelerator } from './accelerator.ts'
import { guestPlace, HARNESS_ADDRESS, ORIGIN, type Participant } from './addresses.ts'
import { type ChainSpec, type Emit, readPublishedSet } from './chain-spec.ts'
import { openControl } from './control-server.ts'
import { makeDiskImage } from './disk-image.ts'
import { inReach, type LiveProvider, proveGeneration, servedByEach } from './generation.ts'
import { type Guest, startGuest } from './guest.ts'
import type { Machine } from './machine.ts'
import { createNetwork } from './network.ts'
import { startOrigin } from './origin.ts'
import { openReportServer } from './report-server.ts'
import { type ChainResult, chainError, type Generation, type PlasmdKind } from './result.ts'
import type { NetworkPlan } from './topology.ts'
import { readyWithinSeconds, waitUntilReady } from './wait-ready.ts'

/** Over a whole chain, what asking providers for their manifests may cost, bytes. */
const PROBE_LIMIT_BYTES = 1024 * 1024
const TAIL_LINES = 20

/** Somebody else on the run's network, for tests: a rogue, whom nobody may boot from. */
export interface Bystander {
  readonly participant: Participant
  /**
   * Starts it once the network is there.
   * @param inside words that go before a command to run it where it is
   * @returns what ends it
   */
  start(inside: readonly string[]): Promise<() => Promise<unknown>>
}

/**
 * Boots a chain of machines, each from one before it, and proves it. What it found is told as the event `result`, failures
 * too; then, when asked to keep the machines, it waits to be aborted. Runs inside the run's own namespaces.
 */
export async function chain(
  spec: ChainSpec,
  emit: Emit,
  signal: AbortSignal,
  bystanders: readonly Bystander[] = [],
): Promise<void> {
  await using started = new AsyncDisposableStack()
  const over = new AbortController()
  const generations: Generation[] = []
  const plasmd: PlasmdKind = spec.plasmd === undefined ? 'own' : 'foreign'
  const { arch, rootfs, network: kind, discovery } = spec
  let about: Pick<ChainResult, 'arch' | 'accel' | 'setBytes' | 'plasmd' | 'rootfs' | 'network' | 'discovery'> = {
    arch,
    accel: null,
    setBytes: 0,
    plasmd,
    rootfs,
    network: kind,
    discovery,
  }
  const serviceManager = () => generations.at(-1)?.serviceManager ?? null
  let current: Guest | undefined
  try {
    const published = await readPublishedSet(spec)
    const chosen = await chooseAccelerator(spec.arch, `${spec.mediaDir}/kernel`, spec.runDir)
    about = { ...about, accel: chosen.accel, setBytes: published.setBytes }
    emit({ type: 'say', text: `accelerator ${chosen.accel}: ${chosen.because}` })
    const plan: NetworkPlan = {
      network: kind,
      discovery,
      guests: Array.from({ length: spec.generations }, (_, index) => guestPlace(index + 1, kind === 'routed')),
      bystanders: bystanders.map(({ participant }) => participant),
    }
    const network = started.use(await createNetwork(plan, spec.runDir))
    const machines = new Map<string, Machine>()
    started.use(await openControl(spec.runDir, machines, over.signal))
    const reportServer = started.use(await openReportServer(HARNESS_ADDRESS, spec.runDir))
    const origin = await startOrigin(network.inOrigin, spec)
    started.defer(origin.stop)
    for (const { participant, start } of bystanders) {
      const stop = await start(network.inBystander.get(participant.name)!)
      started.defer(async () => void (await stop()))
    }

    let providers: readonly LiveProvider[] = [
      { participant: ORIGIN, generation: 0, ancestry: [origin.peerId], receipts: true, stop: origin.stop },
    ]
    for (const place of plan.guests) {
      signal.throwIfAborted()
      const servedBefore = await servedByEach(providers)
      const guest = await startGuest(place, {
        ...{ spec, accel: chosen.accel, reportServer, emit },
        neighbours: inReach(kind, place, providers).map(({ participant }) => participant),
        parameters: spec.parameters ?? [],
        disk: spec.disk === undefined ? undefined : await makeDiskImage(spec.runDir, place.name, spec.disk),
      })
      machines.set(place.name, guest.machine)
      current = guest
      started.use(guest.machine)
      const ready = await waitUntilReady(
        guest.machine,
        guest.events,
        readyWithinSeconds(chosen.accel, spec.arch),
        signal,
      )
      guest.progress.state('ready', 'ready; gathering evidence')
      const generation = await proveGeneration(guest, ready, {
        spec,
        published,
        plan,
        providers,
        servedBefore,
        signal,
      })
      generations.push(generation)
      const from = providers.find(({ participant }) => participant.name === generation.provider.machine)
      const ancestry = [generation.peerId!, ...from!.ancestry]
      guest.progress.state('proven', `booted from ${generation.provider.machine}, proven`)
      checkProbes(generations)
      if (spec.providers === 'last') {
        await Promise.all(providers.map(({ stop }) => stop()))
        providers = []
      }
      const { generation: number } = generation
      const stop = async () => guest.machine[Symbol.asyncDispose]()
      providers = [...providers, { participant: place, generation: number, ancestry, receipts: plasmd === 'own', stop }]
    }
    // What a machine without receipts was booted from is proven by all the rest; who signed for it, nobody can say.
    const lineageVerified = generations.every(({ provenBy }) => provenBy === 'receipt')
    emit({
      type: 'result',
      result: { ok: true, ...about, serviceManager: serviceManager(), lineageVerified, generations },
    })
  } catch (thrown) {
    const failure = signal.aborted ? interrupted(current) : thrown
    if (current && !signal.aborted) tellFailure(current, emit)
    emit({
      type: 'result',
      result: {
        ok: false,
        ...about,
        serviceManager: serviceManager(),
        lineageVerified: false,
        generations,
        error: chainError(failure),
      },
    })
  }
  if (spec.keep && !signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
  over.abort()
}

function interrupted(current: Guest | undefined): PlasmError {
  const machine = current ? { machine: current.place.name } : {}
  return new PlasmError('interrupted', 'interrupted', { facts: { step: 'chain', ...machine } })
}

function tellFailure({ machine, place, progress }: Guest, emit: Emit): void {
  progress.state('failed', 'failed')
  const lines = machine.lines.slice(-TAIL_LINES).map(({ text }) => text)
  emit({ type: 'console-tail', name: place.name, log: machine.consoleLog, lines })
}

function checkProbes(generations: readonly Generation[]): void {
  const probes = generations.reduce((sum, { evidence }) => sum + evidence.probeBytes, 0)
  if (probes < PROBE_LIMIT_BYTES) return
  throw new PlasmError('evidence-missing', `probing cost ${probes} bytes, under ${PROBE_LIMIT_BYTES} is allowed`, {
    facts: { step: 'evidence', pieces: ['probeBytes'] },
  })
}
