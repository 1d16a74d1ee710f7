import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { discoveredLines } from '../../agent/discover-view.ts'
import { survey } from '../../agent/survey.ts'
import { makeMachine } from '../support/boot-machine.ts'
import { makeSet } from '../support/boot-set.ts'
import { startProvider } from '../support/provider.ts'
import { makeKey, signSet, writePolicy } from '../support/trust.ts'

test("everybody in reach is asked and judged: one to boot from, one that is old, one with a stranger's key", async (t) => {
  const key = makeKey()
  const newer = signSet(makeSet({ sequence: 7 }), key)
  const older = signSet(makeSet({ sequence: 6 }), key)
  const strange = signSet(makeSet({ sequence: 9 }), makeKey())
  const providers = await Promise.all([
    startProvider(newer, { status: { machine: 'plasm-newer', generation: 0 } }),
    startProvider(older, { status: { machine: 'plasm-older', generation: 2 } }),
    startProvider(strange, { status: { machine: 'plasm-rogue', generation: 5 } }),
  ])
  t.after(() => Promise.all(providers.map((provider) => provider.close())))
  const nobody = 'http://127.0.0.1:9'
  const machine = await makeMachine(`phase.provider=${[...providers.map(({ url }) => url), nobody].join(',')}`)
  t.after(machine.remove)
  const trustFile = join(machine.directory, 'trust/policy.toml')
  await writePolicy(trustFile, [key])
  const found = await survey({
    sources: machine.parts.sources!,
    trustFile,
    stateDirectory: machine.directory,
    lookMs: 400,
    addresses: () => new Set<string>(),
  })
  const by = new Map(found.providers.map((provider) => [provider.name, provider]))
  assert.equal(found.providers[0]!.name, 'plasm-newer')
  assert.equal(by.get('plasm-newer')!.verdict, 'first')
  assert.equal(by.get('plasm-newer')!.verified?.sequence, 7)
  assert.ok(by.get('plasm-newer')!.latencyMs! >= 0)
  assert.match(by.get('plasm-older')!.verdict, /^rejected: .*\[manifest-stale\]/)
  assert.match(by.get('plasm-rogue')!.verdict, /^rejected: .*\[signature-refused\]/)
  assert.equal(by.get('plasm-rogue')!.claims.generation, 5)
  const silent = found.providers.find(({ url }) => url === nobody)
  assert.equal(silent?.verdict, 'rejected: nothing has answered there')
  const text = discoveredLines(found, false).join('\n')
  assert.match(text, /^4 providers of stable\/\S+, 1 to boot from/)
  assert.match(text, /plasm-newer {2}by static/)
})
