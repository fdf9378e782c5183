// Node's HTTP, for both ends of the control socket. An import of node:http would load undici for
// names that nobody here uses, which takes each command longer than most of them run.

export const { createServer, request } = process.getBuiltinModule('node:http')
