import { statfs } from 'node:fs/promises'
import { clockBeforeImage } from '../service/clock.ts'
import { asPlasmError, EXIT } from '../service/errors.ts'
import { hasGivenAddress, ownAddresses } from '../service/own-addresses.ts'
import { readTrustPolicy, type TrustPolicy } from '../service/trust-policy.ts'
import { type AgentConfig, type ConfigSources, readConfig } from './config.ts'
import { dhtFindings } from './doctor-dht.ts'
import { type DiskFacts, diskFacts, diskFinding } from './doctor-disk.ts'
import { type Finding, findingLines } from './doctor-view.ts'
import { portTaken, probePlasmd } from './plasmd-probe.ts'
import { readFacts } from './preflight.ts'
import { isPlasmMachine } from './status.ts'
import { isInMemory } from './store-filesystem.ts'

/** Where the next boot builds its initrd (init/init mounts it). */
const SCRATCH_PARENT = '/run'
const MIB = 1024 * 1024
/** Below this the agent and plasmd have no room to work: together they take about 100 MiB when busy. */
const LITTLE_MEMORY_MIB = 64
const PROBE_TIMEOUT_MS = 2000

/** The machine that is looked at: this one, or what a test puts in its place. */
export interface DoctorSetting {
  readonly sources?: ConfigSources
  readonly trustFile?: string
  readonly kexecLoadDisabledFile?: string
  readonly addresses?: () => ReadonlySet<string>
  readonly disk?: DiskFacts
  /** Whether this is a machine that Phase Boot booted: a host lacks what only such a machine needs. */
  readonly isMachine?: boolean
  /** Milliseconds since 1970. */
  readonly now?: number
}

/**
 * `plasm-agent doctor`: looks at everything that booting and serving rest on, changes nothing, and prints what it found.
 * @returns 0 nothing is wrong, 1 something is
 */
export async function doctor(json: boolean, setting: DoctorSetting = {}): Promise<number> {
  const findings = await examine(setting)
  const ok = findings.every(({ verdict }) => verdict !== 'wrong')
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
  process.stdout.write(
    json ? `${JSON.stringify({ ok, findings })}\n` : `${findingLines(findings, colour).join('\n')}\n`,
  )
  return ok ? EXIT.ok : EXIT.failed
}

const HOST: Finding = {
  check: 'machine',
  verdict: 'doubtful',
  found:
    "this is no machine that Phase Boot booted; trust policy, kexec, data disk and store are such a machine's, and not looked at",
  next: 'inside one of the harness: npm run harness -- exec vm1 -- plasm-agent doctor',
}

/** Each check by itself: one that fails keeps none of the others from being made. */
export async function examine(given: DoctorSetting = {}): Promise<readonly Finding[]> {
  const setting = { isMachine: isPlasmMachine(), ...given }
  const { isMachine } = setting
  const before = isMachine ? [] : [HOST]
  const config = await readConfig(setting.sources).catch(asPlasmError)
  if (config instanceof Error) {
    return [...before, wrong('configuration', config), ...(await machineFindings(setting))]
  }
  return [
    ...before,
    {
      check: 'configuration',
      verdict: 'fine',
      found: `${config.mode} mode, channel ${config.channel}, ${config.arch}`,
    },
    ...(await machineFindings(setting)),
    ...(await dhtFindings(config)),
    ...(isMachine ? [disk(setting, config), await store(config).catch((thrown) => wrong('store', thrown))] : []),
    await port(config, isMachine),
  ]
}

async function machineFindings(setting: DoctorSetting): Promise<readonly Finding[]> {
  const { isMachine = true, now = Date.now() } = setting
  return [
    ...(isMachine ? await trustAndClock(setting) : [clock({ builtAt: null }, now)]),
    network(setting),
    ...(await memoryAndKexec(setting).catch((thrown) => [wrong('memory', thrown)])),
  ]
}

async function trustAndClock({ trustFile, now = Date.now() }: DoctorSetting): Promise<readonly Finding[]> {
  try {
    const { allowUnsigned, keys, threshold, builtAt } = await readTrustPolicy(trustFile)
    const trust: Finding = allowUnsigned
      ? {
          check: 'trust',
          verdict: 'doubtful',
          found: 'this image takes boot sets that nobody signed',
          next: 'for anything but tests, build it with `allow_unsigned = false` (docs/trust.md)',
        }
      : { check: 'trust', verdict: 'fine', found: `${threshold} of ${keys.length} keys must have signed a boot set` }
    return [trust, clock({ builtAt }, now)]
  } catch (thrown) {
    // What the error offers to a person on a host does not help a machine: its policy is in its image.
    const untrusting = {
      ...wrong('trust', thrown),
      next: 'build the image with a policy: plasm-images build --trust DIR (docs/trust.md)',
    }
    return [untrusting, clock({ builtAt: null }, now)]
  }
}

function clock(image: Pick<TrustPolicy, 'builtAt'>, now: number): Finding {
  const problem = clockBeforeImage(image, now)
  if (problem === undefined) return { check: 'clock', verdict: 'fine', found: new Date(now).toISOString() }
  return {
    check: 'clock',
    verdict: 'wrong',
    found: problem,
    next: 'set it, for example `date -u -s "YYYY-MM-DD hh:mm"`; until then the time of the image counts',
  }
}

function network({ addresses = ownAddresses }: DoctorSetting): Finding {
  const own = [...addresses()]
  if (hasGivenAddress(addresses())) return { check: 'network', verdict: 'fine', found: own.join(', ') }
  // Such a machine reaches its neighbours, and they it, where plasmd is ours.
  const found = own.length > 0 ? `only IPv6 link-local: ${own.join(', ')}` : 'no address beside loopback'
  return {
    check: 'network',
    verdict: own.length > 0 ? 'doubtful' : 'wrong',
    found,
    next: 'look whether the interface is up (`ip link`) and a DHCP server answers (docs/network.md)',
  }
}

async function memoryAndKexec({ kexecLoadDisabledFile, isMachine }: DoctorSetting): Promise<readonly Finding[]> {
  const facts = await readFacts(SCRATCH_PARENT, '', 0, kexecLoadDisabledFile)
  const { totalMiB, availableMiB } = facts.memory
  const room = `${availableMiB} of ${totalMiB} MiB available`
  const memory: Finding =
    availableMiB >= LITTLE_MEMORY_MIB
      ? { check: 'memory', verdict: 'fine', found: room }
      : { check: 'memory', verdict: 'wrong', found: room, next: 'end other programs, or give the machine more memory' }
  return isMachine ? [memory, kexec(facts.kexecProgram, facts.kexecLoadDisabled)] : [memory]
}

function kexec(program: string | null, disabled: boolean): Finding {
  if (program === null) {
    return { check: 'kexec', verdict: 'wrong', found: 'no program kexec in PATH', next: 'install kexec-tools' }
  }
  if (!disabled) return { check: 'kexec', verdict: 'fine', found: `allowed, by ${program}` }
  return {
    check: 'kexec',
    verdict: 'wrong',
    found: 'this kernel refuses it: kernel.kexec_load_disabled is not 0, or it was built without kexec',
    next: 'it cannot be undone while the kernel runs: boot from a medium whose kernel allows it',
  }
}

function disk(setting: DoctorSetting, { noWrite, mode }: AgentConfig): Finding {
  try {
    return diskFinding(setting.disk ?? diskFacts(noWrite || mode === 'private'))
  } catch (thrown) {
    return wrong('disk', thrown)
  }
}

async function store({ storeRoot }: AgentConfig): Promise<Finding> {
  const found = await statfs(storeRoot).catch((thrown: NodeJS.ErrnoException) => thrown)
  if (found instanceof Error) {
    return {
      check: 'store',
      verdict: 'wrong',
      found: `${storeRoot} cannot be looked at (${found.code})`,
      next: 'an image of this project has that directory; on another machine, make it, root-owned, or set store_root',
    }
  }
  const { bavail, bsize } = found
  const room = `${storeRoot}, ${Math.floor((bavail * bsize) / MIB)} MiB free`
  if (!(await isInMemory(storeRoot))) return { check: 'store', verdict: 'fine', found: `${room} on a disk` }
  return { check: 'store', verdict: 'fine', found: `${room} in memory: it is gone when the machine is switched off` }
}

async function port({ port, mode }: AgentConfig, isMachine: boolean): Promise<Finding> {
  const check = `port ${port}`
  const probe = { timeout: PROBE_TIMEOUT_MS, counters: true }
  const { answered, requests } = await probePlasmd(`http://127.0.0.1:${port}`, null, probe)
  // Whatever else answers there has no such counter.
  if (answered && requests !== null)
    return { check, verdict: 'fine', found: `plasmd answers, ${requests} requests so far` }
  if (answered || (await portTaken(port))) {
    return {
      check,
      verdict: 'wrong',
      found:
        'what listens there does not answer as plasmd: it is busy (while it is read back) or hangs, or is another program',
      next: 'look again in a minute; if it lasts see `plasm-agent status`; end that program, or set port in /etc/plasm/agent.toml',
    }
  }
  if (mode === 'private') return { check, verdict: 'fine', found: 'nothing is served in private mode' }
  if (!isMachine) return { check, verdict: 'fine', found: 'free: `plasmd serve --artifacts DIR` can take it' }
  return {
    check,
    verdict: 'doubtful',
    found: 'nobody listens there',
    next: 'in the fetch stage that is right; in the serve stage, ask `plasm-agent status`',
  }
}

function wrong(check: string, thrown: unknown): Finding {
  const { code, message, hint } = asPlasmError(thrown)
  return { check, verdict: 'wrong', found: `${message} [${code}]`, ...(hint === undefined ? {} : { next: hint }) }
}
