import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { kvmFailed } from '../../../host-harness/accelerator.ts'

test('who reads that KVM does not work is told where the trial boot is logged', () => {
  assert.equal(
    kvmFailed('no word from a kernel in 3 s', resolve('build/runs/3f2a')),
    'KVM does not work here: no word from a kernel in 3 s ' +
      '(see build/runs/3f2a/kvm-trial.console.log and .qemu.log)',
  )
})
