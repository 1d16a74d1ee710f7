import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { BUILD, emptyDir, exists, progress, REPOSITORY } from './files.ts'
import { writeTrustPolicy } from './trust-segment.ts'

/** Whom images trust, and who signs what is published. */
export interface Trust {
  /** Holds policy.toml and keys/*.pub. */
  readonly directory: string
  /** Private key of one of those; undefined where whoever publishes signs by hand. */
  readonly signingKey: string | undefined
}

const NAME = 'checkout'

/**
 * A throw-away key, made once in a checkout: what is built here trusts it alone, and what is published here is signed with it.
 * Whoever runs a real channel gives a trust directory of their own and keeps the key elsewhere.
 */
export async function checkoutTrust(): Promise<Trust> {
  const directory = join(BUILD, 'trust')
  const signingKey = join(BUILD, 'keys', `${NAME}.key`)
  const trust = { directory, signingKey }
  if ((await exists(join(directory, 'policy.toml'))) && (await exists(signingKey))) return trust
  progress('making a throw-away key, which the images of this checkout trust')
  await rm(join(BUILD, 'keys'), { recursive: true, force: true })
  await mkdir(join(BUILD, 'keys'), { recursive: true })
  const id = await plasmd('keygen', NAME, '--out', join(BUILD, 'keys'))
  const incoming = await emptyDir(`${directory}.incoming`)
  await mkdir(join(incoming, 'keys'))
  await cp(join(BUILD, 'keys', `${NAME}.pub`), join(incoming, 'keys', `${NAME}.pub`))
  await writeTrustPolicy(incoming, { keys: [id], builtAt: new Date() })
  await rm(directory, { recursive: true, force: true })
  await rename(incoming, directory)
  return trust
}

/** Signs the manifest that lies in a directory, by the same command that a publisher uses. */
export async function signManifest(dir: string, key: string): Promise<void> {
  await plasmd('manifest', 'sign', dir, '--key', key)
}

/** @returns its standard output */
async function plasmd(...args: readonly string[]): Promise<string> {
  return (await execa(process.execPath, [join(REPOSITORY, 'service/plasmd.ts'), ...args])).stdout.trim()
}
