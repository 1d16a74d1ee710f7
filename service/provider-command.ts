import type { Arch } from './arch.ts'
import { EXIT } from './errors.ts'
import type { AskedProvider } from './found-provider.ts'
import { printable } from './printable.ts'
import { DEFAULT_ADDRESS, providerStatus } from './provider-client.ts'

interface ProviderOptions {
  readonly addr?: string
  readonly json: boolean
}

interface StatusAnswer {
  readonly name?: string
  readonly version?: string
  readonly uptime_seconds?: number
  readonly machine?: string | null
  readonly generation?: number
  readonly peer_id?: string
  readonly lineage?: ReadonlyArray<{ provider: string; client: string }>
  readonly health?: { readonly status?: string }
  readonly metrics?: { readonly requests_total?: number; readonly bytes_served_total?: number }
  readonly sets?: ReadonlyArray<{
    channel: string
    arch: string
    version: string | null
    sequence: number | null
    manifest_digest: string | null
  }>
}

/** `plasmd provider status`. Exit 0 healthy, 1 not. */
export async function statusCommand({ addr = DEFAULT_ADDRESS, json }: ProviderOptions): Promise<number> {
  const status = (await providerStatus(addr)) as StatusAnswer
  if (json) print(JSON.stringify(status))
  else {
    print(`${addr}  ${status.health?.status ?? 'unknown'}`)
    print(`  version     ${status.version ?? '?'}, up ${status.uptime_seconds ?? '?'} s`)
    if (status.generation !== undefined)
      print(`  generation  ${status.generation}${status.machine ? ` (${status.machine})` : ''}`)
    if (status.peer_id !== undefined) print(`  peer id     ${status.peer_id}`)
    for (const { provider } of status.lineage ?? []) print(`  booted from ${provider} (a signed claim)`)
    print(
      `  served      ${status.metrics?.bytes_served_total ?? '?'} bytes in ${status.metrics?.requests_total ?? '?'} requests`,
    )
    printSets(status)
  }
  return status.health?.status === 'healthy' ? EXIT.ok : EXIT.failed
}

interface ListOptions extends ProviderOptions {
  /** Where the DHT is joined; absent: it is not asked. */
  readonly bootstrap?: readonly string[]
  readonly channel: string
  readonly arch: Arch
}

/** `plasmd provider list`: what one provider has, or who is out there. Exit 69 where nobody answers. */
export async function listCommand({ addr, json, ...where }: ListOptions): Promise<number> {
  if (addr === undefined) return listAll(json, where)
  const status = (await providerStatus(addr)) as StatusAnswer
  if (json) print(JSON.stringify(status.sets ?? []))
  else printSets(status)
  return EXIT.ok
}

const NOBODY =
  '  start one with plasmd serve, let UDP 5353 pass, or name the DHT with --bootstrap; machines of the harness have a network of their own (docs/network.md)'

async function listAll(json: boolean, { bootstrap, ...place }: Omit<ListOptions, 'addr' | 'json'>): Promise<number> {
  const { findAround } = await import('./find-around.ts')
  const { providers, notJoined } = await findAround(bootstrap && { bootstrap, ...place })
  if (json) {
    const dht = bootstrap ? { joined: notJoined === undefined, problems: notJoined ? [notJoined] : [] } : null
    print(JSON.stringify({ at: new Date().toISOString(), providers, dht }))
  } else if (providers.length === 0) {
    print(`no provider answers on this link${bootstrap ? ' or is in the DHT' : ''}`)
    console.error(NOBODY)
  } else for (const provider of providers) for (const line of foundLines(provider)) print(line)
  if (notJoined) console.error(`plasmd: ${notJoined}`)
  return providers.some(({ latencyMs }) => latencyMs !== null) ? EXIT.ok : EXIT.unavailable
}

function foundLines(provider: AskedProvider): readonly string[] {
  const { url, name, channel, arch, source, reach, latencyMs, verdict } = provider
  const { version, sequence, generation, load, peerId } = provider.claims
  const reached = reach ? `, reached by ${reach}` : ''
  const claims = `version ${version ?? '?'}, sequence ${sequence ?? '?'}, generation ${generation ?? '?'}, load ${load ?? '?'}`
  return [
    `${url}  ${name ?? 'unnamed'}  ${channel ?? '?'}/${arch ?? '?'}  by ${source}${reached}`,
    `    ${verdict}${latencyMs === null ? '' : ` in ${latencyMs} ms`}`,
    `    says: ${claims}${peerId ? `, peer ${peerId}` : ''}`,
  ].map((line) => printable(line))
}

function printSets({ sets = [] }: StatusAnswer): void {
  for (const { channel, arch, version, sequence, manifest_digest } of sets) {
    print(
      `  ${channel}/${arch}  version ${version ?? '?'}, sequence ${sequence ?? '?'}, ${manifest_digest?.slice(0, 19) ?? 'manifest made on request'}`,
    )
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
