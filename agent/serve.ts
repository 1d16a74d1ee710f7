import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { clockProblem } from '../service/clock.ts'
import { asPlasmError, EXIT, PlasmError } from '../service/errors.ts'
import { buildInfo } from '../service/version.ts'
import { adopt } from './adopt.ts'
import { advertiseInDht, type DhtService } from './advertise-dht.ts'
import { advertiseSet } from './advertise-step.ts'
import { SERVE_STEPS } from './events.ts'
import { readSeen } from './freshness-file.ts'
import { createLateSink } from './late-sink.ts'
import { createLog } from './log.ts'
import { logDirectory } from './log-directory.ts'
import { mend } from './mend.ts'
import { runningTransfers } from './plasmd-probe.ts'
import { plasmdService, servesIpv6 } from './plasmd-service.ts'
import { prove } from './prove.ts'
import { plasmdAnswers } from './provider-step.ts'
import { readinessNotifier } from './readiness-notify.ts'
import { announce } from './ready-step.ts'
import { readRecord, recordFor, writeProviderFile } from './record-file.ts'
import { removeOldSets } from './retention.ts'
import { openServer, type Server } from './serve-server.ts'
import { configure, type ServeSetting, stopSignal, type Told, thisMachine } from './serve-setting.ts'
import { openSources, type Sources, waitForChange, watchUntilLost } from './serve-watch.ts'
import type { Served } from './served.ts'
import type { ServiceOwner } from './service-owner.ts'
import { createStepRunner } from './steps.ts'
import { watchTrial } from './trial-watch.ts'

const PAUSE_FIRST_MS = 1000
const PAUSE_LAST_MS = 30_000
const REPORTS_AT_END_MS = 1000
const OVERDUE_STEP_MS = 20_000

/** What serve-stage.ts had begun before this was loaded. */
export interface Begun {
  readonly told?: Promise<Told>
  readonly plasmd?: ServiceOwner | undefined
}

/**
 * The serve stage: serves what this machine was booted from until SIGTERM or SIGINT. Whatever fails is reported and tried
 * again; only a wrong configuration and another agent end it.
 * @returns an exit code
 */
export async function serve(given: Partial<ServeSetting> = {}, begun: Begun = {}): Promise<number> {
  const setting = { ...thisMachine(), ...given }
  const asked = stopSignal()
  const log = createLog('plasm-agent', { file: join(logDirectory(setting.runDirectory), 'agent.log') })
  const late = createLateSink()
  const run = createStepRunner('serve', [log.sink, late.sink, readinessNotifier()])
  const { version, commit } = buildInfo()
  run.emit({ type: 'stage-started', stage: 'serve', version, commit })
  const begin = async () => {
    const told = await (begun.told ?? configure(setting))
    return { told, trial: await watchTrial(setting, told.config) }
  }
  const configured = await run.step('config', begin).catch(asPlasmError)
  if (configured instanceof PlasmError) return configured.code === 'already-running' ? EXIT.failed : EXIT.badConfig

  const { told, trial } = configured
  const plasmd = begun.plasmd ?? plasmdService(setting, told)
  const stop = AbortSignal.any([asked, trial.overdue])
  const server = openServer(setting, told, plasmd, run, log, stop, trial)
  late.attach(server.sink)
  try {
    const served = told.config.mode === 'private' ? stayPrivate(server) : serveUntilStopped(server)
    await Promise.race([served, endOfPatience(trial.overdue)])
    if (!asked.aborted) await leaveTrial(server)
  } finally {
    trial.stop()
    server.notReady(asked.aborted ? 'the agent was asked to stop' : 'this machine starts anew')
    await server.close(REPORTS_AT_END_MS)
    await told.lock.release()
  }
  return asked.aborted ? EXIT.ok : EXIT.failed
}

/** A step that hangs must not keep a set that failed from being left. */
async function endOfPatience(overdue: AbortSignal): Promise<void> {
  if (!overdue.aborted) await once(overdue, 'abort')
  await sleep(OVERDUE_STEP_MS, undefined, { ref: false })
}

/** The set that this kernel was started for has not become ready in time. */
async function leaveTrial(server: Server): Promise<void> {
  const trial = server.trial.pending()
  if (!trial) return
  server.notReady(`${trial.digest} was not ready in time; going back to ${trial.previous}`)
  const { fallBack } = await import('./roll-on.ts')
  await fallBack(server, trial)
}

/** `phase.mode=private`: nothing is adopted, served or told to others (INTEROP: kernel command line). */
async function stayPrivate({ run, stop, notReady }: Server): Promise<void> {
  for (const step of SERVE_STEPS.slice(1)) run.skip(step, 'phase.mode=private')
  notReady('private: this machine serves nothing (phase.mode=private)')
  if (!stop.aborted) await once(stop, 'abort')
}

async function serveUntilStopped(server: Server): Promise<void> {
  const { stop, notReady } = server
  let opened: Promise<Sources> | undefined
  // Opened when it is first needed, which is after ready: watching is not on the way there.
  const sources = () => (opened ??= openSources(server))
  try {
    for (let pause = PAUSE_FIRST_MS; !stop.aborted; ) {
      try {
        notReady(await untilLost(server, sources))
        await (await sources()).updates.bootNext()
        pause = PAUSE_FIRST_MS
      } catch (thrown) {
        if (stop.aborted) return
        const error = asPlasmError(thrown)
        notReady(`${error.message} [${error.code}]`)
        const mending = await mend(server, error)
        // A set that is lost again at once comes from a device that loses all: not fetched without end.
        if (mending !== 'mended' || pause > PAUSE_FIRST_MS)
          await waitForChange(server, (await sources()).inbox, { error, mending, pause })
        pause = Math.min(pause * 2, PAUSE_LAST_MS)
      }
    }
  } finally {
    await (await opened)?.inbox.stop()
  }
}

/** Once through SERVE_STEPS. @returns why this machine is no longer ready */
async function untilLost(server: Server, sources: () => Promise<Sources>): Promise<string> {
  const { run, told, owner, stop, status } = server
  const { storeRoot, storeMaxBytes, port, mode } = told.config
  const dhtPort = mode === 'internet' ? { dhtPort: told.config.dhtPort } : {}
  const served = await run.step('adopt', () => adoptServed(server))
  await run.step('provider', () => plasmdAnswers(owner, { port, foreign: told.foreignPlasmd, stop }))
  await run.step('self-check', () => prove(server, served))
  const advertised = await run.step('advertise', () =>
    advertiseSet(server.setting, served, { port, ipv6: servesIpv6(told), ...dhtPort }, stop),
  )
  let dht: { stop(): Promise<void> } | undefined
  try {
    status.advertising(true)
    await run.step('ready', () => announce(server, served.record, advertised.address))
    await server.trial.ready(served.set)
    // After ready, since libp2p takes long to load in a small guest, and mDNS has told the link by then.
    dht = mode === 'internet' ? advertiseInDht(dhtService(server, served, advertised.address)) : undefined
    // Old sets that cannot be removed are no reason not to serve the one that is proven.
    await removeOldSets(storeRoot, storeMaxBytes).catch((thrown) =>
      server.log.say(`old sets stay: ${asPlasmError(thrown).message}`),
    )
    return await run.step('watch', async () => {
      const { inbox, updates } = await sources()
      // Whatever comes next, the store is for it alone.
      return watchUntilLost(server, { inbox, updates }, served, advertised.address).finally(updates.pause)
    })
  } finally {
    status.advertising(false)
    await Promise.all([advertised.stop(), dht?.stop()])
  }
}

function dhtService({ told, log }: Server, served: Served, address: string): DhtService {
  const { config, identity } = told
  const said = (facts: Readonly<Record<string, unknown>>, message: string) => log.say(message, facts)
  return {
    config,
    key: identity.key,
    served,
    address,
    bind: servesIpv6(told) ? '::' : '0.0.0.0',
    load: async () => (await runningTransfers(`http://127.0.0.1:${config.port}`)) ?? null,
    log: { info: said, warn: said },
  }
}

async function adoptServed({ told, bootId, status, setting, log }: Server): Promise<Served> {
  const { config, policy, identity } = told
  const { storeRoot } = config
  const set = await adopt(storeRoot, policy, config, { seen: await readSeen(setting.stateDirectory) })
  const wrongClock = clockProblem(set.verified.manifest, policy, Date.now())
  if (wrongClock) log.say(`${wrongClock}; set it`)
  const by = { ...config, peerId: identity.peerId, bootId, directory: storeRoot }
  const record = recordFor(set, await readRecord(storeRoot), by)
  await writeProviderFile(storeRoot, record)
  status.serving({ set, record })
  return { set, record }
}
