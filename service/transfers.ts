/** More at once get a 503 (DESIGN: wire decisions). With two buffers each, transfers take 32 MiB at most. */
export const MAX_TRANSFERS = 16

/** Read size. Larger reads gained nothing; smaller ones cost CPU per byte. */
export const BUFFER_BYTES = 1024 * 1024

/** Idle pairs kept, so that one client after another allocates nothing. */
const SPARE_PAIRS = 2

export type BufferPair = readonly [Buffer, Buffer]

export interface TransferSlot {
  readonly buffers: BufferPair
  /** @param clean false where the kernel may still read from a buffer; such a pair is not used again */
  release(clean: boolean): void
}

export interface TransferSlots {
  /** A place among the running transfers, or undefined when all are taken. */
  acquire(): TransferSlot | undefined
  running(): number
}

export function createTransferSlots(limit = MAX_TRANSFERS): TransferSlots {
  const spare: BufferPair[] = []
  let running = 0
  return {
    running: () => running,
    acquire() {
      if (running >= limit) return undefined
      running += 1
      const buffers = spare.pop() ?? [Buffer.allocUnsafeSlow(BUFFER_BYTES), Buffer.allocUnsafeSlow(BUFFER_BYTES)]
      return {
        buffers,
        release(clean) {
          running -= 1
          if (clean && spare.length < SPARE_PAIRS) spare.push(buffers)
        },
      }
    },
  }
}
