import { spawn } from 'node:child_process'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import type { HandedOverSet } from './handover.ts'

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
 * @throws PlasmError `kexec-load-refused` | `kexec-load-failed` (facts: `program`, `exit`, `said`)
 */
export async function load(
  program: string,
  { files, arch }: HandedOverSet,
  commandLine: string,
): Promise<LoadedKernel> {
  const image = { ...files, commandLine }
  const refusals: string[] = []
  for (const mode of LOAD_MODES[arch]) {
    const { exit, said } = await run(program, loadArguments(mode, image))
    if (exit === '0') return { [loaded]: true, program, mode }
    if (!REFUSED.test(said)) {
      throw new PlasmError('kexec-load-failed', `kexec did not load the kernel: ${said || exit}`, {
        facts: { program, exit, said },
      })
    }
    refusals.push(`${MODE_FLAGS[mode].join(' ')}: ${said}`)
  }
  throw new PlasmError('kexec-load-refused', 'the kernel refuses kexec in every mode', {
    facts: { program, refusals },
    hint: 'lockdown may be on (/sys/kernel/security/lockdown): boot a signed kernel, or with Secure Boot off',
  })
}

/**
 * Starts the loaded kernel; does not return when it succeeds. kexec syncs first by itself.
 * @throws PlasmError `kexec-exec-failed`
 */
export async function execute({ program }: LoadedKernel): Promise<never> {
  const { exit, said } = await run(program, ['-e'])
  throw new PlasmError('kexec-exec-failed', `kexec came back instead of starting the kernel: ${said || exit}`, {
    facts: { program, exit, said },
  })
}

/** @returns the exit code or the signal's name, and what the program wrote */
function run(program: string, args: readonly string[]): Promise<{ exit: string; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    const hear = (data: Buffer) => {
      said = `${said}${data.toString('utf8')}`.slice(-2000)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ exit: signal ?? String(code), said: said.trim() }))
  })
}
