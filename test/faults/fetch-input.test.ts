import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { boot } from '../../agent/boot.ts'
import { hostArch } from '../../service/arch.ts'
import { EXIT } from '../../service/errors.ts'
import { makeMachine } from '../support/boot-machine.ts'
import { makeSet } from '../support/boot-set.ts'
import { startProvider } from '../support/provider.ts'
import { startBoot } from '../support/start-boot.ts'

const otherArch = hostArch() === 'x86_64' ? 'arm64' : 'x86_64'

const wrongConfigurations: ReadonlyArray<{ name: string; cmdline: string; trust?: string | null; code: string }> = [
  { name: 'an unknown phase.mode', cmdline: 'phase.mode=intranet', code: 'config-invalid' },
  { name: 'an empty phase.mode', cmdline: 'phase.mode=', code: 'config-invalid' },
  { name: 'a phase.provider that is no URL', cmdline: 'phase.provider=10.0.0.1:8080', code: 'config-invalid' },
  { name: 'a phase.provider with credentials', cmdline: 'phase.provider=http://a:b@h:1', code: 'config-invalid' },
  { name: 'one bad URL of two', cmdline: 'phase.provider=http://h:1,https://h', code: 'config-invalid' },
  { name: 'no trust policy', cmdline: '', trust: null, code: 'trust-missing' },
  { name: 'a misspelt trust policy', cmdline: '', trust: 'allow_unsinged = true\n', code: 'config-invalid' },
  { name: 'a policy that trusts nobody', cmdline: '', trust: 'allow_unsigned = false\n', code: 'trust-policy-invalid' },
]

for (const { name, cmdline, trust, code } of wrongConfigurations) {
  test(`${name} ends the fetch stage with code 78 before anything is asked`, async (t) => {
    const machine = await makeMachine(cmdline, trust ?? undefined)
    t.after(() => machine.remove())
    if (trust === null) await rm(machine.parts.trustFile!)
    assert.equal(await boot(machine.parts), EXIT.badConfig)
    assert.deepEqual(machine.failures(), [{ step: 'config', code, provider: undefined }])
    assert.equal(
      machine.events.some((event) => event.type === 'step-started' && event.step !== 'config'),
      false,
    )
  })
}

const wrongManifests: ReadonlyArray<{
  name: string
  step: string
  code: string
  set: Parameters<typeof makeSet>[0]
}> = [
  { name: 'of another architecture', step: 'verify', code: 'wrong-arch', set: { arch: otherArch } },
  { name: 'of another channel', step: 'verify', code: 'wrong-channel', set: { channel: 'testing' } },
  {
    name: 'that has expired',
    step: 'verify',
    code: 'manifest-expired',
    set: { change: (manifest) => Object.assign(manifest, { expires_at: '2026-01-02T00:00:00Z' }) },
  },
  {
    name: 'that names ../x',
    step: 'verify',
    code: 'manifest-invalid',
    set: {
      change: ({ artifacts }) => Object.assign((artifacts as Record<string, object>).kernel!, { filename: '../x' }),
    },
  },
]

for (const { name, step, code, set } of wrongManifests) {
  test(`a manifest ${name} is refused, and nothing is fetched`, async (t) => {
    const provider = await startProvider(makeSet(set))
    const machine = await makeMachine(`phase.provider=${provider.url}`)
    await startBoot(t, machine, [provider]).event(({ type }) => type === 'step-failed')
    assert.deepEqual(machine.failures(), [{ step, code, provider: undefined }])
    assert.equal(provider.artifactBytes(), 0)
  })
}

test('a provider that answers 404 is rejected by name, and the other one is taken', async (t) => {
  const wrong = await startProvider(makeSet(), { channel: 'elsewhere' })
  const right = await startProvider(makeSet())
  const machine = await makeMachine(`phase.provider=${wrong.url},${right.url}`)
  await startBoot(t, machine, [wrong, right]).event(({ type }) => type === 'kexec')
  const verdict = machine.events.find(
    (event) => event.type === 'candidate' && event.verdict === 'rejected' && event.url === wrong.url,
  )
  assert.ok(verdict?.type === 'candidate' && verdict.reason?.includes('404'))
})

test('a kernel that refuses kexec is told of before anything is fetched', async (t) => {
  const provider = await startProvider(makeSet())
  const machine = await makeMachine(`phase.provider=${provider.url}`)
  await writeFile(join(machine.directory, 'kexec_load_disabled'), '1\n')
  await startBoot(t, machine, [provider]).event(({ type }) => type === 'step-failed')
  assert.deepEqual(machine.failures(), [{ step: 'preflight', code: 'kexec-disabled', provider: provider.url }])
  assert.equal(provider.artifactBytes(), 0)
})

test('a layout that points outside of its initramfs is refused', async (t) => {
  const { layoutSegment } = await import('../support/boot-set.ts')
  const initramfs = Buffer.concat([layoutSegment(8192, 8192, 1_000_000), Buffer.alloc(20_000)])
  const provider = await startProvider(makeSet({ initramfs }))
  const machine = await makeMachine(`phase.provider=${provider.url}`)
  await startBoot(t, machine, [provider]).event(({ type }) => type === 'step-failed')
  assert.deepEqual(machine.failures(), [{ step: 'fetch', code: 'image-layout-invalid', provider: provider.url }])
})
