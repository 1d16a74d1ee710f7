import type { Stream } from '@libp2p/interface'

/**
 * All that the other side writes. By events: a stream's iterator does not end where the other side had closed before it began.
 * @throws Error where that is too much, or takes longer than the signal
 */
export function readStream(stream: Stream, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let length = 0
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const fail = (error: Error) => {
    reject(error)
    // Its events come at once.
    stream.abort(error)
  }
  const onMessage = ({ data }: { data: { byteLength: number; subarray(): Uint8Array } }) => {
    length += data.byteLength
    if (length > maxBytes) fail(new Error(`its answer has more than ${maxBytes} bytes`))
    else pieces.push(data.subarray())
  }
  const onEnd = () => resolve(Buffer.concat(pieces))
  const onClose = ({ error }: { error?: Error }) => (error ? reject(error) : onEnd())
  const onAbort = () => fail(new Error('took too long'))
  stream.addEventListener('message', onMessage)
  stream.addEventListener('end', onEnd)
  stream.addEventListener('close', onClose)
  signal.addEventListener('abort', onAbort)
  if (stream.readableEnded) onEnd()
  if (signal.aborted) onAbort()
  return promise.finally(() => {
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('end', onEnd)
    stream.removeEventListener('close', onClose)
    signal.removeEventListener('abort', onAbort)
  })
}
