import type { FoundProvider } from './browse.ts'
import { EXIT } from './errors.ts'
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

/** `plasmd provider list`: what one provider has, or who is out there. */
export async function listCommand({ addr, json }: ProviderOptions): Promise<number> {
  if (addr === undefined) return listLink(json)
  const status = (await providerStatus(addr)) as StatusAnswer
  if (json) print(JSON.stringify(status.sets ?? []))
  else printSets(status)
  return EXIT.ok
}

async function listLink(json: boolean): Promise<number> {
  const { browse } = await import('./browse.ts')
  const found = await browse()
  if (json) print(JSON.stringify(found))
  else if (found.length === 0) print('no provider answers on this link')
  else for (const provider of found) print(foundLine(provider))
  return found.length > 0 ? EXIT.ok : EXIT.unavailable
}

function foundLine(provider: FoundProvider): string {
  const { url, name, channel, arch, version, reach, sequence, generation, load, source } = provider
  const claims = `sequence ${sequence ?? '?'}, generation ${generation ?? '?'}, load ${load ?? '?'}`
  return `${url}  ${name}  ${channel}/${arch}  ${version ?? '?'}  ${claims}  by ${source}${reach ? `  reached by ${reach}` : ''}`
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
