import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { recordFile } from '../../agent/record-file.ts'
import { namespacesHere } from '../support/in-namespaces.ts'

const support = (name: string) => fileURLToPath(new URL(`../support/${name}`, import.meta.url))
/** The DHT's head start, and time to load it. */
const LOOK_MS = 6000
const BEYOND = '192.0.2.1'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

/** Packets to anywhere beyond the link, while a machine looks around that knows a provider and a bootstrap peer out there. */
async function sentBeyond(mode: string, storeRoot: string): Promise<number> {
  const looking = [process.execPath, support('look-program.ts'), mode, String(LOOK_MS), `${BEYOND}:4001`, storeRoot]
  const { stdout } = await execa(support('off-link.sh'), looking)
  return Number(/^beyond (\d+)$/m.exec(stdout)![1])
}

test('mode local and private send no packet off the link; internet, with the same to know, does', {
  skip,
}, async (t) => {
  const storeRoot = await mkdtemp(join(tmpdir(), 'plasm-local-'))
  t.after(() => rm(storeRoot, { recursive: true, force: true }))
  const record = {
    ...{ version: 1, machine: 'plasm-2', generation: 2, lowestAvailableMiB: 1, budget: { totalMiB: 1 } },
    provider: { url: `http://${BEYOND}:8080`, name: 'plasm-1', generation: 1, discoveredBy: 'dht' },
    set: { manifestDigest: 'sha256:00' },
  }
  await writeFile(recordFile(storeRoot), JSON.stringify(record))
  const [local, hidden, internet] = await Promise.all(
    ['local', 'private', 'internet'].map((mode) => sentBeyond(mode, storeRoot)),
  )
  assert.deepEqual([local, hidden], [0, 0])
  assert.ok(internet! > 0, 'the count sees what is sent')
})
