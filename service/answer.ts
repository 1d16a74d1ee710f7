import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Arch } from './arch.ts'
import { answerFile } from './artifact-answer.ts'
import { findSet, openArtifact, readDocument } from './boot-sets.ts'
import { isLoopback } from './client-bytes.ts'
import { ENVELOPE_FILE } from './dsse.ts'
import { PlasmError } from './errors.ts'
import { findBlob } from './find-blob.ts'
import { health } from './health.ts'
import { notFound, sendJson } from './http-problem.ts'
import { MANIFEST_FILE } from './manifest.ts'
import { manifestOf } from './manifest-answer.ts'
import { routeOf } from './route.ts'
import type { Site } from './site.ts'
import { about, status } from './status.ts'

/**
 * Answers one request (INTEROP: provider HTTP API).
 * @throws PlasmError with a code of http-problem.ts; anything else is a failure of ours
 */
export async function answer(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const route = routeOf(request.url ?? '')
  const isReceipts = typeof route === 'object' && route.kind === 'receipts'
  const methods = isReceipts ? ['POST'] : ['GET', 'HEAD']
  if (!methods.includes(request.method ?? '')) {
    const allow = methods.join(', ')
    throw new PlasmError('method-not-allowed', `only ${allow} is answered here`, { facts: { allow } })
  }
  if (route === undefined) throw notFound()
  if (route === 'malformed') throw new PlasmError('bad-request', 'the path is not valid percent-encoding')
  switch (route.kind) {
    case 'about':
      return void sendJson(response, 200, about(site))
    case 'health': {
      const found = await health(site.root)
      return void sendJson(response, found.status === 'healthy' ? 200 : 503, found)
    }
    case 'status':
      return void sendJson(response, 200, await status(site))
    case 'receipts':
      // Loaded by the first who asks: a provider may start and stop without.
      return (await import('./receipt-answer.ts')).answerReceipt(site, request, response)
    case 'clients':
      if (!isLoopback(request.socket.remoteAddress ?? '')) {
        throw new PlasmError('loopback-only', 'who fetched what is told on this machine alone')
      }
      return void sendJson(response, 200, { clients: site.clients.list() })
    case 'default-manifest':
      return answerSetFile(site, request, response, { channel: site.channel, arch: site.arch, name: route.name })
    case 'file':
      return answerSetFile(site, request, response, route)
    case 'blob': {
      const file = await findBlob(site, route.digest)
      if (!file) throw notFound()
      return answerFile(site, request, response, file)
    }
  }
}

async function answerSetFile(
  site: Site,
  request: IncomingMessage,
  response: ServerResponse,
  { channel, arch, name }: { channel: string; arch: Arch; name: string },
): Promise<void> {
  const set = await findSet(site.root, channel, arch)
  if (!set) throw notFound()
  if (name === MANIFEST_FILE || name === ENVELOPE_FILE) {
    const bytes = await (name === MANIFEST_FILE ? manifestOf(site, set) : readDocument(site.root, set, name))
    if (!bytes) throw notFound()
    site.metrics.bytesServed += sendJson(response, 200, bytes)
    return
  }
  const file = await openArtifact(site.root, set, name)
  if (!file) throw notFound()
  return answerFile(site, request, response, file)
}
