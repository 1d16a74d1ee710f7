import { EXIT, PlasmError } from '../service/errors.ts'
import { STORE_ROOT } from '../service/store-layout.ts'
import type { BootRecord, CandidateVerdict } from './boot-record.ts'
import { type LastLook, readLastLook } from './last-look.ts'
import { printable } from './log-lines.ts'
import { readRecord } from './record-file.ts'
import { RUN_DIRECTORY } from './state-directory.ts'

export interface WhyPlaces {
  readonly storeRoot?: string
  readonly runDirectory?: string
}

/** What this machine decided last, and by what. */
export type Why =
  | ({ readonly chose: BootRecord['provider'] } & Pick<BootRecord, 'candidates' | 'set'>)
  | ({ readonly chose: null } & LastLook)

/**
 * `plasm-agent why`: the last choice of a provider, candidate by candidate; in the fetch stage the last attempt that failed.
 * @returns an exit code @throws PlasmError `no-choice`
 */
export async function why(json: boolean, places: WhyPlaces = {}): Promise<number> {
  const found = await lastChoice(places)
  if (!found) {
    throw new PlasmError('no-choice', 'this machine has not chosen a provider yet, or was not booted by plasm-agent', {
      hint: 'just after kexec ask again once the agent has adopted its set (plasm-agent status); who is there: plasm-agent discover; of a machine of the harness: npm run harness -- exec vm1 -- plasm-agent why',
    })
  }
  console.log(json ? JSON.stringify(found) : whyLines(found).join('\n'))
  return EXIT.ok
}

async function lastChoice({ storeRoot = STORE_ROOT, runDirectory = RUN_DIRECTORY }: WhyPlaces) {
  // The fetch stage's last attempt is newer than the record on a data disk, which is of an earlier boot.
  const look = await readLastLook(runDirectory)
  if (look) return { chose: null, ...look } satisfies Why
  const record = await readRecord(storeRoot)
  if (!record) return undefined
  const { provider, candidates, set } = record
  return { chose: provider, candidates, set } satisfies Why
}

export function whyLines(found: Why): readonly string[] {
  const lines = [...found.candidates].sort(byVerdict).flatMap(linesOf)
  if (found.chose === null) {
    const none = found.candidates.length === 0 ? ['nobody was found'] : lines
    return [`booted from nobody yet: ${printable(found.failed)}, at ${found.at}`, ...none]
  }
  const { url, name, discoveredBy, provenBy } = found.chose
  const { sequence, manifestDigest } = found.set
  return [
    printable(
      `booted from ${url} (${name ?? 'unnamed'}), found by ${discoveredBy}${provenBy ? ', proven by its receipt' : ''}`,
    ),
    `    sequence ${sequence}, ${manifestDigest}`,
    ...lines,
  ]
}

const KINDS = ['chosen', 'ranked', 'found', 'rejected'] as const
const kindOf = ({ verdict }: CandidateVerdict) => KINDS.findIndex((kind) => verdict.startsWith(kind))
const byVerdict = (a: CandidateVerdict, b: CandidateVerdict) =>
  kindOf(a) - kindOf(b) || a.verdict.localeCompare(b.verdict, 'en', { numeric: true })

function linesOf({ url, source, name, generation, verdict }: CandidateVerdict): readonly string[] {
  const says =
    generation === null ? '' : generation === 0 ? ', says it is an origin' : `, says generation ${generation}`
  return [printable(`${url}  ${name ?? 'unnamed'}  by ${source}${says}`), `    ${printable(verdict)}`]
}
