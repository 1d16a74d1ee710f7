import { readFile, writeFile } from 'node:fs/promises'
import * as v from 'valibot'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'

const packageSchema = v.object({
  name: v.string(),
  version: v.string(),
  /** Of the .deb, or of the npm tarball; lower-case hex. */
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
})
const plasmdSchema = v.object({ file: v.string(), bytes: v.number(), sha256: packageSchema.entries.sha256 })
const inputsSchema = v.object({
  version: v.literal(1),
  arch: v.picklist(['x86_64', 'arm64']),
  debian: v.array(packageSchema),
  npm: v.array(packageSchema),
  plasmd: v.optional(plasmdSchema),
})

export type PackageInput = v.InferOutput<typeof packageSchema>
/** A foreign plasmd (foreign-plasmd.ts): its file's name, and what it was. */
export type ForeignPlasmdInput = v.InferOutput<typeof plasmdSchema>

/** What an image was built from (`inputs.json` beside it), and what `--locked` builds from again. */
export interface Inputs {
  readonly version: 1
  readonly arch: Arch
  readonly debian: readonly PackageInput[]
  readonly npm: readonly PackageInput[]
  /** Absent: plasmd is our own. */
  readonly plasmd?: ForeignPlasmdInput | undefined
}

/** @throws PlasmError `inputs-invalid` naming the file and the field */
export async function readInputs(file: string, arch: Arch): Promise<Inputs> {
  const fail = (problem: string, cause?: unknown) =>
    new PlasmError('inputs-invalid', `${file}: ${problem}`, { facts: { file }, cause })
  let document: unknown
  try {
    document = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw fail((cause as Error).message, cause)
  }
  const parsed = v.safeParse(inputsSchema, document)
  if (!parsed.success) throw fail(`${v.getDotPath(parsed.issues[0]) ?? '(document)'}: ${parsed.issues[0].message}`)
  if (parsed.output.arch !== arch) throw fail(`is for ${parsed.output.arch}, not ${arch}`)
  return parsed.output
}

export async function writeInputs(file: string, inputs: Inputs): Promise<void> {
  await writeFile(file, `${JSON.stringify(inputs, null, 2)}\n`)
}

/** What two parts of a set were built from. */
export function joinInputs(one: Inputs, other: Inputs): Inputs {
  return { ...one, debian: union(one.debian, other.debian), npm: union(one.npm, other.npm) }
}

/** By name, and by version where both have one of that name. */
function union(one: readonly PackageInput[], other: readonly PackageInput[]): readonly PackageInput[] {
  const byKey = new Map([...one, ...other].map((input) => [`${input.name} ${input.version}`, input]))
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, input]) => input)
}
