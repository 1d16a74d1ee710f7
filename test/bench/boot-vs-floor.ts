import { access } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { execa } from 'execa'

/**
 * How long a generation takes, against the least that can do the loop: a shell-only chain (`floor.sh`) that moves the same
 * bytes. Both run in turn, so the ratio holds on a machine whose speed drifts.
 *
 *     ./setup.sh test/bench/boot-vs-floor.ts --floor ../shared/bench/floor.sh [--rounds 3] [--generations 2]
 *
 * The floor's time is from QEMU's start to its provider answering; ours is from QEMU's start to ready (self-checked).
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface ChainResult {
  readonly setBytes: number
  readonly generations: ReadonlyArray<{
    readonly seconds: Readonly<Record<string, number>>
    readonly memory: { readonly lowestAvailableMiB: number }
  }>
}

const { values } = parseArgs({
  options: {
    floor: { type: 'string', default: '../shared/bench/floor.sh' },
    rounds: { type: 'string', default: '3' },
    generations: { type: 'string', default: '2' },
  },
})
await access(values.floor).catch(() => {
  console.error(`boot-vs-floor: no floor script at ${values.floor}; name one with --floor`)
  process.exit(2)
})

const ours: number[] = []
const floors = new Map<string, number[]>([
  ['padded', []],
  ['plain', []],
])
const phases = new Map<string, number[]>()

for (let round = 1; round <= Number(values.rounds); round += 1) {
  const result = await chain()
  ours.push(...result.generations.map((generation) => generation.seconds.total!))
  for (const { seconds } of result.generations) {
    for (const [phase, value] of Object.entries(seconds)) phases.set(phase, [...(phases.get(phase) ?? []), value])
  }
  const padding = Math.max(0, Math.round(result.setBytes / 1e6) - 16)
  floors.get('padded')!.push(...(await floor(padding)))
  floors.get('plain')!.push(...(await floor(0)))
  console.error(
    `round ${round}: ours ${ours.join(' ')}; floor with ${padding} MB ${floors.get('padded')!.join(' ')}; plain ${floors.get('plain')!.join(' ')}`,
  )
}

console.log(`generation, median seconds: ours ${median(ours).toFixed(1)}`)
for (const [kind, times] of floors) {
  console.log(`  floor, ${kind}: ${median(times).toFixed(1)}, ratio ${(median(ours) / median(times)).toFixed(2)}`)
}
for (const [phase, times] of phases) console.log(`  of it ${phase}: ${median(times).toFixed(1)}`)

async function chain(): Promise<ChainResult> {
  const args = ['host-harness/cli.ts', 'chain', '--generations', values.generations, '--json']
  const { stdout } = await execa(process.execPath, args, { cwd: ROOT, stderr: 'inherit' })
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as ChainResult
}

/** Seconds of each of the floor's generations. */
async function floor(padding: number): Promise<number[]> {
  const env = { PAD_MB: String(padding), GENS: values.generations }
  const { stdout } = await execa('bash', [values.floor], { env })
  return [...stdout.matchAll(/^floor gen\d+ ([\d.]+) s/gm)].map((match) => Number(match[1]))
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]]
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2
}
