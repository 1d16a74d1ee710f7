import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { adopt } from '../../agent/adopt.ts'
import { complete } from '../../agent/complete.ts'
import type { AgentEvent } from '../../agent/events.ts'
import { hostArch } from '../../service/arch.ts'
import { storePaths } from '../../service/store-layout.ts'
import { makeSet, type TestSet } from '../support/boot-set.ts'
import { startProvider, type TestProvider } from '../support/provider.ts'
import { TRUSTING } from '../support/trust.ts'

/** What the kernel unpacks after a handover that left the rootfs out. */
async function handedOver(
  t: TestContext,
  set: TestSet,
  about: { provider: string; providers?: readonly TestProvider[] },
) {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-complete-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const root = join(directory, 'store')
  const { handover } = storePaths(root)
  await mkdir(handover, { recursive: true, mode: 0o700 })
  const budget = { totalMiB: 1, availableMiB: 1, needMiB: 1, rootfsFreeMiB: 1, initrdMiB: 1, kernelMiB: 1 }
  const record = {
    ...{ version: 1, machine: 'plasm', generation: 2, handover: 'refetch', budget, lowestAvailableMiB: 1 },
    provider: { url: about.provider, generation: 1, discoveredBy: 'mdns' },
    set: { manifestDigest: 'sha256:0' },
  }
  const files = {
    'manifest.json': set.manifest,
    kernel: set.files.vmlinuz!,
    initramfs: set.files['initramfs.img']!,
    'boot-record.json': JSON.stringify(record),
  }
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(handover, name), bytes, { mode: 0o600 })
  const file = async (name: string, text: string) => {
    await writeFile(join(directory, name), text)
    return join(directory, name)
  }
  const urls = (about.providers ?? []).map(({ url }) => url).join(',')
  const events: AgentEvent[] = []
  const run = async () =>
    complete({
      sinks: [(event) => events.push(event)],
      sources: {
        cmdlineFile: await file('cmdline', urls === '' ? '' : `phase.provider=${urls}`),
        tomlFile: await file('agent.toml', `store_root = ${JSON.stringify(root)}\n`),
        netDir: join(directory, 'net'),
        machineIdFile: join(directory, 'machine-id'),
      },
      trustFile: await file('policy.toml', 'allow_unsigned = true\n'),
      stateDirectory: join(directory, 'state'),
      discovery: { deadlineMs: 300, addresses: () => new Set<string>() },
      transferLimits: { connectMs: 500, headersMs: 500, stallMs: 500, tries: 2, pauseMs: 5 },
    })
  return { root, handover, events, run }
}

test('what memory had no room to carry is fetched after kexec, and then all is as if it had been carried', async (t) => {
  const set = makeSet()
  const provider = await startProvider(set)
  t.after(() => provider.close())
  const { root, handover, run } = await handedOver(t, set, { provider: provider.url })
  assert.equal(await run(), 0)
  assert.deepEqual(await readFile(join(handover, 'rootfs')), set.files['rootfs.sqfs'])
  assert.deepEqual(
    provider.seen.map(({ path }) => path),
    [`/stable/${hostArch()}/rootfs.sqfs`],
  )
  const { dir } = await adopt(root, TRUSTING, { channel: 'stable', arch: hostArch() })
  assert.deepEqual(await readFile(join(dir, 'rootfs.sqfs')), set.files['rootfs.sqfs'])
})

test('another provider is asked where the first one is gone or lies, and nothing wrong is kept', async (t) => {
  const set = makeSet()
  const liar = await startProvider(set, {
    misbehave: ({ file, response }) => {
      if (file !== 'rootfs.sqfs') return false
      response.end(Buffer.alloc(9))
      return true
    },
  })
  const good = await startProvider(set)
  t.after(() => Promise.all([liar.close(), good.close()]))
  const { handover, run, events } = await handedOver(t, set, {
    provider: 'http://127.0.0.1:9',
    providers: [liar, good],
  })
  assert.equal(await run(), 0)
  assert.deepEqual(await readFile(join(handover, 'rootfs')), set.files['rootfs.sqfs'])
  const gone = events.find((event) => event.type === 'candidate' && event.url === 'http://127.0.0.1:9')
  assert.ok(gone?.type === 'candidate' && gone.verdict === 'rejected')
  assert.match(gone.reason!, /\[provider-unreachable\]|\[transfer-broken\]/)
  assert.ok((await readdir(handover)).every((name) => !name.startsWith('.part-')))
})

test('without a manifest there is nothing to complete', async (t) => {
  const { handover, run, events } = await handedOver(t, makeSet(), { provider: 'http://127.0.0.1:9' })
  await rm(join(handover, 'manifest.json'))
  assert.equal(await run(), 78)
  assert.match(JSON.stringify(events), /nothing-to-serve/)
})
