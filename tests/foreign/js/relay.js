// A relay on grpc-js: enrols a machine of ours, welcomes it, runs a command on it.
// Environment: KEY and CERT (PEM files), JOIN_KEY, READY (where to write port and pin), SKEW_MS (how
// far its clock is off; none).
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const m = require('./mesh.js');

const env = process.env;
const key = crypto.generateKeyPairSync('ed25519');
const pub = Buffer.from(key.publicKey.export({ format: 'jwk' }).x, 'base64url');
const cert = fs.readFileSync(env.CERT);
const binding = m.sha256(m.fromPem(cert));
const MACHINE = '11111111-2222-4333-8444-555555555555';
const now = () => Date.now() + Number(env.SKEW_MS || 0);
let enrolled = null; // the key that joined

const server = new grpc.Server();

class Machine {
  constructor(call) {
    this.call = call;
    this.state = 'hello';
    call.on('data', (bytes) => {
      const frame = m.decode(bytes);
      const act = this[this.state + '_' + frame.body];
      if (act) act.call(this, frame[frame.body], bytes);
      else if (frame.body !== 'pong') m.fact(`${frame.body} in state ${this.state}`, false, frame);
    });
    call.on('end', () => call.end());
    call.on('error', () => {});
  }

  send(frame) {
    const bytes = m.encode(frame);
    this.call.write(bytes);
    return bytes;
  }

  hello_hello(h, bytes) {
    m.fact('grpc-js relay: a machine says Hello with its facts',
      h.role === 'ROLE_MACHINE' && h.facts && h.facts.os === 'linux' && h.facts.cpuCount > 0, h);
    this.hello = m.sha256(bytes);
    const c = { nonce: crypto.randomBytes(32), relayKey: pub, relayTimeMs: now(), version: 1 };
    c.signature = crypto.sign(null, m.relayBytes({ hello: this.hello, binding, ...c }), key.privateKey);
    this.challenge = m.sha256(this.send({ challenge: c }));
    this.state = 'proof';
  }

  proof_proof(p) {
    const joinKey = p.joinKey || '';
    const proven = m.verify(m.machineBytes({ hello: this.hello, challenge: this.challenge, binding,
      machineKey: p.machineKey, joinKey, name: p.name || '' }), p.machineKey, p.signature);
    if (enrolled === null) {
      m.fact('grpc-js relay: the join key is proven by the machine\'s signature', proven && joinKey === env.JOIN_KEY &&
        p.name === 'box', p);
    } else {
      m.fact('grpc-js relay: the agent comes with the same key, without a join key',
        proven && joinKey === '' && enrolled.equals(p.machineKey), p);
    }
    this.send({ welcome: { linkId: 'l1', machineId: MACHINE, fleetId: 'fleet-1', name: 'box', heartbeatMs: 30000,
      serverTimeMs: now(), frameMax: 32768, channelsMax: 64 } });
    this.state = 'open';
    if (enrolled !== null) this.run();
    enrolled = p.machineKey;
  }

  run() {
    const window = 65536;
    this.output = new m.Output(2, window, (f) => this.send(f));
    this.send({ open: { channel: 2, kind: 'KIND_EXEC', target: MACHINE, window, origin: { user: 'somebody', role: 'owner' },
      params: m.params('ExecOpen', { argv: ['sh', '-c', 'cat; seq 1 400000; echo $CMDOP_OPERATOR >&2; exit 7']
        .map((a) => Buffer.from(a)) }) } });
  }

  open_heartbeat(b) {
    m.fact('grpc-js relay: a heartbeat carries metrics', b.metrics && b.metrics.memoryTotal > 0 &&
      b.metrics.processCount > 0, b);
  }

  open_accept(a) {
    this.send({ data: { channel: 2, offset: a.inOffset, payload: Buffer.from('hello\n'), fin: true } });
  }

  open_data(d) { this.output.take(d); }

  open_credit() {}

  open_close(c) {
    let want = 'hello\n';
    for (let i = 1; i <= 400000; i++) want += i + '\n';
    const o = this.output;
    m.fact('grpc-js relay: 2.7 MB of output in order, within the credit', o.faults.length === 0, ...o.faults.slice(0, 5));
    m.fact('grpc-js relay: and the right ones', o.bytes(0).equals(Buffer.from(want)), o.bytes(0).length);
    m.fact('grpc-js relay: the operator is who the relay says', o.bytes(1).toString() === 'somebody\n', o.bytes(1).toString());
    m.fact('grpc-js relay: the exit status', c.exitStatus === 7, c);
    this.call.end();
    server.forceShutdown();
  }
}

server.addService({ Connect: { path: m.CONNECT, requestStream: true, responseStream: true, requestSerialize: m.same,
  requestDeserialize: m.same, responseSerialize: m.same, responseDeserialize: m.same } },
{ Connect: (call) => new Machine(call) });
const credentials = grpc.ServerCredentials.createSsl(null,
  [{ private_key: fs.readFileSync(env.KEY), cert_chain: cert }], false);
server.bindAsync('127.0.0.1:0', credentials, (err, port) => {
  if (err) throw err;
  fs.writeFileSync(env.READY + '.new', `${port} ${pub.toString('base64url')}\n`);
  fs.renameSync(env.READY + '.new', env.READY);
});
