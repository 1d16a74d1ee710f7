import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readSeen } from '../../agent/freshness-file.ts'
import { takeIn } from '../../agent/inbox-take.ts'
import { incomingDirectory, publish } from '../../agent/publish.ts'
import { verify } from '../../agent/verify.ts'
import { hostArch } from '../../service/arch.ts'
import type { PlasmError } from '../../service/errors.ts'
import { NOTHING_SEEN } from '../../service/freshness.ts'
import { readTrustPolicy } from '../../service/trust-policy.ts'
import { makeSet, type TestSet } from '../support/boot-set.ts'
import { policyOf, signSet, writePolicy } from '../support/trust.ts'
import { ada, IMAGE_KEYS, PREVIOUS, SEEN, TRUST_CASES, type TrustCase } from '../support/trust-cases.ts'

const expected = { channel: 'stable', arch: hostArch() }

/** A store that holds the previous release, and an inbox with what is offered. */
async function storeWith(t: TestContext, offered: TestSet, given: Pick<TrustCase, 'policy' | 'state'> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-trust-store-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const at = (name: string) => join(directory, name)
  const root = at('store')
  const incoming = incomingDirectory(root)
  await mkdir(incoming, { recursive: true })
  for (const [name, bytes] of Object.entries(PREVIOUS.files)) await writeFile(join(incoming, name), bytes)
  const raw = { bytes: PREVIOUS.envelope, from: 'test', form: 'signed' } as const
  const served = await publish(root, incoming, verify(raw, policyOf(IMAGE_KEYS), expected))

  const inbox = at('inbox')
  await mkdir(inbox, { mode: 0o700 })
  for (const [name, bytes] of Object.entries(offered.files)) await writeFile(join(inbox, name), bytes)
  await writeFile(join(inbox, 'manifest.json'), offered.manifest)
  if (offered.envelope) await writeFile(join(inbox, 'manifest.dsse.json'), offered.envelope)

  await writePolicy(at('policy.toml'), IMAGE_KEYS, given.policy)
  await mkdir(at('state'))
  await writeFile(at('state/freshness.json'), given.state ?? SEEN)
  const policy = await readTrustPolicy(at('policy.toml'))
  const store = { root, policy, expected, seen: () => readSeen(at('state')) }
  return { root, inbox, served, take: () => takeIn(inbox, store, served) }
}

/** Every file of a tree by its digest, every link by its target. */
async function tree(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const found = entries.map(async (entry): Promise<[string, string]> => {
    const path = join(entry.parentPath, entry.name)
    if (entry.isSymbolicLink()) return [path, await readlink(path)]
    if (entry.isDirectory()) return [path, 'directory']
    return [
      path,
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    ]
  })
  return Object.fromEntries((await Promise.all(found)).sort())
}

for (const given of TRUST_CASES) {
  const { name, offered, clock, refused } = given
  test(`inbox: ${name} is ${refused?.code ?? 'accepted'}`, async (t) => {
    const { root, inbox, take } = await storeWith(t, offered, given)
    if (clock) t.mock.method(Date, 'now', () => Date.parse(clock))
    const before = await tree(root)
    if (!refused) {
      const intake = await take()
      assert.equal(intake.outcome, 'taken')
      const link = join(root, 'stable', hostArch())
      assert.deepEqual(await readFile(join(link, 'manifest.dsse.json')), offered.envelope, 'kept byte for byte')
      return
    }
    await assert.rejects(take(), ({ code, facts }: PlasmError) => {
      assert.deepEqual([code, facts.field], [refused.code, refused.field])
      if (code !== 'freshness-state-invalid') assert.ok(String(facts.from).startsWith(inbox))
      return true
    })
    assert.deepEqual(await tree(root), before, 'the previous set is intact, and nothing is left beside it')
  })
}

test('inbox: the kernel of one release with the rootfs of another leaves the previous set intact', async (t) => {
  const signed = signSet(makeSet({ sequence: 6 }), ada)
  const mixed = { ...signed, files: { ...signed.files, 'rootfs.sqfs': makeSet().files['rootfs.sqfs']! } }
  const { root, take } = await storeWith(t, mixed)
  const before = await tree(root)
  await assert.rejects(take(), { code: 'inbox-mismatch' })
  assert.deepEqual(await tree(root), before)
})

test('inbox: an envelope of 1 GiB is not read', async (t) => {
  const { root, inbox, take } = await storeWith(t, signSet(makeSet({ sequence: 6 }), ada))
  await truncate(join(inbox, 'manifest.dsse.json'), 2 ** 30)
  const before = await tree(root)
  const rss = process.memoryUsage().rss
  await assert.rejects(take(), { code: 'file-too-large' })
  assert.ok(process.memoryUsage().rss - rss < 64 * 1024 * 1024)
  assert.deepEqual(await tree(root), before)
})

test('what was remembered is lost with nothing but its file', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-seen-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  assert.deepEqual(await readSeen(directory), NOTHING_SEEN, 'a first boot')
  assert.deepEqual(await readSeen(join(directory, 'nowhere')), NOTHING_SEEN, 'no data disk')
  for (const text of [
    '',
    '{}',
    'null',
    '{"version":2,"channels":{}}',
    '{"version":1,"channels":[]}',
    'x'.repeat(70_000),
  ]) {
    await writeFile(join(directory, 'freshness.json'), text)
    await assert.rejects(readSeen(directory), { code: 'freshness-state-invalid' }, text.slice(0, 40))
  }
  await rm(join(directory, 'freshness.json'))
  await mkdir(join(directory, 'freshness.json'))
  await assert.rejects(readSeen(directory), { code: 'freshness-state-invalid' })
})
