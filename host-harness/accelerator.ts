import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Arch, hostArch } from '../service/arch.ts'
import { consoleFacts } from './console.ts'
import { startMachine } from './machine.ts'
import { type Accelerator, MACHINE_ARCHES } from './qemu-args.ts'

/** Its logs have this name. */
const TRIAL = 'kvm-trial'
const TRIAL_MS = 3000
const LOOK_EVERY_MS = 20

export interface ChosenAccelerator {
  readonly accel: Accelerator
  /** One sentence. */
  readonly because: string
}

/**
 * KVM where it works. The device node proves nothing (nested hosts have one whose guests hang), so a kernel is started and
 * must say its first words within three seconds.
 */
export async function chooseAccelerator(arch: Arch, kernel: string, runDir: string): Promise<ChosenAccelerator> {
  if (arch !== hostArch()) return tcg(`this host is ${hostArch()}`)
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  if (!usable) return tcg('/dev/kvm is absent or not yours to use')
  const failure = await tryKvm(arch, kernel, runDir)
  return failure ? tcg(kvmFailed(failure, runDir)) : { accel: 'kvm', because: 'a trial boot with KVM worked' }
}

/** @param failure why the trial did not end well */
export const kvmFailed = (failure: string, runDir: string) =>
  `KVM does not work here: ${failure} (see ${relative('.', join(runDir, TRIAL))}.console.log and .qemu.log)`

const tcg = (why: string): ChosenAccelerator => ({ accel: 'tcg', because: `${why}; emulated, so slow` })

/** @returns why it does not work, or undefined */
async function tryKvm(arch: Arch, kernel: string, runDir: string): Promise<string | undefined> {
  const commandLine = `console=${MACHINE_ARCHES[arch].console} loglevel=6 panic=0`
  const spec = { name: TRIAL, arch, accel: 'kvm', memoryMiB: 256, kernel, commandLine } as const
  const deadline = performance.now() + TRIAL_MS
  try {
    await using machine = await startMachine(spec, runDir)
    while (performance.now() < deadline) {
      const ended = machine.ended()
      if (ended) return ended
      if (consoleFacts(machine.lines).banners.length > 0) return undefined
      await sleep(LOOK_EVERY_MS)
    }
    return `no word from a kernel in ${TRIAL_MS / 1000} s`
  } catch (thrown) {
    return (thrown as Error).message
  }
}
