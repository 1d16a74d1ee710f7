import { PlasmError } from '../service/errors.ts'
import { LAYOUT_BYTES, LAYOUT_FILE } from './handover-layout.ts'
import { findInNewc } from './newc.ts'

/**
 * Where the prefix of an initramfs ends, read from its beginning.
 * @param head the first bytes of the initramfs (64 KiB are plenty)
 * @param initramfsBytes its whole length
 * @returns the prefix's length; the whole length for an initramfs of some other project
 * @throws PlasmError `image-layout-invalid` when the layout is there and cannot be true
 */
export function prefixBytesOf(head: Buffer, initramfsBytes: number): number {
  const content = findInNewc(head, LAYOUT_FILE)
  if (!content) return initramfsBytes
  const text = content.toString('latin1')
  const value = (name: string) => Number(new RegExp(`^${name}=(\\d{1,10})$`, 'm').exec(text)?.[1] ?? Number.NaN)
  const prefix = value('PLASM_PREFIX_BYTES')
  const offset = value('PLASM_AGENT_OFFSET')
  const length = value('PLASM_AGENT_BYTES')
  const problem =
    content.length !== LAYOUT_BYTES
      ? `is not ${LAYOUT_BYTES} bytes long`
      : !(prefix > 0 && prefix % 4 === 0)
        ? 'does not give a prefix whose length is a multiple of 4'
        : !(offset % 4096 === 0 && offset >= prefix && offset + length <= initramfsBytes)
          ? 'places the agent outside of the initramfs or inside its prefix'
          : undefined
  if (problem === undefined) return prefix
  throw new PlasmError('image-layout-invalid', `${LAYOUT_FILE} in the published initramfs ${problem}`, {
    facts: { file: LAYOUT_FILE, initramfsBytes },
    hint: 'the boot set was built wrongly; build and publish it again',
  })
}
