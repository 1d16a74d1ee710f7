import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hostArch } from '../../service/arch.ts'
import { startProvider } from '../../service/provider.ts'
import { generateManifest, writeManifestFile } from '../../service/publish.ts'
import { storePaths } from '../../service/store-layout.ts'
import { type DhtLiar, lie } from './dht-liars.ts'
import { putSet } from './plasmd.ts'

/**
 * Providers on one machine, each with a set of its own, that only the DHT tells of, until killed; and those who lie there.
 * Arguments: a directory for the sets, which is removed by who started it; {@link DhtProvider}s and DhtLiars as JSON. Prints a line once all are there, but those that come later.
 */
export interface DhtProvider {
  readonly machine: string
  readonly generation: number
  readonly sequence: number
  readonly port: number
  readonly dhtPort: number
  readonly bootstrap: readonly string[]
  /** 32 bytes in hexadecimal: who it is. */
  readonly seed?: string
  /** `stable` where absent. */
  readonly channel?: string
  /** Before it starts. */
  readonly delayMs?: number
}

const parent = process.argv[2]!
const [providers, liars] = process.argv.slice(3).map((text) => JSON.parse(text)) as [
  readonly DhtProvider[],
  readonly DhtLiar[],
]
const log = { info: console.error, warn: console.error, error: console.error, debug() {} }

async function start({
  machine,
  generation,
  sequence,
  seed,
  channel = 'stable',
  delayMs = 0,
  ...options
}: DhtProvider): Promise<void> {
  const root = join(parent, machine)
  const dir = join(root, channel, hostArch())
  await mkdir(root)
  await putSet(dir, { kernel: 1000, initramfs: 1000 })
  const release = { channel, arch: hostArch(), version: '1.2.3', sequence }
  await writeManifestFile(dir, await generateManifest(dir, release))
  await writeFile(storePaths(root).provider, JSON.stringify({ machine, generation }))
  if (seed !== undefined) await writeFile(storePaths(root).nodeKey, Buffer.from(seed, 'hex'), { mode: 0o600 })
  await new Promise((resolve) => setTimeout(resolve, delayMs))
  await startProvider({ artifacts: root, dht: true, log, ...options })
}

const [now, later] = [providers.filter(({ delayMs }) => !delayMs), providers.filter(({ delayMs }) => delayMs)]
await Promise.all(now.map(start))
await Promise.all(liars.map(lie))
console.log('serving')
await Promise.all(later.map(start))
