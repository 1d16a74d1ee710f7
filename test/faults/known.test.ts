import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { recordFile } from '../../agent/record-file.ts'
import type { Booted } from '../support/boot-program.ts'
import { makeSet } from '../support/boot-set.ts'
import { node, onLinkPair } from '../support/link-pair.ts'
import { makeRoot } from '../support/plasmd.ts'
import { PLASMD } from '../support/plasmd-process.ts'
import { putTree } from '../support/served-trees.ts'

/** What discovery takes with nobody to wait for: an answer by mDNS, and the settling time. */
const SOON_MS = 2_500

for (const [what, dead, why] of [
  [
    'whose address nobody has',
    'http://10.77.0.99:8080',
    /nothing has answered there|does not answer within 1 s|EHOSTUNREACH/,
  ],
  ['whose machine listens no more', 'http://10.77.0.1:9', /nobody listens there: .*ECONNREFUSED/],
] as const) {
  test(`the provider of the boot before, ${what}, is rejected with the reason, and nobody waits for it`, async (t) => {
    const root = await makeRoot(t)
    const [store, trustFile] = [join(root, 'store'), join(root, 'policy.toml')]
    await mkdir(store)
    const record = {
      ...{ version: 1, machine: 'plasm-2', generation: 2, lowestAvailableMiB: 1, budget: { totalMiB: 1 } },
      provider: { url: dead, name: 'plasm-1', generation: 1, discoveredBy: 'mdns' },
      set: { manifestDigest: 'sha256:00' },
    }
    await writeFile(recordFile(store), JSON.stringify(record))
    await writeFile(trustFile, 'allow_unsigned = true\n')
    const { events, why: told } = await onLinkPair<Booted>(
      node(PLASMD, 'serve', '-a', await putTree(join(root, 'served'), makeSet()), '--no-dht'),
      // Its advertisement may take some seconds to go out.
      `sleep 6; ${node('boot-program.ts', trustFile, 'phase.mode=local', store)}`,
      {},
      60_000,
    )
    const chosen = events.find((event) => event.type === 'candidate' && event.verdict === 'chosen')
    assert.equal(chosen?.type === 'candidate' && chosen.url, 'http://10.77.0.1:8080')
    const refused = events.find(
      (event) => event.type === 'candidate' && event.verdict === 'rejected' && event.url === dead,
    )
    assert.ok(refused?.type === 'candidate' && refused.source === 'known')
    assert.match(refused.reason!, why)
    const named = told.findIndex((line) => line.startsWith(`${dead} `))
    assert.match(told[named + 1] ?? '', why)
    const discovered = events.find((event) => event.type === 'step-done' && event.step === 'discover')
    assert.ok(discovered?.type === 'step-done')
    t.diagnostic(`${discovered.milliseconds} ms`)
    assert.ok(discovered.milliseconds < SOON_MS, `${discovered.milliseconds} ms`)
  })
}
