// Stands in, in the executable, for modules that others load at once and the agent never uses. A guest would read them in at
// every start:
//   node:http2     undici, for servers that offer HTTP/2 by TLS, which no address of a report can be (only plain http is
//                  taken); with it come TLS and readline
//   thread-stream  pino, for transports in worker threads, which do not work inside a bundle; with it comes node:worker_threads
module.exports = { constants: {} }
