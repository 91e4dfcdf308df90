// An operator on grpc-js: signs in at our relay, runs a command on a machine, lists the machines.
// Environment: PORT, CA and CERT (PEM files), CREDENTIALS (the sign-ins as JSON), HOST.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const { Reader } = require('protobufjs');
const m = require('./mesh.js');

const env = process.env;
const file = JSON.parse(fs.readFileSync(env.CREDENTIALS));
const server = file.servers.find((s) => s.name === file.current);
const pin = Buffer.from(server.pin, 'base64url');
const binding = m.sha256(m.fromPem(fs.readFileSync(env.CERT)));

const client = new grpc.Client('127.0.0.1:' + env.PORT, grpc.credentials.createSsl(fs.readFileSync(env.CA)),
  { 'grpc.ssl_target_name_override': 'localhost' });

class Link {
  constructor() {
    this.call = client.makeBidiStreamRequest(m.CONNECT, m.same, m.same);
    this.queue = [];
    this.waiting = null;
    this.call.on('data', (bytes) => this.put({ bytes, ...m.decode(bytes) }));
    this.call.on('status', (s) => this.put({ body: 'end', end: s }));
    this.call.on('error', () => {});
  }

  put(frame) {
    if (this.waiting) {
      this.waiting(frame);
      this.waiting = null;
    } else {
      this.queue.push(frame);
    }
  }

  next() {
    if (this.queue.length > 0) return Promise.resolve(this.queue.shift());
    return new Promise((resolve) => { this.waiting = resolve; });
  }

  // Returns the bytes, as the signatures want them.
  send(frame) {
    const bytes = m.encode(frame);
    this.call.write(bytes);
    return bytes;
  }

  async signIn(token) {
    const hello = this.send({ hello: { role: 'ROLE_OPERATOR', versionMin: 1, versionMax: 1, software: 'foreign/js',
      nonce: crypto.randomBytes(32) } });
    const c = (await this.next()).challenge;
    this.challenge = c;
    this.proven = m.verify(m.relayBytes({ hello: m.sha256(hello), nonce: c.nonce, relayKey: c.relayKey,
      relayTimeMs: c.relayTimeMs, version: c.version, binding }), pin, c.signature);
    this.send({ proof: { token } });
    return this.next();
  }
}

async function run(link, channel, argv, input) {
  const window = 65536;
  const output = new m.Output(channel, window, (f) => link.send(f));
  link.send({ open: { channel, kind: 'KIND_EXEC', target: env.HOST, window, params: m.params('ExecOpen',
    { argv: argv.map((a) => Buffer.from(a)) }) } });
  let frame = await link.next();
  if (frame.body !== 'accept') return { frame };
  const accept = frame.accept;
  link.send({ data: { channel, offset: accept.inOffset, payload: Buffer.from(input), fin: true } });
  for (;;) {
    frame = await link.next();
    if (frame.body === 'data') output.take(frame.data);
    if (frame.body === 'close' || frame.body === 'end') return { accept, output, frame };
  }
}

function records(bytes) {
  const Info = m.type('MachineInfo');
  const out = [];
  const reader = Reader.create(bytes);
  while (reader.pos < reader.len) out.push(Info.toObject(Info.decodeDelimited(reader), { longs: Number }));
  return out;
}

async function main() {
  const link = new Link();
  const welcome = await link.signIn(server.token);
  m.fact('grpc-js: the relay holds the pinned key', pin.equals(link.challenge.relayKey));
  m.fact('grpc-js: its signature covers Hello and the certificate', link.proven, link.challenge);
  const peer = link.call.getAuthContext().sslPeerCertificate.raw;
  m.fact('grpc-js: which is the one on the connection', m.sha256(peer).equals(binding));
  m.fact('grpc-js: its clock is told', Math.abs(link.challenge.relayTimeMs - Date.now()) < 60000);
  m.fact('grpc-js: the token is welcome', welcome.body === 'welcome' && welcome.welcome.user === server.user, welcome);

  link.send({ ping: { token: 4711 } });
  const pong = await link.next();
  m.fact('grpc-js: Ping is answered', pong.body === 'pong' && pong.pong.token === 4711, pong);

  const job = await run(link, 1, ['sh', '-c', 'cat; seq 1 400000; echo err >&2; exit 7'], 'hello\n');
  let want = 'hello\n';
  for (let i = 1; i <= 400000; i++) want += i + '\n';
  m.fact('grpc-js: the command is accepted', job.accept !== undefined, job.frame);
  m.fact('grpc-js: 2.7 MB of output in order, within the credit', job.output.faults.length === 0,
    ...job.output.faults.slice(0, 5));
  m.fact('grpc-js: and the right ones', job.output.bytes(0).equals(Buffer.from(want)), job.output.bytes(0).length);
  m.fact('grpc-js: standard error apart', job.output.bytes(1).toString() === 'err\n');
  m.fact('grpc-js: both streams end, then comes the exit status',
    job.output.streams.every((s) => s.fin) && job.frame.close.exitStatus === 7, job.frame);

  const none = await run(link, 3, ['no-such-program'], '');
  m.fact('grpc-js: a program that is not there is refused with its code',
    none.frame.body === 'reject' && none.frame.reject.code === 'CODE_NO_PROGRAM', none.frame);

  const list = new m.Output(5, 65536, (f) => link.send(f));
  link.send({ open: { channel: 5, kind: 'KIND_RPC', window: 65536, params: m.params('RpcOpen', { method: 'machines.list' }) } });
  let frame = await link.next();
  while (frame.body !== 'close' && frame.body !== 'end') {
    if (frame.body === 'data') list.take(frame.data);
    frame = await link.next();
  }
  const machines = records(list.bytes(0));
  m.fact('grpc-js: machines.list', machines.length === 1 && machines[0].name === env.HOST && machines[0].online === true,
    machines);
  link.call.end();
  const end = await link.next();
  m.fact('grpc-js: the call ends with status OK', end.body === 'end' && end.end.code === grpc.status.OK, end);

  const stranger = new Link();
  const refusal = await stranger.signIn('cmdop_nobody');
  m.fact('grpc-js: a wrong token is refused with code and remedy', refusal.body === 'refuse' &&
    refusal.refuse.code === 'CODE_AUTH' && refusal.refuse.message !== '' && refusal.refuse.remedy !== '', refusal);
  client.close();
}

main().catch((e) => { m.fact('grpc-js: the client came to its end', false, e.stack); process.exit(1); });
