/** What the tiny kernel does once it runs; 16-bit x86 machine code. */
export const TINY_KERNEL = {
  /** cli; hlt; jmp back: alive, and silent for ever. */
  hangs: [0xfa, 0xf4, 0xeb, 0xfd],
  /** mov al, 0xfe; out 0x64, al: the keyboard controller's reset line; then hang until it takes effect. */
  resets: [0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd],
  /** Writes `>` and a newline on the first serial port, then each byte that it reads from it. */
  echoes: [
    ...[0xba, 0xf8, 0x03, 0xb0, 0x3e, 0xee, 0xb0, 0x0a, 0xee], // mov dx, 0x3f8; mov al, '>'; out dx, al; '\n' as well
    ...[0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8], // line status: until a byte is there
    ...[0xba, 0xf8, 0x03, 0xec, 0xee, 0xeb, 0xf1], // read it, write it, again
  ],
} as const

const SETUP_SECTORS = 1
const CODE = 0x270

/** The least that QEMU loads as an x86 bzImage (Documentation/arch/x86/boot.rst): the set-up header and a real-mode program. */
export function tinyKernel(code: readonly number[]): Buffer {
  const image = Buffer.alloc(512 * (1 + SETUP_SECTORS) + 4096)
  image[0x1f1] = SETUP_SECTORS
  image.writeUInt16LE(0xaa55, 0x1fe)
  // The entry point is at 0x200: a short jump over the header.
  image.set([0xeb, CODE - 0x202], 0x200)
  image.write('HdrS', 0x202, 'latin1')
  image.writeUInt16LE(0x0204, 0x206)
  // LOADED_HIGH
  image[0x211] = 1
  image.writeUInt32LE(0x37ff_ffff, 0x22c)
  image.set(code, CODE)
  return image
}
