import { createReadStream, createWriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { PlasmError } from '../service/errors.ts'
import { NEWC_TRAILER, newcHeader } from './cpio.ts'

/**
 * An initramfs of ours (DESIGN decision 4), as the kernel reads it, segment by segment:
 *
 *     newc: etc/plasm/image-layout | zstd newc: base | zstd newc: trust, release … | newc: agent.sqfs
 *     `------------------------- prefix -------------------------------------'
 *
 * The layout file says, in shell's own form, where the prefix ends and where agent.sqfs lies; it comes first and has a fixed
 * length, so that a client knows both from the first bytes of a download. agent/handover-layout.ts holds the same contract.
 */
const LAYOUT_FILE = 'etc/plasm/image-layout'
const LAYOUT_BYTES = 256
const DIRECTORY_MODE = 0o40755
const FILE_MODE = 0o100644
/** A loop device's offset must be a multiple of its sector size; a page is that on every machine here. */
const AGENT_ALIGNMENT = 4096

export interface ImageLayout {
  readonly prefixBytes: number
  readonly agentOffset: number
  readonly agentBytes: number
}

/** Writes an initramfs out of prefix segments (each padded to 4 bytes) and a squashfs. */
export async function composeInitramfs(
  output: string,
  segments: readonly string[],
  squashfs: string,
): Promise<ImageLayout> {
  const sizes = await Promise.all(segments.map(async (segment) => (await stat(segment)).size))
  const agentBytes = (await stat(squashfs)).size
  const layoutSegmentBytes = layoutSegment({ prefixBytes: 0, agentOffset: 0, agentBytes: 0 }).length
  const prefixBytes = sizes.reduce((sum, size) => sum + size, layoutSegmentBytes)
  const header = agentHeader(prefixBytes, agentBytes)
  const layout = { prefixBytes, agentOffset: prefixBytes + header.length, agentBytes }
  await append(output, layoutSegment(layout), 'w')
  for (const segment of segments) await appendFile(output, segment)
  await append(output, header, 'a')
  await appendFile(output, squashfs)
  await append(output, Buffer.concat([Buffer.alloc((4 - (agentBytes % 4)) % 4), NEWC_TRAILER]), 'a')
  return layout
}

/** The layout at the front of an initramfs built here. @throws PlasmError `image-layout-missing` */
export async function readLayout(initramfs: string): Promise<ImageLayout> {
  const file = await open(initramfs)
  try {
    const length = layoutSegment({ prefixBytes: 0, agentOffset: 0, agentBytes: 0 }).length
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, 0)
    const end = length - NEWC_TRAILER.length
    const text = buffer.toString('latin1', end - LAYOUT_BYTES, end)
    const value = (name: string) => Number(new RegExp(`^PLASM_${name}=(\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
    const layout = {
      prefixBytes: value('PREFIX_BYTES'),
      agentOffset: value('AGENT_OFFSET'),
      agentBytes: value('AGENT_BYTES'),
    }
    if (Object.values(layout).every(Number.isSafeInteger)) return layout
  } finally {
    await file.close()
  }
  throw new PlasmError(
    'image-layout-missing',
    `${initramfs} is no initramfs of this project: it does not begin with its layout`,
    {
      facts: { file: initramfs },
      hint: 'name a directory that `plasm-images build` wrote',
    },
  )
}

/** A built initramfs with one more segment at the end of its prefix. */
export async function insertSegment(initramfs: string, segment: string, output: string): Promise<ImageLayout> {
  const old = await readLayout(initramfs)
  const empty = layoutSegment({ prefixBytes: 0, agentOffset: 0, agentBytes: 0 })
  const prefixBytes = old.prefixBytes + (await stat(segment)).size
  const header = agentHeader(prefixBytes, old.agentBytes)
  const layout = { ...old, prefixBytes, agentOffset: prefixBytes + header.length }
  await append(output, layoutSegment(layout), 'w')
  await appendFile(output, initramfs, { start: empty.length, end: old.prefixBytes - 1 })
  await appendFile(output, segment)
  await append(output, header, 'a')
  await appendFile(output, initramfs, { start: old.agentOffset })
  return layout
}

function layoutSegment(layout: ImageLayout): Buffer {
  const lines = [
    `PLASM_PREFIX_BYTES=${layout.prefixBytes}`,
    `PLASM_AGENT_OFFSET=${layout.agentOffset}`,
    `PLASM_AGENT_BYTES=${layout.agentBytes}`,
  ]
  return Buffer.concat([
    newcHeader({ name: 'etc', mode: DIRECTORY_MODE, size: 0, ino: 1, nlink: 2 }),
    newcHeader({ name: 'etc/plasm', mode: DIRECTORY_MODE, size: 0, ino: 2, nlink: 2 }),
    newcHeader({ name: LAYOUT_FILE, mode: FILE_MODE, size: LAYOUT_BYTES, ino: 3 }),
    Buffer.from(`${lines.join('\n')}\n`.padEnd(LAYOUT_BYTES, '\n'), 'latin1'),
    NEWC_TRAILER,
  ])
}

/**
 * Header of agent.sqfs, preceded by zeros (which the kernel skips between segments) so that the data begin on a multiple of
 * {@link AGENT_ALIGNMENT}.
 */
function agentHeader(prefixBytes: number, agentBytes: number): Buffer {
  const header = newcHeader({ name: 'agent.sqfs', mode: FILE_MODE, size: agentBytes, ino: 1 })
  const end = prefixBytes + header.length
  return Buffer.concat([Buffer.alloc(Math.ceil(end / AGENT_ALIGNMENT) * AGENT_ALIGNMENT - end), header])
}

async function append(path: string, bytes: Buffer, flags: 'w' | 'a'): Promise<void> {
  const file = await open(path, flags)
  try {
    await file.writeFile(bytes)
  } finally {
    await file.close()
  }
}

async function appendFile(path: string, from: string, range: { start?: number; end?: number } = {}): Promise<void> {
  await pipeline(createReadStream(from, { ...range, highWaterMark: 1 << 20 }), createWriteStream(path, { flags: 'a' }))
}
