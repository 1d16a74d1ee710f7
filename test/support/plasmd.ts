import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Provider, type ProviderOptions, startProvider } from '../../service/provider.ts'

export const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** A served root in a directory of its own, gone after the test. */
export async function makeRoot(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'plasmd-test-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  return root
}

/** Writes files into a set's directory. Content given as a number is that many random bytes. @returns the contents */
export async function putSet<const T extends Record<string, number | string | Uint8Array>>(
  dir: string,
  files: T,
): Promise<{ [name in keyof T]: Buffer }> {
  await mkdir(dir, { recursive: true })
  const contents: Record<string, Buffer> = {}
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === 'number' ? randomBytes(content) : Buffer.from(content as string)
    contents[name] = bytes
    await writeFile(join(dir, name), bytes)
  }
  return contents as { [name in keyof T]: Buffer }
}

/** A provider on a free loopback port, stopped after the test. */
export async function serve(t: TestContext, root: string, options: Partial<ProviderOptions> = {}): Promise<Provider> {
  const provider = await startProvider({ artifacts: root, port: 0, bind: '127.0.0.1', arch: 'x86_64', ...options })
  t.after(() => provider.stop(0))
  return provider
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Ask {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array
}

/** One request with its target exactly as given: URL classes would tidy up what these tests are about. */
export function ask(
  provider: Pick<Provider, 'port'>,
  target: string,
  { method = 'GET', headers = {}, body }: Ask = {},
) {
  return new Promise<Answer>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: provider.port, path: target, method, headers, agent: false }
    request(options, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece)).on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) }),
      )
    })
      .on('error', reject)
      .end(body)
  })
}

export const errorOf = ({ body }: Answer): string => (JSON.parse(body.toString()) as { error: string }).error
