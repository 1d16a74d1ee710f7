import type { PeerId, Stream } from '@libp2p/interface'
import { KEY_MAX_BYTES, parseRecordKey } from './keys.ts'
import type { Libp2pNode } from './libp2p-node.ts'
import { DOCUMENT_MAX_BYTES, type ProviderDocument, parseProviderDocument } from './provider-document.ts'
import { readStream } from './read-stream.ts'

/**
 * How a peer that the DHT names says what it provides: who asks opens a stream, writes a record key (or nothing) and closes its
 * side; then comes one JSON document (provider-document.ts), or nothing where it provides nothing of that kind, and the other side is closed.
 * An answer that does not wait for the question's end may be lost: js-libp2p drops it with what it read of the negotiation.
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
    const key = await readStream(stream, KEY_MAX_BYTES, signal)
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
    // Read from the start: what came before both sides had closed is lost on who listens only then.
    const answer = readStream(stream, DOCUMENT_MAX_BYTES, signal)
    answer.catch(() => {})
    stream.send(key)
    await stream.close({ signal })
    bytes = await answer
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
