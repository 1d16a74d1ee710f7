import { constants } from 'node:fs'
import { access, readFile, statfs } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { PlasmError } from '../service/errors.ts'
import { type Manifest, setBytes } from '../service/manifest.ts'
import type { HandoverKind, MemoryBudget } from './boot-record.ts'
import { checkBudget, sizesFor } from './budget.ts'
import { nextCommandLine } from './kernel-command-line.ts'
import { type Memory, readMemory } from './memory.ts'

/** COMMAND_LINE_SIZE of x86_64 and arm64, with its closing NUL (kernel: arch/x86/include/asm/setup.h). */
const COMMAND_LINE_SIZE = 2048

/** Left free on the data disk: directories, small files, and room for the logs. */
const DISK_RESERVE_BYTES = 32 * 1024 * 1024

/** What preflight looks at; read from the machine by {@link readFacts}. */
export interface PreflightFacts {
  readonly kexecLoadDisabled: boolean
  /** Path of the kexec program, or null when there is none. */
  readonly kexecProgram: string | null
  /** Command line for the next kernel. */
  readonly commandLine: string
  readonly memory: Memory
  readonly scratchFreeBytes: number
  /** Room for the set on the data disk, bytes; null where there is none. */
  readonly diskFreeBytes: number | null
  /** Whether the next system takes part in the DHT. */
  readonly dht?: boolean
}

/** Not exported: only {@link preflight} can say that it passed. */
const passed: unique symbol = Symbol('passed')

/** What a boot may rely on once preflight has passed. */
export interface Preflight {
  readonly [passed]: true
  /** How the set will cross kexec. */
  readonly handover: HandoverKind
  readonly budget: MemoryBudget
  readonly kexecProgram: string
  readonly commandLine: string
  readonly facts: PreflightFacts
}

/**
 * Refuses, before anything is fetched, what would make kexec fail.
 * @throws PlasmError `kexec-disabled` | `kexec-missing` | `command-line-too-long` | `memory-too-small` | `scratch-too-small`
 */
export function preflight(manifest: Manifest, facts: PreflightFacts): Preflight {
  const { kexecProgram, commandLine } = facts
  if (facts.kexecLoadDisabled) {
    throw new PlasmError('kexec-disabled', 'this kernel refuses kexec: kernel.kexec_load_disabled is not 0', {
      hint: 'it cannot be undone while the kernel runs; boot from a medium whose kernel has kexec and allows it',
    })
  }
  if (kexecProgram === null) {
    throw new PlasmError('kexec-missing', 'there is no kexec program in PATH', {
      hint: 'put kexec-tools into the boot medium',
    })
  }
  const commandLineBytes = Buffer.byteLength(commandLine)
  if (commandLineBytes >= COMMAND_LINE_SIZE) {
    throw new PlasmError('command-line-too-long', `the next kernel's command line has ${commandLineBytes} bytes`, {
      facts: { bytes: commandLineBytes, limit: COMMAND_LINE_SIZE - 1 },
      hint: 'a kernel cuts what is longer; remove parameters from the boot medium',
    })
  }
  return { [passed]: true, ...chooseHandover(manifest, facts), kexecProgram, commandLine, facts }
}

/**
 * How the set crosses (DESIGN decision 5): on the data disk where it has room, else in the new initrd where memory has, else without
 * its rootfs, which the next kernel fetches.
 */
function chooseHandover(
  manifest: Manifest,
  { memory, scratchFreeBytes, diskFreeBytes, dht = false }: PreflightFacts,
): { readonly handover: HandoverKind; readonly budget: MemoryBudget } {
  const by = (handover: HandoverKind) => ({
    handover,
    budget: checkBudget({ ...sizesFor(manifest, handover), dht }, memory, scratchFreeBytes),
  })
  if (diskFreeBytes !== null && diskFreeBytes >= roomOnDisk(manifest)) return by('disk')
  try {
    return by('carry')
  } catch (thrown) {
    if (!manifest.artifacts.rootfs) throw thrown
    return by('refetch')
  }
}

/** What a data disk must have free for a set, bytes. */
export function roomOnDisk(manifest: Manifest): number {
  return setBytes(manifest) + DISK_RESERVE_BYTES
}

/** A kernel that was built without kexec has no such file. */
const KEXEC_LOAD_DISABLED = '/proc/sys/kernel/kexec_load_disabled'

/**
 * @param scratchDirectory must exist
 * @param heldBytes what an earlier provider's part of the same set takes there already: it is room for this set, too
 * @param diskFreeBytes room for the set on the data disk; null where there is none
 */
export async function readFacts(
  scratchDirectory: string,
  bootNonce: string,
  heldBytes: number,
  kexecLoadDisabled: string = KEXEC_LOAD_DISABLED,
  diskFreeBytes: number | null = null,
): Promise<PreflightFacts> {
  const { totalMiB, availableMiB } = readMemory()
  const { bavail, bsize } = await statfs(scratchDirectory)
  const disabled = await readFile(kexecLoadDisabled, 'utf8').catch(() => '1')
  return {
    kexecLoadDisabled: disabled.trim() !== '0',
    kexecProgram: await findProgram('kexec', process.env.PATH ?? ''),
    commandLine: nextCommandLine(await readFile('/proc/cmdline', 'utf8'), bootNonce),
    memory: { totalMiB, availableMiB: availableMiB + Math.floor(heldBytes / (1024 * 1024)) },
    scratchFreeBytes: bavail * bsize + heldBytes,
    diskFreeBytes,
  }
}

async function findProgram(name: string, path: string): Promise<string | null> {
  for (const directory of path.split(delimiter).filter(Boolean)) {
    const file = join(directory, name)
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return file
  }
  return null
}
