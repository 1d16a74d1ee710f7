import { chain } from './chain.ts'
import type { ChainSpec, Emit } from './chain-spec.ts'

/**
 * The part of the harness that runs as PID 1 of the run's own namespaces: when it ends, for whatever reason, the kernel ends
 * everything in them. Standard input is a lifeline: its end means that the run is to be given up. Standard output carries
 * ChainEvents as JSON lines.
 */
const CLEANUP_WITHIN_MS = 20_000

const lifeline = new AbortController()
process.stdin.on('data', () => {})
for (const end of ['end', 'error', 'close'] as const) process.stdin.once(end, () => lifeline.abort())
lifeline.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), CLEANUP_WITHIN_MS).unref())
// The one outside gets these and closes the lifeline; PID 1 has no default action to rely on.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => lifeline.abort())
process.stdout.on('error', () => lifeline.abort())

const emit: Emit = (event) => void process.stdout.write(`${JSON.stringify(event)}\n`)
await chain(JSON.parse(process.argv[2]!) as ChainSpec, emit, lifeline.signal)
process.stdout.write('', () => process.exit(0))
