import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { ChainSpec } from '../../host-harness/chain-spec.ts'
import { makeKeyFiles } from '../../service/key-file.ts'

export const PLASMD = fileURLToPath(new URL('../../service/plasmd.ts', import.meta.url))

/** A copy of a run's published set, every artifact the same, signed by a key that no image here trusts. @returns where */
export async function signedByAStranger(spec: ChainSpec): Promise<string> {
  const directory = join(spec.runDir, 'bad')
  await cp(spec.publishedDir, directory, { recursive: true })
  const set = join(directory, spec.channel, spec.arch)
  await rm(join(set, 'manifest.dsse.json'))
  const { privateFile } = await makeKeyFiles(spec.runDir, 'stranger')
  await execa(process.execPath, [PLASMD, 'manifest', 'sign', set, '--key', privateFile])
  return directory
}
