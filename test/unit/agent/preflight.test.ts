import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkBudget } from '../../../agent/budget.ts'
import { type PreflightFacts, preflight } from '../../../agent/preflight.ts'
import { verify } from '../../../agent/verify.ts'
import { hostArch } from '../../../service/arch.ts'
import { makeSet } from '../../support/boot-set.ts'
import { TRUSTING } from '../../support/trust.ts'

const MIB = 1024 * 1024
/** What an image built here weighs. */
const sizes = { prefixBytes: 3 * MIB, setBytes: 54 * MIB, kernelBytes: 12 * MIB }

const budgets: ReadonlyArray<[name: string, total: number, available: number, scratch: number, code: string | null]> = [
  ['512 MiB', 470, 340, 420, null],
  ['384 MiB', 345, 220, 300, null],
  ['too little available now', 345, 180, 300, 'memory-too-small'],
  ['a next root that cannot hold the set', 138, 400, 300, 'memory-too-small'],
  ['no room for initrd and kernel', 470, 340, 68, 'scratch-too-small'],
]
for (const [name, totalMiB, availableMiB, scratch, code] of budgets) {
  test(`budget: ${name}`, () => {
    const check = () => checkBudget(sizes, { totalMiB, availableMiB }, scratch * MIB)
    if (code) assert.throws(check, { code })
    else
      assert.deepEqual(check(), {
        totalMiB,
        availableMiB,
        needMiB: 186,
        rootfsFreeMiB: scratch,
        initrdMiB: 57,
        kernelMiB: 12,
      })
  })
}

test('a machine that takes part in the DHT needs memory for it once it serves', () => {
  const check = (dht: boolean) => checkBudget({ ...sizes, dht }, { totalMiB: 260, availableMiB: 250 }, 200 * MIB)
  assert.equal(check(false).needMiB, 186)
  // 16 + 54 + 64 + 100 + 40
  assert.throws(() => check(true), { code: 'memory-too-small', facts: { ...check(false), wantedMiB: 274 } })
})

test('a prefix that is the whole initramfs is counted once it is known', () => {
  const foreign = { ...sizes, prefixBytes: 42 * MIB }
  assert.throws(() => checkBudget(foreign, { totalMiB: 345, availableMiB: 220 }, 300 * MIB), {
    code: 'memory-too-small',
  })
})

const raw = { bytes: makeSet({ agentBytes: 1, kernelBytes: 1 }).manifest, from: 'test', form: 'plain' } as const
const { manifest } = verify(raw, TRUSTING, { channel: 'stable', arch: hostArch() })
const good: PreflightFacts = {
  kexecLoadDisabled: false,
  kexecProgram: '/sbin/kexec',
  commandLine: 'quiet',
  memory: { totalMiB: 470, availableMiB: 340 },
  scratchFreeBytes: 420 * MIB,
  diskFreeBytes: null,
}

const refusals: ReadonlyArray<[code: string, facts: Partial<PreflightFacts>]> = [
  ['kexec-disabled', { kexecLoadDisabled: true }],
  ['kexec-missing', { kexecProgram: null }],
  ['command-line-too-long', { commandLine: 'x'.repeat(2048) }],
  ['memory-too-small', { memory: { totalMiB: 470, availableMiB: 40 } }],
  ['scratch-too-small', { scratchFreeBytes: 0 }],
]
for (const [code, facts] of refusals) {
  test(`refuses with ${code}`, () => assert.throws(() => preflight(manifest, { ...good, ...facts }), { code }))
}

test('a data disk with room takes the set, however little memory there is for it', () => {
  const small = { ...good, memory: { totalMiB: 200, availableMiB: 80 } }
  const large = {
    ...manifest,
    artifacts: { ...manifest.artifacts, rootfs: { ...manifest.artifacts.rootfs!, size_bytes: 300 * MIB } },
  }
  assert.equal(preflight(large, { ...small, diskFreeBytes: 400 * MIB }).handover, 'disk')
  assert.equal(preflight(manifest, { ...good, diskFreeBytes: 10 * MIB }).handover, 'carry')
  assert.throws(() => preflight(large, { ...small, diskFreeBytes: 300 * MIB }), {
    code: 'memory-too-small',
    message: /takes 481 MiB of 200/,
    hint: /at least 481 MiB of memory.* or a data disk/,
  })
})

test('a rootfs that cannot be carried is fetched after kexec, where memory can hold it then', () => {
  const rootfs = { ...manifest.artifacts.rootfs!, size_bytes: 200 * MIB }
  const large = { ...manifest, artifacts: { ...manifest.artifacts, rootfs } }
  const { handover, budget } = preflight(large, good)
  assert.equal(handover, 'refetch')
  assert.ok(budget.initrdMiB < 10, `${budget.initrdMiB} MiB of initrd`)
  const larger = { ...large, artifacts: { ...large.artifacts, rootfs: { ...rootfs, size_bytes: 400 * MIB } } }
  assert.throws(() => preflight(larger, good), {
    code: 'memory-too-small',
    message: /running with the whole set in memory takes 5\d\d MiB of 470/,
  })
})

test('passes with the longest command line that a kernel keeps whole', () => {
  assert.equal(preflight(manifest, { ...good, commandLine: 'x'.repeat(2047) }).kexecProgram, '/sbin/kexec')
})
