// @ts-check
/**
 * A client of Heddle without dependencies, for browsers and Node: made to be used as it is, and to be read and copied.
 *
 * - Signs in, and renews the token in time. Tabs of one browser share the sign-in and never renew it at once.
 * - Asks: `request` gives the data, or throws a `HeddleError` with `code` and `path`.
 * - Listens: `listen` hears every event once and in order, over any number of lost connections.
 * - Sends: `send` tries until the server has answered, and never sends twice.
 *
 * @module
 */

/** A failure, by what can be done about it. */
export class HeddleError extends Error {
  /**
   * @param {string} code a value of the schema's `ErrorCode`, or NETWORK when no answer came
   * @param {string} message
   * @param {(string | number)[]} [path] the field that failed
   * @param {Record<string, any>} [extensions] what belongs to the code, for example `problems`
   */
  constructor(code, message, path = [], extensions = {}) {
    super(message);
    this.name = "HeddleError";
    this.code = code;
    this.path = path;
    this.extensions = extensions;
  }
}

/**
 * @typedef {{ accessToken: string, refreshToken: string, renewAt: number }} Auth a sign-in; `renewAt` on this clock
 * @typedef {{ get(): Auth | null, set(auth: Auth | null): void }} Store where the sign-in is kept
 * @typedef {{ message: string, path?: (string | number)[], extensions?: Record<string, any> }} AnswerError
 * @typedef {{ __typename: string, cursor: string, [field: string]: any }} Event
 * @typedef {{ conversationId: string, body: string, parentId?: string | null }} Draft
 * @typedef {Draft & { clientMessageId: string }} Sending
 * @typedef {"connecting" | "live" | "waiting" | "ended"} State
 *
 * @typedef {object} Listening
 * @property {(event: Event) => void} event hears each event; its cursor counts as reached once this has returned
 * @property {string | null} [after] listen after this cursor, from `eventCursor`; from now on without it
 * @property {string} [select] GraphQL: what to know of events, `... on MessageSentEvent { message { id body } }`
 * @property {Record<string, any>} [filter] an `EventFilter`
 * @property {() => void} [reset] something was missed that cannot be told any more: load the state again
 * @property {(state: State) => void} [state] hears how the connection fares
 * @property {(error: HeddleError) => void} [ended] why no more will come; UNAUTHENTICATED: sign in again
 */

const AUTH = "auth { accessToken refreshToken }";
const SIGN_IN = `mutation ($input: SignInInput!) { signIn(input: $input) { ${AUTH} } }`;
const REGISTER = `mutation ($input: RegisterInput!) { register(input: $input) { ${AUTH} } }`;
const RENEW = `mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) { ${AUTH} } }`;
const SIGN_OUT = "mutation { signOut { endedSessionId } }";
const SEND = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) { message { id clientMessageId } wasDuplicate }
}`;

/** Codes after which the same request may succeed. */
const PASSING = ["NETWORK", "UNAVAILABLE", "TIMEOUT", "RATE_LIMITED"];
/** Longest wait for an answer, in milliseconds. */
const PATIENCE = 15_000;
/** The same while renewing: an old refresh token stays good for ten seconds, so that the answer may be lost. */
const RENEWAL = 3_000;
/** How often a quiet connection is asked whether it is there. */
const QUIET = 20_000;
/** Longest wait between two attempts. */
const LONGEST = 30_000;

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * How long to wait before the next attempt: longer each time, and not as long as others do.
 * @param {number} attempt from 0
 */
const backoff = (attempt) => (0.5 + Math.random() / 2) * Math.min(LONGEST, 250 * 2 ** attempt);

/**
 * Whether the same request may succeed later.
 * @param {any} error
 */
const passes = (error) => error instanceof HeddleError && PASSING.includes(error.code);

/**
 * A sign-in with the time to renew it, from the token itself: its lifetime holds on every clock.
 * @param {{ accessToken: string, refreshToken: string }} auth
 * @returns {Auth}
 */
function dated({ accessToken, refreshToken }) {
  const claims = accessToken.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
  const { iat, exp } = JSON.parse(atob(claims));
  const lifetime = (exp - iat) * 1000;
  return { accessToken, refreshToken, renewAt: Date.now() + lifetime - Math.min(60_000, lifetime / 3) };
}

/**
 * Where the sign-in is kept unless the caller knows better: where all tabs see it, or else in memory. Scripts of
 * the page's own origin can read it there, so let none run that are not yours.
 * @param {string} name
 * @returns {Store}
 */
function defaultStore(name) {
  const shared = "window" in globalThis ? globalThis.localStorage : undefined;
  if (!shared) {
    /** @type {Auth | null} */
    let kept = null;
    return { get: () => kept, set: (auth) => void (kept = auth) };
  }
  return {
    get: () => JSON.parse(shared.getItem(name) ?? "null"),
    set: (auth) => (auth ? shared.setItem(name, JSON.stringify(auth)) : shared.removeItem(name)),
  };
}

/** A client of one server, for one signed-in person at a time. */
export class Heddle {
  /** @type {Promise<unknown>} */
  #renewing = Promise.resolve();
  /** The last message on its way to each conversation. @type {Map<string, Promise<unknown>>} */
  #sending = new Map();

  /**
   * @param {string} url the API, for example `https://chat.example.org/graphql`; in a page `/graphql` is enough
   * @param {{ store?: Store, WebSocket?: typeof WebSocket, changed?: (signedIn: boolean) => void }} [options]
   *   `changed` hears when the person signs in or out, in this tab or another; Node before 22 has no WebSocket
   */
  constructor(url, options = {}) {
    this.url = new URL(url, globalThis.location?.href).href;
    this.name = `heddle ${this.url}`;
    this.store = options.store ?? defaultStore(this.name);
    this.WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this.changed = options.changed ?? (() => {});
    if (!options.store && "window" in globalThis) {
      // What another tab kept, told once this tab sees it: the store is of all tabs, but not at the same moment.
      globalThis.addEventListener("storage", ({ key, oldValue, newValue }) => {
        const [was, is] = [oldValue !== null, newValue !== null];
        if (key === this.name && was !== is) this.changed(is);
      });
    }
  }

  /** Whether somebody is signed in, as far as this client knows. */
  get isSignedIn() {
    return this.store.get() !== null;
  }

  /**
   * @param {string} login email address or username
   * @param {string} password
   */
  async signIn(login, password) {
    const { signIn } = await this.#post(SIGN_IN, { input: { login, password } });
    this.#keep(signIn.auth);
  }

  /** @param {Record<string, any>} input a `RegisterInput` */
  async register(input) {
    const { register } = await this.#post(REGISTER, { input });
    if (register.auth) this.#keep(register.auth);
  }

  /** Ends the session, here and in all tabs, also when the server cannot be told. */
  async signOut() {
    await this.request(SIGN_OUT).catch(() => {});
    this.#keep(null);
  }

  /**
   * Asks, or changes something.
   * @param {string} query
   * @param {Record<string, any>} [variables]
   * @returns {Promise<any>} the data, when all of it could be had
   */
  async request(query, variables) {
    const token = await this.#token();
    try {
      return await this.#post(query, variables, token);
    } catch (error) {
      // The token may have lapsed on the way. What was refused for that did not run.
      const lapsed = error instanceof HeddleError && error.code === "UNAUTHENTICATED" && token;
      if (!lapsed) throw error;
      return this.#post(query, variables, await this.#renew(token));
    }
  }

  /**
   * Sends a message, trying until the server has answered. What one client sends to a conversation arrives in
   * that order. Show `draft` at once, and replace it by whatever carries its `clientMessageId`: the answer, or the event.
   * @param {Draft} message
   * @returns {{ draft: Sending, sent: Promise<{ id: string, clientMessageId: string }> }}
   */
  send(message) {
    const draft = { ...message, clientMessageId: crypto.randomUUID() };
    const before = this.#sending.get(draft.conversationId);
    const sent = Promise.resolve(before).then(() => this.#deliver(draft));
    this.#sending.set(draft.conversationId, sent.catch(() => {}));
    return { draft, sent };
  }

  /** @param {Sending} input */
  async #deliver(input) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const { sendMessage } = await this.request(SEND, { input });
        return sendMessage.message;
      } catch (error) {
        // The server may have it already. It knows the key, so asking again is safe.
        if (!passes(error)) throw error;
        const { retryAfterMs = 0 } = /** @type {HeddleError} */ (error).extensions;
        await sleep(Math.max(backoff(attempt), retryAfterMs));
      }
    }
  }

  /**
   * Hears what happens until it is closed, or the session is over.
   * @param {Listening} options
   * @returns {{ readonly cursor: string | null, close(): void }}
   */
  listen(options) {
    const stream = { cursor: options.after ?? null, close: () => {}, isClosed: false };
    const stop = () => {
      stream.isClosed = true;
      stream.close();
    };
    const running = this.#run(stream, options).catch((error) => {
      stop();
      options.state?.("ended");
      if (options.ended) options.ended(error);
      else throw error;
    });
    void running;
    return {
      get cursor() {
        return stream.cursor;
      },
      close: stop,
    };
  }

  /**
   * @param {{ cursor: string | null, close: () => void, isClosed: boolean }} stream
   * @param {Listening} options
   */
  async #run(stream, options) {
    for (let attempt = 0; !stream.isClosed; attempt += 1) {
      options.state?.("connecting");
      const before = stream.cursor;
      /** @type {string | null} */
      let token = null;
      try {
        token = await this.#token();
        if (stream.isClosed) return;
        const code = await this.#connect(stream, options, token);
        if (code === 4401) throw new HeddleError("UNAUTHENTICATED", "The session is over.");
        if (code >= 4400 && code !== 4403) throw new HeddleError("BAD_USER_INPUT", `Refused with ${code}.`);
        if (stream.isClosed) return;
        if (code === 4403) {
          if (!token) throw new HeddleError("UNAUTHENTICATED", "Sign in first.");
          await this.#renew(token);
        }
      } catch (error) {
        if (stream.isClosed) return;
        // What happened meanwhile is told once the server is well.
        if (!passes(error) && /** @type {any} */ (error).code !== "INTERNAL") throw error;
      }
      // A connection that told something was a good one.
      if (stream.cursor !== before) attempt = 0;
      options.state?.("waiting");
      await sleep(backoff(attempt));
    }
  }

  /**
   * One connection, until it ends.
   * @param {{ cursor: string | null, close: () => void, isClosed: boolean }} stream
   * @param {Listening} options
   * @param {string | null} token
   * @returns {Promise<number>} the code with which it was closed
   */
  #connect(stream, options, token) {
    const query = `subscription Listen($after: String, $filter: EventFilter) {
      events(after: $after, filter: $filter) {
        __typename cursor ... on StreamOpenedEvent { outcome } ${options.select ?? ""}
      }
    }`;
    const socket = new this.WebSocket(this.url.replace(/^http/, "ws"), "graphql-transport-ws");
    /** @param {Record<string, any>} message */
    const say = (message) => socket.send(JSON.stringify(message));
    return new Promise((resolve, reject) => {
      /** @type {ReturnType<typeof setTimeout>} */
      let silence;
      /** @param {number} code */
      const end = (code) => {
        clearTimeout(silence);
        clearInterval(asking);
        socket.onmessage = socket.onclose = null;
        socket.close();
        resolve(code);
      };
      // A connection can be gone without a word: it has to answer in time.
      const heard = () => {
        clearTimeout(silence);
        silence = setTimeout(end, QUIET + PATIENCE, 1006);
      };
      const asking = setInterval(() => socket.readyState === 1 && say({ type: "ping" }), QUIET);
      stream.close = () => end(1000);
      heard();
      socket.onopen = () => say({ type: "connection_init", payload: token ? { token } : {} });
      socket.onclose = ({ code }) => end(code);
      socket.onerror = () => {};
      socket.onmessage = ({ data }) => {
        heard();
        const { type, payload } = JSON.parse(data);
        try {
          if (type === "connection_ack") {
            const variables = { after: stream.cursor, filter: options.filter };
            say({ id: "1", type: "subscribe", payload: { query, variables } });
          } else if (type === "next") this.#told(payload, stream, options);
          else if (type === "error") throw failure(payload);
          else if (type === "ping") say({ type: "pong" });
          // After "complete" the server closes, and its code says why.
        } catch (error) {
          end(1000);
          reject(error);
        }
      };
    });
  }

  /**
   * @param {{ data?: { events: Event } | null, errors?: AnswerError[] }} answer
   * @param {{ cursor: string | null }} stream
   * @param {Listening} options
   */
  #told({ data, errors }, stream, options) {
    if (!data) throw failure(errors ?? []);
    const event = data.events;
    if (event.__typename === "StreamOpenedEvent") {
      options.state?.("live");
      if (event.outcome === "RESET") options.reset?.();
    } else if (event.__typename !== "SessionEndedEvent") options.event(event);
    stream.cursor = event.cursor;
  }

  /** A token that is good for a while; null when nobody is signed in. */
  async #token() {
    const auth = this.store.get();
    if (!auth || Date.now() < auth.renewAt) return auth?.accessToken ?? null;
    return this.#renew(auth.accessToken);
  }

  /**
   * Renews the sign-in, unless another tab, or another request of this one, has done so.
   * @param {string} stale the token that is no good any more
   * @returns {Promise<string>}
   */
  #renew(stale) {
    const renew = async () => {
      const auth = this.store.get();
      if (!auth) throw new HeddleError("UNAUTHENTICATED", "Nobody is signed in.");
      if (auth.accessToken !== stale) return auth.accessToken;
      const input = { refreshToken: auth.refreshToken };
      const attempt = () => this.#post(RENEW, { input }, null, RENEWAL);
      try {
        const { refreshSession } = await attempt().catch((error) => (passes(error) ? attempt() : Promise.reject(error)));
        return this.#keep(refreshSession.auth).accessToken;
      } catch (error) {
        if (!(error instanceof HeddleError) || error.code !== "WRONG_CREDENTIALS") throw error;
        this.#keep(null);
        throw new HeddleError("UNAUTHENTICATED", error.message);
      }
    };
    // A refresh token is good for one use. Two at once would look like a thief's.
    const locks = globalThis.navigator?.locks;
    const alone = () => (locks ? locks.request(this.name, renew) : renew());
    const renewed = this.#renewing.then(alone, alone);
    this.#renewing = renewed;
    return renewed;
  }

  /**
   * @template {{ accessToken: string, refreshToken: string } | null} T
   * @param {T} auth
   * @returns {T}
   */
  #keep(auth) {
    const was = this.isSignedIn;
    this.store.set(auth && dated(auth));
    if (was !== this.isSignedIn) this.changed(this.isSignedIn);
    return auth;
  }

  /**
   * @param {string} query
   * @param {Record<string, any>} [variables]
   * @param {string | null} [token]
   * @param {number} [patience]
   */
  async #post(query, variables, token, patience = PATIENCE) {
    /** @type {{ data?: any, errors?: AnswerError[] }} */
    let answer;
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: {
          accept: "application/graphql-response+json",
          "content-type": "application/json",
          ...(token ? { authorization: `Bearer ${token}` } : {}),
        },
        body: JSON.stringify({ query, variables }),
        signal: AbortSignal.timeout(patience),
      });
      answer = await response.json();
    } catch (error) {
      // Whether it ran is not known.
      throw new HeddleError("NETWORK", `No answer: ${error}`);
    }
    if (answer.errors) throw failure(answer.errors);
    return answer.data;
  }
}

/**
 * The first of an answer's errors.
 * @param {AnswerError[]} errors
 */
function failure([error]) {
  const { code = "INTERNAL", ...extensions } = error?.extensions ?? {};
  return new HeddleError(code, error?.message ?? "Something went wrong.", error?.path, extensions);
}
