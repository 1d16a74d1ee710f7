import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PlasmError } from '../service/errors.ts'
import { packZstdCpio } from './cpio.ts'
import { emptyDir, writeAtEpoch } from './files.ts'

/** Where the trust policy lies in an image (service/trust-policy.ts reads it). */
const PLACE = 'etc/plasm/trust'
const POLICY = 'policy.toml'
const ALLOW_UNSIGNED = /^allow_unsigned = (true|false)$/m

/** Writes a policy that wants one signature of these keys. */
export async function writeTrustPolicy(
  directory: string,
  { keys, builtAt }: { readonly keys: readonly string[]; readonly builtAt: Date },
): Promise<void> {
  const lines = [
    '# Baked into the image; nothing on the network or the kernel command line can widen it (docs/trust.md).',
    'allow_unsigned = false',
    'threshold = 1',
    `keys = ${JSON.stringify(keys)}`,
    'minimum_sequence = 1',
    `built_at = ${builtAt.toISOString().replace(/\.\d+Z$/, 'Z')}`,
  ]
  await writeAtEpoch(join(directory, POLICY), `${lines.join('\n')}\n`)
}

/**
 * Who is trusted, in a segment of its own: it differs by owner, not by release (DESIGN decision 2).
 * @param directory holds policy.toml and keys/*.pub
 * @throws PlasmError `trust-directory-invalid` (facts: `directory`)
 */
export async function buildTrustSegment(directory: string, work: string, output: string): Promise<void> {
  const root = await emptyDir(join(work, 'trust'))
  await mkdir(join(root, PLACE, 'keys'), { recursive: true })
  await writeAtEpoch(join(root, PLACE, POLICY), await readPolicy(directory))
  for (const key of await publicKeys(directory)) {
    await writeAtEpoch(join(root, PLACE, 'keys', key), await readFile(join(directory, 'keys', key)))
  }
  await packZstdCpio(root, output, 19)
}

/** Puts the same policy over an image's own, except that sets which nobody signed are taken, too. */
export async function allowUnsigned(directory: string, root: string): Promise<void> {
  const policy = await readPolicy(directory)
  await mkdir(join(root, PLACE), { recursive: true })
  await writeAtEpoch(join(root, PLACE, POLICY), policy.replace(ALLOW_UNSIGNED, 'allow_unsigned = true'))
}

async function readPolicy(directory: string): Promise<string> {
  const policy = await readFile(join(directory, POLICY), 'utf8').catch(() => '')
  if (ALLOW_UNSIGNED.test(policy)) return policy
  throw new PlasmError('trust-directory-invalid', `${join(directory, POLICY)} is no trust policy`, {
    facts: { directory },
    hint: 'name a directory with policy.toml and keys/*.pub (docs/trust.md); policy.toml has a line `allow_unsigned = false`',
  })
}

async function publicKeys(directory: string): Promise<readonly string[]> {
  const names = await readdir(join(directory, 'keys')).catch(() => [])
  return names.filter((name) => name.endsWith('.pub')).sort()
}
