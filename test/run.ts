import { glob } from 'node:fs/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

/**
 * `npm test`: types and lint, then the tests, cheap ones first, machines one at a time. Arguments pick phases or files:
 *
 *     npm test                      everything
 *     npm test -- unit integration  those phases
 *     npm test -- test/vm/chain.test.ts
 *
 * `--full` (npm run faults) runs the sweeps of kills and power cuts whole, of which npm test takes a sample.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const MINUTE = 60_000
/** How many times as long a full sweep may take. */
const FULL_TAKES = 10

interface Phase {
  readonly name: string
  readonly files: string
  /** Unit tests share one process, which is eight times faster; the others get one each. */
  readonly isolation: 'none' | 'process'
  readonly concurrency: number
  readonly timeout: number
}

const PHASES: readonly Phase[] = [
  { name: 'unit', files: 'test/unit/**/*.test.ts', isolation: 'none', concurrency: 1, timeout: MINUTE },
  {
    name: 'integration',
    files: 'test/integration/**/*.test.ts',
    isolation: 'process',
    concurrency: 2,
    timeout: 3 * MINUTE,
  },
  { name: 'faults', files: 'test/faults/**/*.test.ts', isolation: 'process', concurrency: 2, timeout: 3 * MINUTE },
  { name: 'vm', files: 'test/vm/**/*.test.ts', isolation: 'process', concurrency: 1, timeout: 20 * MINUTE },
]

interface Count {
  passed: number
  failed: number
  skipped: number
}

const isFull = process.argv.includes('--full')
const asked = process.argv.slice(2).filter((word) => word !== '--full')
if (isFull) process.env.PLASM_FULL_SWEEP = '1'
const count: Count = { passed: 0, failed: 0, skipped: 0 }
if (asked.length === 0) await check()
for (const phase of PHASES) {
  const files = (await Array.fromAsync(glob(phase.files, { cwd: ROOT }))).map((file) => `${ROOT}${file}`).sort()
  const wanted =
    asked.length === 0 || asked.includes(phase.name)
      ? files
      : files.filter((file) => asked.some((part) => part.endsWith('.ts') && file.endsWith(part)))
  if (wanted.length === 0) continue
  console.log(`\n# ${phase.name}: ${wanted.length} files`)
  await runPhase(phase, wanted)
}
console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
process.exit(count.failed === 0 && count.passed > 0 ? 0 : 1)

/** Types, formatting and lint; a failure ends the run. */
async function check(): Promise<void> {
  for (const [program, args] of [
    ['tsc', ['-p', '.']],
    ['biome', ['ci', '.']],
  ] as const) {
    console.log(`# ${program}`)
    const ran = await execa(program, args, {
      cwd: ROOT,
      preferLocal: true,
      localDir: ROOT,
      stdio: 'inherit',
      reject: false,
    })
    if (ran.failed) process.exit(1)
  }
}

async function runPhase(phase: Phase, files: readonly string[]): Promise<void> {
  const { isolation, concurrency } = phase
  const timeout = phase.timeout * (isFull ? FULL_TAKES : 1)
  const stream = run({ files, isolation, timeout, ...(isolation === 'process' ? { concurrency } : {}) })
  // A file is an event too when it has a process of its own; count tests, not files and suites.
  const isTest = (data: { details: { type?: string | undefined } }) => data.details.type !== 'suite'
  stream.on('test:pass', (data) => {
    if (!isTest(data)) return
    if (data.skip || data.todo) count.skipped += 1
    else count.passed += 1
  })
  stream.on('test:fail', (data) => {
    if (isTest(data) || data.nesting === 0) count.failed += 1
  })
  await new Promise<void>((resolve, reject) => {
    stream.compose(spec).on('end', resolve).on('error', reject).pipe(process.stdout, { end: false })
  })
}
