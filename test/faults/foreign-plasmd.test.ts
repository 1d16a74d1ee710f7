import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { makeSet } from '../support/boot-set.ts'
import { foreignProgram } from '../support/foreign-program.ts'
import { makeServeMachine, type ServeMachine, until } from '../support/serve-machine.ts'
import { makeKey, signSet, writePolicy } from '../support/trust.ts'

const key = makeKey()

/** A machine that was handed a set, with a foreign plasmd that goes wrong; not ready. */
async function failing(t: TestContext, fault: string, signed: boolean): Promise<ServeMachine> {
  const at = await makeServeMachine()
  t.after(() => at.remove())
  if (signed) await writePolicy(join(at.directory, 'policy.toml'), [key])
  await at.handOver(signed ? signSet(makeSet(), key) : makeSet())
  at.start({ plasmd: [await foreignProgram(at.directory, fault)], supervision: { backoffFirst: 50, backoffLast: 100 } })
  return at
}

const WRONG = [
  { fault: 'wrong-byte', artifact: 'kernel', signed: true },
  { fault: 'wrong-envelope', artifact: 'manifest', signed: true },
  { fault: 'wrong-manifest', artifact: 'manifest', signed: false },
]

for (const { fault, artifact, signed } of WRONG) {
  test(`a foreign plasmd that serves something else is not vouched for: ${fault}`, async (t) => {
    const at = await failing(t, fault, signed)
    const { step, error } = await at.event('step-failed')
    assert.deepEqual([step, error.code, error.facts.artifact], ['self-check', 'self-check-mismatch', artifact])
    assert.equal(error.facts.where, 'server', 'what is stored is right, and stays')
    const status = await until('the reason in the status', async () => {
      const found = await at.status()
      return found.notReadyBecause?.includes('self-check-mismatch') ? found : undefined
    })
    assert.match(status.notReadyBecause!, new RegExp(`^${artifact} is not what the manifest says: plasmd serves`))
    assert.deepEqual([status.ready, status.advertising], [false, false])
    assert.deepEqual(await at.advertisements(), [])
    assert.ok(status.record, 'the set is still this machine’s')
  })
}

test('a foreign plasmd that does not know an option ends at once: the status says so, and it is tried again', async (t) => {
  const at = await failing(t, 'exit-2', true)
  const { step, error } = await at.event('step-failed')
  assert.deepEqual([step, error.code, error.facts.foreign], ['provider', 'plasmd-fails', true])
  const status = await until('the reason in the status', async () => {
    const found = await at.status()
    return found.notReadyBecause?.includes('plasmd-fails') && (found.plasmd?.restarts ?? 0) > 2 ? found : undefined
  })
  assert.match(status.notReadyBecause!, /^the foreign plasmd ends before it answers: exit code 2/)
  assert.match(status.lastError!.hint!, /must take serve --artifacts/)
  assert.match(await readFile(join(at.runDirectory, 'plasmd.log'), 'utf8'), /unexpected argument '--no-mdns'/)
})
