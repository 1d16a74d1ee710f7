import { printable } from './log-lines.ts'

/** What one check of `plasm-agent doctor` found. `doubtful`: it may be what somebody wants. */
export interface Finding {
  readonly check: string
  readonly verdict: 'fine' | 'doubtful' | 'wrong'
  readonly found: string
  /** What to do about it; absent where nothing is to be done. */
  readonly next?: string
}

const COLOURS = { fine: '\x1b[32m', doubtful: '\x1b[33m', wrong: '\x1b[31m' } as const
const RESET = '\x1b[0m'
const VERDICT_WIDTH = 10

/** A line for each check, another for what to do, and the sum of it all. */
export function findingLines(findings: readonly Finding[], colour: boolean): readonly string[] {
  const width = Math.max(...findings.map(({ check }) => check.length)) + 2
  const lines = findings.flatMap(({ check, verdict, found, next }) => {
    const word = verdict.padEnd(VERDICT_WIDTH)
    const painted = colour ? `${COLOURS[verdict]}${word}${RESET}` : word
    const line = `${painted}${check.padEnd(width)}${printable(found)}`
    return next === undefined ? [line] : [line, `${' '.repeat(VERDICT_WIDTH + width)}${printable(next)}`]
  })
  return [...lines, sumOf(findings)]
}

function sumOf(findings: readonly Finding[]): string {
  const those = (one: Finding['verdict']) => findings.filter(({ verdict }) => verdict === one).map(({ check }) => check)
  const [wrong, doubtful] = [those('wrong'), those('doubtful')]
  const sum = wrong.length === 0 ? 'nothing is wrong' : `wrong: ${wrong.join(', ')}`
  return doubtful.length === 0 ? sum : `${sum}; doubtful: ${doubtful.join(', ')}`
}
