import { createHash, randomBytes } from 'node:crypto'
import { AGENT_SQFS, LAYOUT_BYTES, LAYOUT_FILE } from '../../agent/handover-layout.ts'
import { NEWC_DIRECTORY, NEWC_FILE, newcHeader, newcPadding, newcTrailer } from '../../agent/newc.ts'
import { type Arch, hostArch } from '../../service/arch.ts'

/** A boot set small enough for tests, laid out as a real one. */
export interface TestSet {
  readonly manifest: Buffer
  /** manifest.dsse.json, where the set is signed. */
  readonly envelope?: Buffer
  /** File name -> bytes; the manifest is not among them. */
  readonly files: Readonly<Record<string, Buffer>>
  /** Length of the initramfs's prefix. */
  readonly prefixBytes: number
}

export interface TestSetOptions {
  readonly arch?: Arch | string
  readonly channel?: string
  readonly sequence?: number
  /** Chunk size, or null for a manifest as the Rust plasmd makes it. */
  readonly chunkBytes?: number | null
  readonly initramfs?: Buffer
  readonly agentBytes?: number
  readonly kernelBytes?: number
  /** Last word on the document, to break it. */
  readonly change?: (manifest: Record<string, unknown>) => void
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

export function makeSet(options: TestSetOptions = {}): TestSet {
  const { channel = 'stable', sequence = 1, chunkBytes = 65536 } = options
  const arch = options.arch ?? hostArch()
  const built = makeInitramfs(options.agentBytes ?? 300_001)
  const initramfs = options.initramfs ?? built.bytes
  const files = {
    vmlinuz: randomBytes(options.kernelBytes ?? 150_003),
    'initramfs.img': initramfs,
    'rootfs.sqfs': randomBytes(9),
  }
  const entry = (filename: keyof typeof files) => {
    const bytes = files[filename]
    const size = chunkBytes ?? 0
    const count = Math.ceil(bytes.length / size)
    const sums = () => Array.from({ length: count }, (_, i) => sha256(bytes.subarray(i * size, (i + 1) * size)))
    return {
      filename,
      size_bytes: bytes.length,
      hash: `sha256:${sha256(bytes)}`,
      download_url: `/${channel}/${arch}/${filename}`,
      ...(chunkBytes === null ? {} : { chunks: { size, sha256: sums() } }),
    }
  }
  const manifest: Record<string, unknown> = {
    manifest_version: 1,
    version: '0.1.0',
    channel,
    arch,
    created_at: '2026-01-01T00:00:00Z',
    expires_at: '2126-01-01T00:00:00Z',
    sequence,
    artifacts: { kernel: entry('vmlinuz'), initramfs: entry('initramfs.img'), rootfs: entry('rootfs.sqfs') },
    signatures: [],
  }
  options.change?.(manifest)
  return { manifest: Buffer.from(JSON.stringify(manifest)), files, prefixBytes: built.prefixBytes }
}

/** An initramfs as images/segments.ts lays it out: layout segment, one more segment, the agent at a page's border. */
function makeInitramfs(agentBytes: number): { bytes: Buffer; prefixBytes: number } {
  const base = Buffer.concat([
    member({ name: 'base.txt', mode: NEWC_FILE | 0o644, ino: 1 }, Buffer.from('the base\n')),
    newcTrailer(),
  ])
  const layoutLength = layoutSegment(0, 0, 0).length
  const prefixBytes = layoutLength + base.length
  const header = newcHeader({ name: AGENT_SQFS, mode: NEWC_FILE | 0o644, size: agentBytes, ino: 1 })
  const agentOffset = Math.ceil((prefixBytes + header.length) / 4096) * 4096
  const bytes = Buffer.concat([
    layoutSegment(prefixBytes, agentOffset, agentBytes),
    base,
    Buffer.alloc(agentOffset - header.length - prefixBytes),
    header,
    randomBytes(agentBytes),
    Buffer.alloc(newcPadding(agentBytes)),
    newcTrailer(),
  ])
  return { bytes, prefixBytes }
}

export function layoutSegment(prefixBytes: number, agentOffset: number, agentBytes: number): Buffer {
  const text = `PLASM_PREFIX_BYTES=${prefixBytes}\nPLASM_AGENT_OFFSET=${agentOffset}\nPLASM_AGENT_BYTES=${agentBytes}\n`
  return Buffer.concat([
    member({ name: 'etc', mode: NEWC_DIRECTORY | 0o755, ino: 1 }, Buffer.alloc(0)),
    member({ name: 'etc/plasm', mode: NEWC_DIRECTORY | 0o755, ino: 2 }, Buffer.alloc(0)),
    member({ name: LAYOUT_FILE, mode: NEWC_FILE | 0o644, ino: 3 }, Buffer.from(text.padEnd(LAYOUT_BYTES, '\n'))),
    newcTrailer(),
  ])
}

function member(about: { name: string; mode: number; ino: number }, data: Buffer): Buffer {
  return Buffer.concat([newcHeader({ ...about, size: data.length }), data, Buffer.alloc(newcPadding(data.length))])
}
