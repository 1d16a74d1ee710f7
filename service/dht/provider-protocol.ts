import type { PeerId, Stream } from '@libp2p/interface'
import { KEY_MAX_BYTES, parseRecordKey } from './keys.ts'
import type { Libp2pNode } from './libp2p-node.ts'
import { DOCUMENT_MAX_BYTES, type ProviderDocument, parseProviderDocument } from './provider-document.ts'

/**
 * How a peer that the DHT names says what it provides: who asks opens a stream, writes a record key (or nothing) and closes its
 * side; the answer is one JSON document (provider-document.ts), or nothing where it provides nothing of that kind; then the other side is closed.
 */
export const PROVIDER_PROTOCOL = '/plasm/provider/1.0.0'
/** Longest that one question may take, connecting included. */
export const ASK_WITHIN_MS = 3_000
/** Of one connection; who asks needs one at a time. */
const STREAMS = 4

/** What is provided by a record key; the first of all where none is asked for. */
export type AnswerProvider = (
  place: { readonly channel: string; readonly archName: string } | undefined,
) => Promise<ProviderDocument | undefined>

/** Answers until the node stops. */
export async function answerProvider(node: Libp2pNode, answer: AnswerProvider): Promise<void> {
  const reply = async (stream: Stream) => {
    const signal = AbortSignal.timeout(ASK_WITHIN_MS)
    const key = await readAll(stream, KEY_MAX_BYTES, signal)
    const document = key.length > 0 && !parseRecordKey(key) ? undefined : await answer(parseRecordKey(key))
    if (document) stream.send(Buffer.from(JSON.stringify(document)))
    await stream.close({ signal })
  }
  const options = { maxInboundStreams: STREAMS, maxOutboundStreams: STREAMS }
  await node.handle(PROVIDER_PROTOCOL, (stream) => reply(stream).catch((thrown) => stream.abort(thrown)), options)
}

/** What a peer has said, and the IP address at which it said so. */
export interface PeerAnswer {
  readonly document: ProviderDocument
  readonly host: string | undefined
}

/**
 * Asks one peer.
 * @throws Error whose message says what is wrong with the peer, for people
 */
export async function askProvider(
  node: Libp2pNode,
  peer: PeerId,
  key: Uint8Array,
  stop: AbortSignal,
  within = ASK_WITHIN_MS,
): Promise<PeerAnswer> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(within)])
  let bytes: Uint8Array
  let host: string | undefined
  try {
    const stream = await node.dialProtocol(peer, PROVIDER_PROTOCOL, { signal })
    const connection = node.getConnections(peer).find(({ status }) => status === 'open')
    host = connection && /^\/ip[46]\/([^/]+)\//.exec(connection.remoteAddr.toString())?.[1]
    stream.send(key)
    await stream.close({ signal })
    bytes = await readAll(stream, DOCUMENT_MAX_BYTES, signal)
  } catch (thrown) {
    throw new Error(signal.aborted ? `it does not answer within ${within / 1000} s` : unanswered(thrown as Error))
  }
  if (bytes.length === 0) throw new Error('it says that it provides nothing of this kind')
  try {
    return { document: parseProviderDocument(bytes), host }
  } catch (thrown) {
    throw new Error(`its answer is no provider's: ${(thrown as Error).message}`)
  }
}

function unanswered({ name, message }: Error): string {
  if (name === 'UnsupportedProtocolError') return `it does not speak ${PROVIDER_PROTOCOL}`
  // libp2p puts the errors of all addresses behind the first line.
  return message.split('\n', 1)[0]!.slice(0, 200)
}

/** All that the other side writes. @throws Error where that is too much, or takes longer than the signal */
async function readAll(stream: Stream, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const cut = () => stream.abort(new Error('took too long'))
  signal.addEventListener('abort', cut)
  try {
    const pieces: Uint8Array[] = []
    let length = 0
    for await (const piece of stream) {
      length += piece.byteLength
      if (length > maxBytes) {
        const tooLong = new Error(`its answer has more than ${maxBytes} bytes`)
        stream.abort(tooLong)
        throw tooLong
      }
      pieces.push(piece.subarray())
    }
    signal.throwIfAborted()
    return Buffer.concat(pieces)
  } finally {
    signal.removeEventListener('abort', cut)
  }
}
