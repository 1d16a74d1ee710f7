import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Candidate, RejectedCandidate } from '../../../agent/candidate.ts'
import type { PhaseMode } from '../../../agent/config.ts'
import { recordFile } from '../../../agent/record-file.ts'
import { knownProvider } from '../../../agent/source-known.ts'

test('the provider of the boot before is asked again: beyond the own links only in mode internet, and never in private', async (t) => {
  const storeRoot = await mkdtemp(join(tmpdir(), 'plasm-known-'))
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    return rm(storeRoot, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const record = {
    ...{ version: 1, machine: 'plasm-2', generation: 2, lowestAvailableMiB: 1, budget: { totalMiB: 1 } },
    provider: { url, name: 'plasm-1', generation: 1, discoveredBy: 'mdns' },
    set: { manifestDigest: 'sha256:00' },
  }
  await writeFile(recordFile(storeRoot), JSON.stringify(record))
  const foundIn = async (mode: PhaseMode) => {
    const found: (Candidate | RejectedCandidate)[] = []
    const stop = AbortSignal.timeout(150)
    await knownProvider({ storeRoot, mode })((candidate) => found.push(candidate), stop)
    return found
  }
  const known = { url, source: 'known', name: 'plasm-1', generation: 1 }
  assert.deepEqual(await foundIn('internet'), [known])
  // Loopback is on nobody's link.
  const reason = 'it is on no link of this machine, and phase.mode=local asks nobody beyond'
  assert.deepEqual(await foundIn('local'), [{ ...known, reason }])
  assert.deepEqual(await foundIn('private'), [])
  server.close()
  await once(server, 'close')
  const [dead] = await foundIn('internet')
  assert.ok(dead && 'reason' in dead)
  assert.match(dead.reason, /^nobody listens there: .*ECONNREFUSED/)
})
