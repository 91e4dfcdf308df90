// A relay on grpc-js that only signs people in: guests, the device flow, refresh with rotation and
// reuse detection as PROTOCOL.md tells them, and whatever goes wrong on the way.
// Environment: KEY and CERT (PEM files), READY (where to write port and pin), CONTROL (a JSON file that is
// read at each question), EVENTS (a file of JSON lines: what was asked and answered), PORT (0: any),
// SEED (of its key: the same for a relay that comes back).
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const m = require('./mesh.js');

const env = process.env;
const key = crypto.createPrivateKey({ format: 'der', type: 'pkcs8',
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), m.sha256(Buffer.from(env.SEED || 'seed'))]) });
const pub = Buffer.from(crypto.createPublicKey(key).export({ format: 'jwk' }).x, 'base64url');
const cert = fs.readFileSync(env.CERT);
const binding = m.sha256(m.fromPem(cert));
const control = () => JSON.parse(fs.readFileSync(env.CONTROL));
const note = (event) => fs.appendFileSync(env.EVENTS, JSON.stringify({ at: Date.now(), ...event }) + '\n');

// ---- the books: who has which token ---------------------------------------------------

const BOOKS = env.EVENTS + '.books'; // survives our own death
const books = fs.existsSync(BOOKS) ? JSON.parse(fs.readFileSync(BOOKS))
  : { access: {}, refresh: {}, revoked: {}, devices: {}, count: 0 };
const keep = () => fs.writeFileSync(BOOKS, JSON.stringify(books));

function pair(family) {
  const n = ++books.count;
  const p = { access: 'cmdop_a' + n, refresh: 'clitr_r' + n };
  books.access[p.access] = { family, refresh: p.refresh, ends: Date.now() + (control().expires_in || 3600) * 1000 };
  books.refresh[p.refresh] = { family, access: p.access, next: null, used: false };
  keep();
  return p;
}

const answer = (p) => ({ accessToken: p.access, refreshToken: p.refresh, expiresIn: control().expires_in || 3600,
  user: 'ann', email: 'ann@example.org', userId: 'u-1', fleetId: 'f-1', fleetName: control().fleet || 'Home' });

function refresh(token) {
  const r = books.refresh[token];
  if (!r || books.revoked[r.family]) {
    return { error: 'invalid_grant', errorDescription: r ? 'the sign-in was revoked' : 'the refresh token is unknown' };
  }
  if (r.next) {
    const next = books.refresh[r.next];
    if (next.used) {
      books.revoked[r.family] = true;
      keep();
      note({ reuse: token });
      return { error: 'invalid_grant', errorDescription: 'the refresh token was used twice: the sign-in is ended' };
    }
    delete books.access[next.access]; // its answer was lost: replaced
    delete books.refresh[r.next];
  }
  const p = pair(r.family);
  r.next = p.refresh;
  r.used = true;
  keep();
  return answer(p);
}

// A token in use: its pair arrived.
function login(token) {
  const a = books.access[token];
  if (!a || books.revoked[a.family]) return null;
  if (a.ends <= Date.now()) return null;
  books.refresh[a.refresh].used = true;
  keep();
  return a;
}

// ---- methods ------------------------------------------------------------------------------

const methods = {
  'auth.device': (request) => {
    const code = 'device-' + ++books.count;
    books.devices[code] = (control().device || []).slice();
    keep();
    note({ device: m.parse('AuthDeviceOpen', request) });
    return ['AuthDevice', { deviceCode: code, userCode: 'BCDF-GHJK', verificationUri: 'https://localhost:8000/device',
      verificationUriComplete: 'https://localhost:8000/device?code=BCDF-GHJK', expiresIn: control().device_seconds || 900,
      interval: control().interval || 1 }];
  },
  'auth.token': (request) => {
    const r = m.parse('AuthTokenOpen', request);
    if (r.refreshToken) {
      const how = control().refresh || 'ok';
      if (how === 'drop-before') return 'drop';
      if (how === 'temporarily_unavailable') return ['AuthToken', { error: how, errorDescription: 'the relay is busy' }];
      const a = refresh(r.refreshToken);
      note({ refresh: r.refreshToken, error: a.error || '', got: a.refreshToken || '' });
      return how === 'drop-after' ? 'drop' : how === 'hang' ? 'hang' : ['AuthToken', a];
    }
    const steps = books.devices[r.deviceCode];
    const step = steps === undefined ? 'invalid_grant' : steps.length > 0 ? steps.shift() : 'authorization_pending';
    keep();
    note({ poll: step });
    if (step === 'drop') return 'drop';
    if (step === 'die') process.exit(0);
    if (step === 'ok') return ['AuthToken', answer(pair('family-' + r.deviceCode))];
    if (step === 'odd') return ['AuthToken', { ...answer(pair('odd')), accessToken: 'two words' }];
    return ['AuthToken', { error: step, errorDescription: '' }];
  },
  'auth.revoke': (request) => {
    const token = m.parse('AuthRevokeOpen', request).token;
    const t = books.refresh[token] || books.access[token];
    if (t) books.revoked[t.family] = true;
    keep();
    note({ revoke: token });
    return [];
  },
  'auth.whoami': (request, link) => (link.token === '' ? null : ['WhoAmI', { user: 'ann', email: 'ann@example.org',
    userId: 'u-1', role: 'member', fleetId: 'f-1', fleetName: control().fleet || 'Home', kind: 'access',
    expiresMs: books.access[link.token].ends }]),
  'machines.list': (request, link) => (link.token === '' ? null : []),
  'fleets.list': (request, link) => (link.token === '' ? null : ['FleetInfo',
    { id: 'f-1', slug: 'home', name: 'Home', kind: 'personal', role: 'owner', machines: 2, current: control().fleet !== 'Lab' },
    { id: 'f-2', slug: 'lab', name: 'Lab', kind: 'team', role: 'viewer', machines: 0, current: control().fleet === 'Lab' }]),
  'fleets.use': (request) => {
    const id = m.parse('Call', request).id;
    fs.writeFileSync(env.CONTROL, JSON.stringify({ ...control(), fleet: id === 'f-2' ? 'Lab' : 'Home' }));
    note({ fleet: id });
    return [];
  },
};

// ---- links --------------------------------------------------------------------------------

class Link {
  constructor(call) {
    this.call = call;
    this.state = 'hello';
    call.on('data', (bytes) => {
      const frame = m.decode(bytes);
      const act = this[this.state + '_' + frame.body];
      if (act) act.call(this, frame[frame.body], bytes);
      else if (frame.body === 'ping') this.send({ pong: frame.ping });
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
    this.hello = m.sha256(bytes);
    const c = { nonce: crypto.randomBytes(32), relayKey: pub, relayTimeMs: Date.now(), version: 1 };
    c.signature = crypto.sign(null, m.relayBytes({ hello: this.hello, binding, ...c }), key);
    this.send({ challenge: c });
    this.state = 'proof';
  }

  proof_proof(p) {
    this.token = p.token || '';
    const known = this.token === '' || login(this.token);
    note({ link: this.token === '' ? 'guest' : known ? 'ann' : 'refused' });
    if (!known) {
      this.send({ refuse: { code: 'CODE_AUTH', message: 'the sign-in has expired', remedy: 'sign in again' } });
      this.state = 'over';
      this.call.end();
      return;
    }
    this.send({ welcome: { linkId: 'l1', fleetId: 'f-1', user: this.token === '' ? '' : 'ann', heartbeatMs: 30000,
      serverTimeMs: Date.now(), frameMax: 32768, channelsMax: 64 } });
    this.state = 'open';
  }

  open_open(o) {
    const asked = m.parse('RpcOpen', o.params);
    const method = methods[asked.method];
    const result = method ? method(asked.request || Buffer.alloc(0), this) : null;
    if (result === 'hang') return;
    if (result === 'drop') {
      this.call.call.stream.session.destroy();
      return;
    }
    if (result === null) {
      this.send({ reject: { channel: o.channel, code: 'CODE_DENIED', message: 'guests may sign in, and nothing else', remedy: '' } });
      return;
    }
    this.send({ accept: { channel: o.channel, window: 65536 } });
    const [type, ...records] = result;
    const bytes = Buffer.concat(records.map((r) => m.record(type, r)));
    this.send({ data: { channel: o.channel, offset: 0, payload: bytes, fin: true } });
    this.send({ close: { channel: o.channel, exitStatus: 0 } });
  }
}

const server = new grpc.Server();
server.addService({ Connect: { path: m.CONNECT, requestStream: true, responseStream: true, requestSerialize: m.same,
  requestDeserialize: m.same, responseSerialize: m.same, responseDeserialize: m.same } },
{ Connect: (call) => new Link(call) });
const credentials = grpc.ServerCredentials.createSsl(null,
  [{ private_key: fs.readFileSync(env.KEY), cert_chain: cert }], false);
server.bindAsync('127.0.0.1:' + (env.PORT || 0), credentials, (err, port) => {
  if (err) throw err;
  fs.writeFileSync(env.READY + '.new', `${port} ${pub.toString('base64url')}\n`);
  fs.renameSync(env.READY + '.new', env.READY);
});
