// What both peers need of cmdop.agent.v1, written from docs/PROTOCOL.md and the .proto file.
'use strict';
const crypto = require('crypto');
const path = require('path');
const protobuf = require('protobufjs');

const root = protobuf.loadSync(path.join(__dirname, '../../../proto/cmdop/agent/v1/mesh.proto'));
const type = (name) => root.lookupType('cmdop.agent.v1.' + name);
const Frame = type('Frame');

const CONNECT = '/cmdop.agent.v1.Mesh/Connect';
const same = (buffer) => buffer; // messages stay bytes: the signatures cover them as they are

const sha256 = (data) => crypto.createHash('sha256').update(data).digest();

function encode(frame) {
  return Buffer.from(Frame.encode(Frame.fromObject(frame)).finish());
}

function params(name, fields) {
  const t = type(name);
  return Buffer.from(t.encode(t.fromObject(fields)).finish());
}

// One record of an answer, behind its length as a varint.
function record(name, fields) {
  const t = type(name);
  return Buffer.from(t.encodeDelimited(t.fromObject(fields)).finish());
}

function parse(name, bytes) {
  const t = type(name);
  return t.toObject(t.decode(bytes), { longs: Number, enums: String, bytes: Buffer });
}

// Numbers of 64 bits as Number: the tests stay far below 2^53.
function decode(bytes) {
  return Frame.toObject(Frame.decode(bytes), { longs: Number, enums: String, bytes: Buffer, oneofs: true });
}

function field(value) {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(value.length);
  return Buffer.concat([length, value]);
}

function u32(n) {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(n);
  return b;
}

function u64(n) {
  const b = Buffer.alloc(8);
  b.writeBigInt64BE(BigInt(n));
  return b;
}

// The bytes under a signature: the label and the digest of all fields.
function signed(label, fields) {
  const name = Buffer.from(label);
  return Buffer.concat([name, sha256(Buffer.concat([name, ...fields].map(field)))]);
}

// p: hello, nonce, relayKey, relayTimeMs, version, binding; hello is the message's SHA-256
function relayBytes(p) {
  return signed('cmdop.agent.v1 relay challenge',
    [p.hello, p.nonce, p.relayKey, u64(p.relayTimeMs), u32(p.version), p.binding]);
}

// p: hello, challenge, binding, machineKey, joinKey, name
function machineBytes(p) {
  return signed('cmdop.agent.v1 machine proof',
    [p.hello, p.challenge, p.binding, p.machineKey, Buffer.from(p.joinKey), Buffer.from(p.name)]);
}

function publicKey(raw) {
  return crypto.createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') } });
}

const verify = (bytes, key, signature) => crypto.verify(null, bytes, publicKey(key), signature);

const fromPem = (pem) => new crypto.X509Certificate(pem).raw;

function fact(name, holds, ...remarks) {
  console.log((holds ? 'ok ' : 'not ok ') + name);
  if (!holds) for (const r of remarks) console.log('  ' + (typeof r === 'string' ? r : JSON.stringify(r)));
  return holds;
}

// One channel's output, as it must come: in order, within what was granted. `send` takes frames.
class Output {
  constructor(channel, window, send) {
    Object.assign(this, { channel, window, send });
    this.streams = [0, 1].map(() => ({ next: 0, limit: window, fin: false, parts: [] }));
    this.faults = [];
  }

  take(d) {
    const s = this.streams[d.stream || 0];
    const payload = d.payload || Buffer.alloc(0);
    if (Number(d.offset || 0) !== s.next) this.faults.push(`offset ${d.offset} where ${s.next} was due`);
    if (s.fin) this.faults.push('bytes after the end');
    s.next += payload.length;
    if (s.next > s.limit) this.faults.push(`${s.next} bytes where ${s.limit} were granted`);
    s.parts.push(payload);
    s.fin = s.fin || Boolean(d.fin);
    if (s.limit - s.next < this.window / 2) {
      s.limit = s.next + this.window;
      this.send({ credit: { channel: this.channel, stream: d.stream || 0, ack: s.next, limit: s.limit } });
    }
  }

  bytes(stream) {
    return Buffer.concat(this.streams[stream].parts);
  }
}

module.exports = { CONNECT, Output, decode, encode, fact, fromPem, machineBytes, params, record, parse, relayBytes, root, same, sha256,
  type, verify };
