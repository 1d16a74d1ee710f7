import { statSync } from 'node:fs'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { giveUpFiles } from './give-up-files.ts'
import type { HandedOverSet } from './handover.ts'
import { readMemory } from './memory.ts'
import { runProgram } from './run-program.ts'

/** The two system calls behind `kexec -l`: kexec_load and kexec_file_load. */
export type LoadMode = 'load' | 'file-load'

/**
 * DESIGN decision 6: `-c -i` leaves out the purgatory's hash, which is seconds under emulation, and what is loaded has just
 * been verified; kexec_file_load (`-s`) is for kernels whose lockdown or policy demands it.
 */
const LOAD_MODES: Readonly<Record<Arch, readonly LoadMode[]>> = {
  x86_64: ['load', 'file-load'],
  arm64: ['load', 'file-load'],
}
const MODE_FLAGS: Readonly<Record<LoadMode, readonly string[]>> = { load: ['-c', '-i'], 'file-load': ['-s'] }

/** kexec prints the errno's text, in the C locale. */
const REFUSED = /Operation not permitted/

/** The files stay beside kexec's copy and the kernel's only where so much is left then: a second mode may need them. */
const SPARE_MIB = 192

export interface KexecImage {
  readonly kernel: string
  readonly initrd: string
  readonly commandLine: string
}

/** Arguments of `kexec` that load an image (kexec(8)). */
export function loadArguments(mode: LoadMode, { kernel, initrd, commandLine }: KexecImage): readonly string[] {
  return [...MODE_FLAGS[mode], '-l', kernel, `--initrd=${initrd}`, `--command-line=${commandLine}`]
}

/** Not exported: only {@link load} can make a {@link LoadedKernel}. */
const loaded: unique symbol = Symbol('loaded')

export interface LoadedKernel {
  readonly [loaded]: true
  readonly program: string
  readonly mode: LoadMode
}

/**
 * Loads a handed-over set into memory; reversible.
 * @param program path of kexec
 * @param refused modes that this kernel has refused in this boot; added to, so that a later attempt takes the other one
 * @throws PlasmError `kexec-load-refused` | `kexec-load-failed` (facts: `program`, `exit`, `said`)
 */
export async function load(
  program: string,
  { files, scratch, arch }: HandedOverSet,
  commandLine: string,
  refused: Set<LoadMode> = new Set(),
): Promise<LoadedKernel> {
  const image = { ...files, commandLine }
  const paths = [files.kernel, files.initrd]
  const scarce = memoryIsScarce(paths)
  const left = LOAD_MODES[arch].filter((mode) => !refused.has(mode))
  const refusals: string[] = []
  for (const mode of scarce ? left.slice(0, 1) : left) {
    const onStarted = scarce ? (pid: number) => giveUpFiles(pid, scratch) : undefined
    const { exit, said } = await runProgram(program, loadArguments(mode, image), onStarted)
    if (exit === '0') return { [loaded]: true, program, mode }
    if (!REFUSED.test(said)) {
      throw new PlasmError('kexec-load-failed', `kexec did not load the kernel: ${said || exit}`, {
        facts: { program, exit, said },
      })
    }
    refused.add(mode)
    refusals.push(`${MODE_FLAGS[mode].join(' ')}: ${said}`)
  }
  throw new PlasmError('kexec-load-refused', 'the kernel refuses to load another', {
    facts: { program, refusals },
    hint: 'lockdown may be on (/sys/kernel/security/lockdown): boot a signed kernel, or with Secure Boot off',
  })
}

/** Whether the files must go while kexec loads, and with them the second mode of this attempt. */
function memoryIsScarce(paths: readonly string[]): boolean {
  const copyMiB = paths.reduce((sum, path) => sum + statSync(path).size, 0) / (1024 * 1024)
  return readMemory().availableMiB < 2 * copyMiB + SPARE_MIB
}

/**
 * Starts the loaded kernel; does not return when it succeeds. kexec syncs first by itself.
 * @throws PlasmError `kexec-exec-failed`
 */
export async function execute({ program }: LoadedKernel): Promise<never> {
  const { exit, said } = await runProgram(program, ['-e'])
  throw new PlasmError('kexec-exec-failed', `kexec came back instead of starting the kernel: ${said || exit}`, {
    facts: { program, exit, said },
  })
}
