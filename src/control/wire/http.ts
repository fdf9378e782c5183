// Node's HTTP for both ends of the control socket. Importing node:http would load undici for
// exports not used here, which takes longer than most commands run.

export const { createServer, request } = process.getBuiltinModule('node:http')
