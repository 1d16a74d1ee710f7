import { readFile } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import * as v from 'valibot'
import { type Arch, hostArch } from '../service/arch.ts'
import { bootstrapPeers, DHT_PORT, MAX_BOOTSTRAP_PEERS, parseBootstrapPeer } from '../service/dht/bootstrap-peer.ts'
import { PlasmError } from '../service/errors.ts'
import { CHANNEL } from '../service/manifest.ts'
import { STORE_ROOT } from '../service/store-layout.ts'
import { readToml } from '../service/toml-file.ts'
import type { Stage } from './events.ts'
import { BOOT_PARAMETER, STAGE_PARAMETER } from './handover-layout.ts'
import { parseCommandLine } from './kernel-command-line.ts'
import { machineName } from './machine-name.ts'
import { httpUrlProblem, providerUrl, reportUrl } from './provider-url.ts'

/** INTEROP: kernel command line. Absent is `local`; anything else is refused, never taken for a wider one. */
export type PhaseMode = 'internet' | 'local' | 'private'

export type Apply = (typeof APPLY)[number]

/** Everything the agent was told, from flags, kernel command line, /etc/plasm/agent.toml and defaults, in that order. */
export interface AgentConfig {
  readonly mode: PhaseMode
  readonly channel: string
  readonly arch: Arch
  /** `phase.provider=`: base URLs, may be several, comma-separated. */
  readonly providers: readonly string[]
  /** `phase.bootstrap=`: by whom the DHT is joined (service/dht/bootstrap-peer.ts), comma-separated. In use in mode internet alone. */
  readonly bootstrap: readonly string[]
  /** TCP port of this machine's DHT node. */
  readonly dhtPort: number
  readonly stage: Stage
  /** `plasm.run=`, a UUID from the harness. */
  readonly runId: string | null
  /** `plasm.token=`: HMAC key of the reports. */
  readonly token: string | null
  /** `plasm.report=` URL. */
  readonly reportUrl: string | null
  /** `plasm.boot=`: set by the fetch stage for the kernel it kexecs. */
  readonly bootNonce: string | null
  /** From the machine id or the MAC, the same in both stages; also the host name. */
  readonly machine: string
  readonly storeRoot: string
  /** What all kept sets may take before those that are neither served nor were served before are removed. */
  readonly storeMaxBytes: number
  /** Directories where other programs leave what they fetched (DESIGN decision 8). */
  readonly inboxes: readonly string[]
  readonly port: number
  /** `phase.cache=`: whether a machine that finds no provider boots the newest set of its own data disk. */
  readonly cache: boolean
  /** What becomes of a newer set: it is served, or booted, too. */
  readonly apply: Apply
  /** `phase.nowrite=`: no disk is touched; init mounts none then. */
  readonly noWrite: boolean
}

/** Where the configuration is read from; tests name their own files. */
export interface ConfigSources {
  readonly cmdlineFile?: string
  readonly tomlFile?: string
  readonly netDir?: string
  readonly machineIdFile?: string
}

/** The default of `plasmd serve` (INTEROP). */
const DEFAULT_PORT = 8080
const MODES = ['internet', 'local', 'private'] as const
const STAGES = ['fetch', 'serve'] as const
const APPLY = ['serve', 'kexec'] as const

/** Checked as the parameters are that say the same, so that the error names file and key, and not a parameter nobody gave. */
const provider = v.pipe(
  v.string(),
  v.check(
    (text) => httpUrlProblem(text) === undefined,
    ({ input }) => `"${input}" ${httpUrlProblem(input)}; write "http://host:8080"`,
  ),
)
const bootstrapPeer = v.pipe(
  v.string(),
  v.trim(),
  v.check(
    (text) => text === '' || parseBootstrapPeer(text) !== undefined,
    ({ input }) => `"${input}" is no bootstrap peer; write "/ip4/192.0.2.1/tcp/${DHT_PORT}" or "192.0.2.1:${DHT_PORT}"`,
  ),
)
const tomlSchema = v.pipe(
  v.strictObject({
    mode: v.optional(v.picklist(MODES)),
    channel: v.optional(
      v.pipe(
        v.string(),
        v.regex(CHANNEL, ({ input }) => `"${input}" is not a channel name`),
      ),
    ),
    providers: v.optional(v.array(provider)),
    bootstrap: v.optional(v.pipe(v.array(bootstrapPeer), v.maxLength(MAX_BOOTSTRAP_PEERS))),
    dht_port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535))),
    store_root: v.optional(
      v.pipe(
        v.string(),
        v.check(isAbsolute, ({ input }) => `"${input}" is no absolute path; write "${STORE_ROOT}" or another one`),
      ),
    ),
    store_max_bytes: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
    inboxes: v.optional(v.array(v.string())),
    port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535))),
    apply: v.optional(v.picklist(APPLY)),
    cache: v.optional(v.boolean()),
    no_write: v.optional(v.boolean()),
  }),
  v.forward(
    v.check(
      ({ port = DEFAULT_PORT, dht_port = DHT_PORT }) => port !== dht_port,
      ({ input }) => `${input.dht_port ?? DHT_PORT} is the port of HTTP, too (port); give one of them another`,
    ),
    ['dht_port'],
  ),
)

/**
 * Reads the configuration: kernel command line before /etc/plasm/agent.toml before defaults (DESIGN: wire decisions). Trust
 * is not among it: see service/trust-policy.ts.
 * @throws PlasmError `config-invalid` (facts: `parameter`, or `file` and `field`)
 */
export async function readConfig(sources: ConfigSources = {}): Promise<AgentConfig> {
  const parameters = parseCommandLine(await readFile(sources.cmdlineFile ?? '/proc/cmdline', 'utf8'))
  const toml = await readToml(sources.tomlFile ?? '/etc/plasm/agent.toml', tomlSchema)
  const given = (parameter: string) => parameters.get(parameter) || null
  const report = given('plasm.report')
  const bootstrap = given('phase.bootstrap')?.split(',') ?? toml?.bootstrap ?? []
  const providers = given('phase.provider')?.split(',') ?? toml?.providers ?? []
  return {
    mode: oneOf('phase.mode', MODES, parameters.get('phase.mode') ?? toml?.mode ?? 'local'),
    channel: channelName('phase.channel', parameters.get('phase.channel') ?? toml?.channel ?? 'stable'),
    arch: hostArch(),
    providers: providers.map((url) => providerUrl('phase.provider', url)),
    bootstrap: bootstrapPeers('phase.bootstrap', bootstrap),
    dhtPort: toml?.dht_port ?? DHT_PORT,
    stage: oneOf(STAGE_PARAMETER, STAGES, given(STAGE_PARAMETER) ?? 'fetch'),
    runId: given('plasm.run'),
    token: given('plasm.token'),
    reportUrl: report === null ? null : reportUrl('plasm.report', report),
    bootNonce: given(BOOT_PARAMETER),
    machine: await machineName(sources),
    storeRoot: toml?.store_root ?? STORE_ROOT,
    storeMaxBytes: toml?.store_max_bytes ?? 0,
    inboxes: toml?.inboxes ?? ['/tmp/boot', '/tmp/phase-boot'],
    port: toml?.port ?? DEFAULT_PORT,
    apply: toml?.apply ?? 'serve',
    cache: yesOrNo('phase.cache', parameters.get('phase.cache')) ?? toml?.cache ?? true,
    noWrite: yesOrNo('phase.nowrite', parameters.get('phase.nowrite')) ?? toml?.no_write ?? false,
  }
}

function oneOf<const T extends string>(parameter: string, allowed: readonly T[], value: string): T {
  const found = allowed.find((one) => one === value)
  if (found) return found
  throw new PlasmError('config-invalid', `${parameter}=${value} is not one of ${allowed.join(', ')}`, {
    facts: { parameter, value },
    hint: `set ${parameter} on the kernel command line to one of ${allowed.join(', ')}`,
  })
}

/** @param value undefined where the parameter is absent; the bare name of one means yes */
function yesOrNo(parameter: string, value: string | undefined): boolean | undefined {
  return value === undefined ? undefined : oneOf(parameter, ['true', 'false'], value || 'true') === 'true'
}

function channelName(parameter: string, value: string): string {
  if (CHANNEL.test(value)) return value
  throw new PlasmError('config-invalid', `${parameter}=${value} is not a channel name`, {
    facts: { parameter, value },
    hint: 'a channel is lower-case letters, digits, dots, dashes and underscores, such as stable',
  })
}
