import type { Arch } from './arch.ts'
import { ENVELOPE_FILE } from './dsse.ts'
import { EXIT, PlasmError } from './errors.ts'
import { sha256Of } from './manifest.ts'
import { generateManifest, nextSequence, placeOf, removeOldEnvelope, writeManifestFile } from './publish.ts'

const DAY_MS = 24 * 3600 * 1000

interface GenerateOptions {
  readonly channel?: string
  readonly arch?: Arch
  readonly releaseVersion: string
  readonly sequence?: number
  readonly expiresDays: number
  readonly createdAt?: Date
}

/** `plasmd manifest generate DIR`: prints the manifest digest. @throws PlasmError `place-unknown` and those of publish.ts */
export async function generateCommand(dir: string, options: GenerateOptions): Promise<number> {
  const place = placeOf(dir)
  const createdAt = options.createdAt ?? sourceDate() ?? new Date()
  const bytes = await generateManifest(dir, {
    channel: options.channel ?? place.channel ?? placeUnknown(dir, 'channel'),
    arch: options.arch ?? place.arch ?? placeUnknown(dir, 'arch'),
    version: options.releaseVersion,
    sequence: options.sequence ?? (await nextSequence(dir)),
    createdAt,
    expiresAt: new Date(createdAt.getTime() + options.expiresDays * DAY_MS),
  })
  if (await removeOldEnvelope(dir, bytes)) {
    process.stderr.write(`removed ${dir}/${ENVELOPE_FILE}, which was about the manifest before: sign this one\n`)
  }
  await writeManifestFile(dir, bytes)
  process.stdout.write(`${sha256Of(bytes)}\n`)
  return EXIT.ok
}

function placeUnknown(dir: string, part: 'channel' | 'arch'): never {
  throw new PlasmError('place-unknown', `the path ${dir} does not say the ${part}`, {
    facts: { dir, part },
    hint: `name it with --${part}, or lay the directory out as <channel>/<arch>`,
  })
}

/** reproducible-builds.org: SOURCE_DATE_EPOCH, seconds. */
function sourceDate(): Date | undefined {
  const seconds = process.env.SOURCE_DATE_EPOCH
  return seconds && /^\d+$/.test(seconds) ? new Date(Number(seconds) * 1000) : undefined
}
