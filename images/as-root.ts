import { fileURLToPath } from 'node:url'
import { execa, type Options } from 'execa'
import { type Arch, hostArch } from '../service/arch.ts'
import { IMAGE_ARCHES } from './arch-table.ts'
import { emulatorPath } from './emulator.ts'

const AS_ROOT = fileURLToPath(new URL('./as-root.sh', import.meta.url))

/**
 * Runs a command as root over a tree of files (as-root.sh): where nobody here is root, in a user namespace.
 * @param arch whose programs the command runs; of another architecture than this host's by qemu-user
 * @throws PlasmError `emulator-missing`, what execa throws
 */
export async function asRoot(arch: Arch, command: readonly string[], options: Options = {}): Promise<void> {
  const emulate = arch === hostArch() ? [] : ['--emulate', await emulatorPath(arch), IMAGE_ARCHES[arch].elfMachine]
  await execa(AS_ROOT, [...emulate, ...command], { stdin: 'ignore', ...options })
}
