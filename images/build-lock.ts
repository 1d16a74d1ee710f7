import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { BUILD, progress } from './files.ts'

const ASK_AGAIN_MS = 500

/**
 * Runs work while no other build in this checkout runs. The lock is an abstract unix socket (unix(7)): Node has no flock,
 * and this one is gone with its process.
 */
export async function whileNoOtherBuilds<T>(work: () => Promise<T>): Promise<T> {
  const release = await acquire(`\0plasm-images:${BUILD}`)
  try {
    return await work()
  } finally {
    await release()
  }
}

async function acquire(name: string): Promise<() => Promise<void>> {
  for (let told = false; ; told = true) {
    const server = createServer()
    try {
      server.listen(name)
      await once(server, 'listening')
      return async () => {
        server.close()
        await once(server, 'close')
      }
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw thrown
      if (!told) progress('another build is running here; waiting for it')
      await sleep(ASK_AGAIN_MS)
    }
  }
}
