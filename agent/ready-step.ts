import { readFile } from 'node:fs/promises'
import type { BootRecord } from './boot-record.ts'
import { readMemory } from './memory.ts'
import { ownSystem } from './own-system.ts'
import type { Server } from './serve-server.ts'

/** Says that this machine is ready: what it serves is proven and advertised. */
export async function announce(server: Server, record: BootRecord, address: string): Promise<void> {
  const release = await readFile(server.setting.releaseFile, 'utf8').catch(() => undefined)
  server.run.emit({
    type: 'ready',
    record,
    lineage: server.told.identity.lineage,
    release: release?.trim() ?? null,
    address,
    port: server.told.config.port,
    memory: {
      totalMiB: readMemory().totalMiB,
      lowestAvailableMiB: Math.min(record.lowestAvailableMiB, server.lowestAvailableMiB()),
    },
    system: await ownSystem(server.setting.rootfsFile, server.owner.managedBy),
  })
}
