import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentEvent } from '../../agent/events.ts'
import { HANDOVER } from '../../agent/handover-layout.ts'
import { makeRecord } from '../../agent/make-record.ts'
import type { Status } from '../../agent/status-file.ts'
import { SUPERVISION_LIMITS, type SupervisionLimits } from '../../agent/supervise.ts'
import { verify } from '../../agent/verify.ts'
import { hostArch } from '../../service/arch.ts'
import { artifactsOf } from '../../service/manifest.ts'
import { storePaths } from '../../service/store-layout.ts'
import type { TestSet } from './boot-set.ts'
import { DISK_DIR } from './disk-dir.ts'
import { makeFakeKernel } from './fake-kernel.ts'
import type { ServeProgram } from './serve-program.ts'
import { TRUSTING } from './trust.ts'

const REPO = resolve(import.meta.dirname, '../..')
const OUR_PLASMD = [process.execPath, join(REPO, 'service/plasmd.ts')] as const
const WITHIN_MS = 20_000

/** A machine in the serve stage, as far as a directory and a process can be one. */
export interface ServeMachine {
  readonly directory: string
  readonly store: string
  readonly inbox: string
  readonly port: number
  readonly url: string
  /** Of the DHT node, in mode internet. */
  readonly dhtPort: number
  readonly runDirectory: string
  /** Lays a set into the handover directory, as the kernel unpacks it. */
  handOver(set: TestSet): Promise<void>
  start(changes?: {
    supervision?: Partial<SupervisionLimits>
    recheckEvery?: number
    rereadEvery?: number
    updateEvery?: number
    /** Advertise on the link that is there, and browse it, instead of staying on loopback. */
    onLink?: boolean
    /** Of the kernel that it seems to run in. */
    bootId?: string
    uptimeMs?: number
    trialMs?: number
    /** Whether the machine's directory is a data disk. */
    disk?: boolean
    /** Instead of ours. */
    plasmd?: readonly [string, ...string[]]
    /** Program and arguments to run the agent by. */
    through?: readonly string[]
  }): Agent
  status(): Promise<Status>
  /** Events so far of all agents, from the log. */
  events(): Promise<readonly AgentEvent[]>
  event<T extends AgentEvent['type']>(
    type: T,
    fits?: (event: AgentEvent & { type: T }) => boolean,
  ): Promise<AgentEvent & { type: T }>
  advertisements(): Promise<readonly string[]>
  /** Ends every agent that runs and removes the directory. */
  remove(): Promise<void>
}

export interface Agent {
  readonly process: ChildProcess
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>
  stop(): Promise<number | string>
}

export async function makeServeMachine(
  given: { cmdline?: string; storeRoot?: string; trust?: string } = {},
): Promise<ServeMachine> {
  const directory = await mkdtemp(join(DISK_DIR, 'plasm-serve-'))
  const at = (name: string) => join(directory, name)
  const [port, dhtPort] = [await freePort(), await freePort()]
  const store = given.storeRoot ?? at('store')
  const inbox = at('inbox')
  const runDirectory = at('run')
  const agents = new Set<Agent>()
  await mkdir(store, { recursive: true, mode: 0o755 })
  await writeFile(at('cmdline'), `${given.cmdline ?? 'plasm.stage=serve'}\n`)
  await writeFile(at('policy.toml'), given.trust ?? 'allow_unsigned = true\n')
  await writeFile(at('release'), 'test-release\n')
  await writeFile(
    at('agent.toml'),
    `store_root = ${JSON.stringify(store)}\ninboxes = [${JSON.stringify(inbox)}]\nport = ${port}\ndht_port = ${dhtPort}\n`,
  )

  await makeFakeKernel(directory)

  const events = async () => {
    const text = await readFile(join(runDirectory, 'agent.log'), 'utf8').catch(() => '')
    return text
      .split('\n')
      .filter(Boolean)
      .flatMap((line) => (JSON.parse(line) as { event?: AgentEvent }).event ?? [])
  }
  return {
    directory,
    store,
    inbox,
    port,
    dhtPort,
    url: `http://127.0.0.1:${port}`,
    runDirectory,
    async handOver(set) {
      const { handover } = storePaths(store)
      await mkdir(handover, { recursive: true })
      const raw = {
        bytes: set.envelope ?? set.manifest,
        from: 'test',
        form: set.envelope ? 'signed' : 'plain',
      } as const
      const verified = verify(raw, TRUSTING, { channel: 'stable', arch: hostArch() })
      for (const { role, filename } of artifactsOf(verified.manifest)) {
        await writeFile(join(handover, role), set.files[filename]!, { mode: 0o600 })
      }
      await writeFile(join(handover, HANDOVER.record), JSON.stringify(recordOf(verified)), { mode: 0o600 })
      await writeFile(join(handover, verified.file), raw.bytes)
    },
    start({
      supervision,
      recheckEvery = 30_000,
      rereadEvery = 3600_000,
      updateEvery = 3600_000,
      plasmd = OUR_PLASMD,
      through = [],
      onLink = false,
      bootId = 'this-boot',
      uptimeMs = 10_000,
      trialMs = 60_000,
      disk = false,
    } = {}) {
      const program: ServeProgram = {
        setting: {
          sources: {
            cmdlineFile: at('cmdline'),
            tomlFile: at('agent.toml'),
            netDir: at('net'),
            machineIdFile: at('machine-id'),
          },
          trustFile: at('policy.toml'),
          runDirectory,
          releaseFile: at('release'),
          rootfsFile: at('rootfs'),
          stateDirectory: at('state'),
          plasmd,
          serviceManager: 'agent',
          supervision: { ...SUPERVISION_LIMITS, ...supervision },
          recheckEvery,
          rereadEvery,
          updateEvery,
        },
        kernel: { directory, bootId, uptimeMs, trialMs, disk },
        advertisements: onLink ? null : at('advertisements'),
      }
      const agent = startAgent(program, through)
      agents.add(agent)
      return agent
    },
    status: async () => JSON.parse(await readFile(join(runDirectory, 'status.json'), 'utf8')) as Status,
    events,
    async event(type, fits = () => true) {
      type Wanted = AgentEvent & { type: typeof type }
      return until(`event ${type}`, async () =>
        (await events()).find((event): event is Wanted => event.type === type && fits(event as Wanted)),
      )
    },
    async advertisements() {
      const text = await readFile(at('advertisements'), 'utf8').catch(() => '')
      return text.split('\n').filter(Boolean)
    },
    async remove() {
      for (const agent of agents) await agent.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function startAgent(program: ServeProgram, through: readonly string[]): Agent {
  const words = [...through, process.execPath, join(REPO, 'test/support/serve-program.ts'), JSON.stringify(program)]
  const stderr = process.env.PLASM_TEST_VERBOSE ? 'inherit' : 'ignore'
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'ignore', stderr] })
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  return {
    process: child,
    ended,
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}

function recordOf(verified: ReturnType<typeof verify>) {
  const candidate = { url: 'http://192.0.2.1:8080', source: 'mdns', name: 'plasm-origin', generation: 1 } as const
  return makeRecord(candidate as Parameters<typeof makeRecord>[0], verified, {
    runId: null,
    machine: 'plasm',
    peerId: null,
    handover: 'carry',
    budget: { totalMiB: 512, availableMiB: 430, needMiB: 180, rootfsFreeMiB: 200, initrdMiB: 60, kernelMiB: 8 },
    lowestAvailableMiB: 1,
    fetchBootId: 'before',
    bootNonce: 'nonce',
    candidates: [],
    timings: [],
  })
}

/** Looks until there is something to return; what is waited for is named when it does not come. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  within = WITHIN_MS,
): Promise<T> {
  for (const deadline = performance.now() + within; performance.now() < deadline; await sleep(25)) {
    const found = await look().catch(() => undefined)
    if (found !== undefined && found !== false) return found
  }
  throw new Error(`waited ${within} ms for ${what}`)
}

/** What another program does that fetches a set: the manifest comes last. */
export async function putIntoInbox({ inbox }: ServeMachine, set: TestSet): Promise<void> {
  await mkdir(inbox, { recursive: true, mode: 0o700 })
  for (const [name, bytes] of Object.entries(set.files)) await writeFile(join(inbox, name), bytes)
  await writeFile(join(inbox, 'manifest.json'), set.manifest)
  if (set.envelope) await writeFile(join(inbox, 'manifest.dsse.json'), set.envelope)
}

/** A zombie whose new parent does not reap it lives no more. */
export async function lives(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
  return stat !== undefined && !stat.includes(') Z ')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
