import { join } from 'node:path'
import { execa } from 'execa'
import { emptyDir } from './files.ts'
import { readLayout } from './segments.ts'

/**
 * What a built initramfs holds in its agent.sqfs, unpacked: `bin/{plasm-agent,plasmd,kexec}` and `lib/<soname>`. A rootfs takes
 * its programs from there, so that both stages run the same bytes.
 * @returns the directory @throws PlasmError `image-layout-missing`
 */
export async function unpackAgentParts(initramfs: string, work: string): Promise<string> {
  const { agentOffset } = await readLayout(initramfs)
  const parts = join(await emptyDir(work), 'agent')
  await execa('unsquashfs', ['-quiet', '-no-progress', '-no-xattrs', '-o', String(agentOffset), '-d', parts, initramfs])
  return parts
}
