import { cp, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { REPOSITORY } from './files.ts'
import { enableUnit } from './rootfs-debian.ts'

const UNITS = join(REPOSITORY, 'service/systemd')

/**
 * Puts this project's units into a systemd tree, and enables those whose [Install] section says by what.
 * @param foreign with the drop-in for somebody else's plasmd
 */
export async function installUnits(root: string, foreign: boolean): Promise<void> {
  const home = join(root, 'usr/lib/systemd/system')
  await mkdir(home, { recursive: true })
  for (const entry of await readdir(UNITS, { withFileTypes: true })) {
    if (!entry.isFile()) continue
    await cp(join(UNITS, entry.name), join(home, entry.name))
    const by = /^WantedBy=(\S+)$/m.exec(await readFile(join(UNITS, entry.name), 'utf8'))?.[1]
    if (by) await enableUnit(root, entry.name, by)
  }
  if (foreign) await cp(join(UNITS, 'foreign'), home, { recursive: true })
  await mkdir(join(root, 'etc/plasm'), { recursive: true })
  await cp(join(REPOSITORY, 'init/host-shell'), join(root, 'etc/plasm/host-shell'))
}
