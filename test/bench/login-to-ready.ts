import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { execa } from 'execa'

/**
 * What this project's units cost the start of a Debian: seconds from the second kernel's banner to the login prompt and to ready,
 * against the login prompt of the same rootfs whose units are masked. Both boot in turn, so the ratio holds on a machine whose
 * speed drifts.
 *
 *     ./setup.sh test/bench/login-to-ready.ts [--rounds 3]
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const WITHIN_MS = 10 * 60_000
const MASKED = ['plasm-agent', 'plasmd'].map((unit) => `systemd.mask=${unit}.service`).join(' ')
const BANNER = /\] Linux version /
/** What getty prints right before its prompt, which ends in no line. */
const LOGIN = /^Debian GNU\/Linux .* tty\w+$/
const READY = /plasm: ready /

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } })

interface Seconds {
  readonly login: number
  readonly ready: number | null
}

const ours: Seconds[] = []
const bare: Seconds[] = []
for (let round = 1; round <= Number(values.rounds); round += 1) {
  ours.push(await boot('', true))
  bare.push(await boot(MASKED, false))
  console.error(`round ${round}: ours ${JSON.stringify(ours.at(-1))}, without our units ${JSON.stringify(bare.at(-1))}`)
}
const without = median(bare.map(({ login }) => login))
const login = median(ours.map(({ login }) => login))
const both = median(ours.map(({ login, ready }) => Math.max(login, ready!)))
console.log(`second kernel to login, median seconds: ours ${login.toFixed(1)}, without our units ${without.toFixed(1)}`)
console.log(`  to login, ratio ${(login / without).toFixed(2)}`)
console.log(`  to login and ready (${both.toFixed(1)} s), ratio ${(both / without).toFixed(2)}`)

/** Boots one machine, and stops it once it is there. */
async function boot(parameters: string, untilReady: boolean): Promise<Seconds> {
  const words = ['host-harness/cli.ts', 'boot', '--rootfs', 'debian', '--no-shell', '--parameters', parameters]
  const machine = execa(process.execPath, words, { cwd: ROOT, stdin: 'ignore', reject: false, timeout: WITHIN_MS })
  let text = ''
  let scanned = 0
  const banners: number[] = []
  let login: number | undefined
  let ready: number | undefined
  const done = new Promise<void>((seen) => {
    machine.stdout.on('data', (data) => {
      text += String(data).replaceAll('\r', '')
      const now = performance.now()
      for (const line of text.slice(scanned).split('\n')) {
        if (BANNER.test(line)) banners.push(now)
        if (banners.length >= 2 && LOGIN.test(line)) login ??= now
        if (READY.test(line)) ready ??= now
      }
      scanned = text.lastIndexOf('\n') + 1
      if (login !== undefined && (ready !== undefined || !untilReady)) seen()
    })
    void machine.then(() => seen())
  })
  await done
  machine.kill('SIGINT')
  await machine
  if (login === undefined || (untilReady && ready === undefined)) {
    throw new Error(`the machine did not come up:\n${text.slice(-3000)}`)
  }
  const from = banners[1]!
  return { login: (login - from) / 1000, ready: ready === undefined ? null : (ready - from) / 1000 }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
