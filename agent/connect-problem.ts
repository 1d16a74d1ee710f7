import { connect } from 'node:net'
import { hostAndPort } from '../service/url-host.ts'

/**
 * Why nothing can be connected to at a URL, or undefined. Nothing is sent.
 * @param within milliseconds
 */
export function connectProblem(url: string, within: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...hostAndPort(new URL(url)), signal })
    const timer = setTimeout(() => end(`it does not answer within ${within / 1000} s`), within)
    const end = (problem?: string) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(problem)
    }
    socket.once('connect', () => end())
    socket.once('error', ({ message }) => end(`nobody listens there: ${message}`))
  })
}
