import { execa } from 'execa'
import { type Arch, hostArch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { IMAGE_ARCHES } from './arch-table.ts'

/**
 * What runs a static program of an architecture here: nothing, or qemu-user.
 * @returns words before the program @throws PlasmError `emulator-missing`
 */
export async function programRunner(arch: Arch): Promise<readonly string[]> {
  return arch === hostArch() ? [] : [await emulatorPath(arch)]
}

/** @returns the path of qemu-user for an architecture @throws PlasmError `emulator-missing` */
export async function emulatorPath(arch: Arch): Promise<string> {
  const { emulator } = IMAGE_ARCHES[arch]
  const found = await execa('which', [emulator], { reject: false })
  if (!found.failed) return found.stdout.trim()
  throw new PlasmError('emulator-missing', `a rootfs for ${arch} needs ${emulator} on this host`, {
    facts: { arch, program: emulator },
    hint: 'apt-get install qemu-user-static',
  })
}
