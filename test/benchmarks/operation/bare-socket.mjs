/** One end of a bare line, in a process of its own: Node's TCP or TLS and nothing else. What arrives is counted and dropped. */
import { readFileSync } from 'node:fs';
import { connect as connectPlain, createServer as createPlain } from 'node:net';
import { connect as connectSecure, createServer as createSecure } from 'node:tls';
import { answerParent } from '../answer-parent.mjs';

/** As the site agent reads its file. */
const PIECE_BYTES = 1 << 19;

const answers = { listen, send, processorSeconds };

function processorSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Takes one line after the other and answers each with a byte when so many bytes have come. Gives the port. */
function listen({ certificate, bytes }) {
  const take = (socket) => {
    let left = bytes;
    socket.on('data', ({ length }) => {
      left -= length;
      if (left === 0) socket.end('.');
    });
  };
  const server =
    certificate === undefined
      ? createPlain(take)
      : createSecure({ cert: readFileSync(certificate.file), key: readFileSync(certificate.key) }, take);
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
}

/** Sends so many bytes over a new line, two pieces at a time, and gives the seconds until the other end has said that all came. */
async function send({ port, certificate, bytes }) {
  const socket = await open(port, certificate);
  const piece = Buffer.alloc(PIECE_BYTES, 7);
  const startedAt = performance.now();
  let left = bytes;
  const next = () => {
    if (left === 0) return;
    const part = piece.subarray(0, Math.min(left, piece.length));
    left -= part.length;
    socket.write(part, next);
  };
  next();
  next();
  await new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject));
  socket.destroy();
  return (performance.now() - startedAt) / 1000;
}

function open(port, certificate) {
  const way = { host: '127.0.0.1', port };
  return new Promise((resolve, reject) => {
    const socket =
      certificate === undefined
        ? connectPlain(way, () => resolve(socket))
        : connectSecure({ ...way, ca: readFileSync(certificate.file) }, () => resolve(socket));
    socket.once('error', reject);
  });
}

process.on('disconnect', () => process.exit(0));
answerParent(answers);
