// Stands in for node:http2 in the executable. undici loads it for servers that offer HTTP/2 by TLS, which no address of a
// report can be (only plain http is taken); with it come TLS and readline, which a guest would read in at every start.
module.exports = { constants: {} }
