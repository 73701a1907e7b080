// @ts-check
/**
 * A client of Heddle without dependencies, for browsers and Node. Use it as it is, or copy it.
 *
 * - Signs in, and refreshes the token before it expires. Tabs of one browser share the session; one of them refreshes.
 * - `request` returns the data, or throws a `HeddleError` with `code` and `path`.
 * - `listen` delivers every event once and in order, across any number of lost connections.
 * - `send` retries until the server has responded, and never sends a message twice.
 * @module
 */

/** A failed request. `code` determines how to react. */
export class HeddleError extends Error {
  /**
   * @param {string} code a value of the schema's `ErrorCode`, or NETWORK if there was no response
   * @param {string} message
   * @param {(string | number)[]} [path] the field that failed
   * @param {Record<string, any>} [extensions] details of the code, for example `problems`
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
 * @typedef {{ accessToken: string, refreshToken: string, renewAt: number }} Auth `renewAt` is in local time
 * @typedef {{ get(): Auth | null, set(auth: Auth | null): void }} Store where the tokens are stored
 * @typedef {{ message: string, path?: (string | number)[], extensions?: Record<string, any> }} ResponseError
 * @typedef {{ __typename: string, cursor: string, [field: string]: any }} Event
 * @typedef {{ conversationId: string, body: string, parentId?: string | null, clientMessageId?: string }} Draft
 *   a `clientMessageId` of the caller survives a reload of the page: sending the draft again does not repeat it
 * @typedef {Draft & { clientMessageId: string }} Sending
 * @typedef {"connecting" | "live" | "waiting" | "ended"} State
 *
 * @typedef {object} Listening
 * @property {(event: Event) => void} event receives each event; its cursor is stored once this returns
 * @property {string | null} [after] start after this cursor, from `eventCursor`; without it, from now
 * @property {string} [select] GraphQL: the selection of events, `... on MessageSentEvent { message { id body } }`
 * @property {string} [fragments] GraphQL: the fragments that `select` uses
 * @property {Record<string, any>} [filter] an `EventFilter`
 * @property {() => void} [reset] events were missed that are no longer available: load the data again
 * @property {(state: State) => void} [state] receives the state of the connection
 * @property {(error: HeddleError) => void} [ended] why the stream has ended; UNAUTHENTICATED: sign in again
 */

const AUTH = "auth { accessToken refreshToken }";
const SIGN_IN = `mutation ($input: SignInInput!) { signIn(input: $input) { ${AUTH} challenge { token methods } } }`;
const COMPLETE = `mutation ($input: CompleteSignInInput!) { completeSignIn(input: $input) { ${AUTH} } }`;
const REGISTER = `mutation ($input: RegisterInput!) { register(input: $input) { needsEmailVerification ${AUTH} } }`;
const RENEW = `mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) { ${AUTH} } }`;
const SIGN_OUT = "mutation { signOut { endedSessionId } }";
const SEND = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) { message { id clientMessageId } wasDuplicate }
}`;

/** Codes after which a retry may succeed. */
const RETRYABLE = ["NETWORK", "UNAVAILABLE", "TIMEOUT", "RATE_LIMITED"];
/** Timeout of a request, in milliseconds. */
const REQUEST_TIMEOUT = 15_000;
/** Timeout of a refresh: an old refresh token remains valid for ten seconds, in case the response is lost. */
const REFRESH_TIMEOUT = 3_000;
/** Interval between pings. */
const PING_INTERVAL = 20_000;
/** Longest delay between two attempts. */
const MAX_DELAY = 30_000;

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The delay before the next attempt: it grows, and is randomised.
 * @param {number} attempt from 0
 */
const backoff = (attempt) => (0.5 + Math.random() / 2) * Math.min(MAX_DELAY, 250 * 2 ** attempt);

/**
 * Whether a retry may succeed.
 * @param {any} error
 */
const isRetryable = (error) => error instanceof HeddleError && RETRYABLE.includes(error.code);

/**
 * Adds the time to refresh the tokens. It is computed from the token's lifetime, which does not depend on the clock.
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
 * The default store: shared by all tabs in a browser, otherwise in memory. Every script of the page's origin can read
 * it, so do not run scripts that you do not trust.
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

/** A client of one server, for one signed-in user at a time. */
export class Heddle {
  /** @type {Promise<unknown>} */
  #renewing = Promise.resolve();
  /** The last pending message of each conversation. @type {Map<string, Promise<unknown>>} */
  #sending = new Map();

  /**
   * @param {string} url the API, for example `https://chat.example.org/graphql`; in a page, `/graphql` is enough
   * @param {{ store?: Store, WebSocket?: typeof WebSocket, changed?: (signedIn: boolean) => void }} [options]
   *   `changed` is called when the user signs in or out, in this tab or another; Node before 22 has no WebSocket
   */
  constructor(url, options = {}) {
    this.url = new URL(url, globalThis.location?.href).href;
    this.name = `heddle ${this.url}`;
    this.store = options.store ?? defaultStore(this.name);
    this.WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this.changed = options.changed ?? (() => {});
    if (!options.store && "window" in globalThis) {
      // Another tab has changed the store. This tab may see the change later.
      globalThis.addEventListener("storage", ({ key, oldValue, newValue }) => {
        const [was, is] = [oldValue !== null, newValue !== null];
        if (key === this.name && was !== is) this.changed(is);
      });
    }
  }

  /** Whether a user is signed in, as far as this client knows. */
  get isSignedIn() {
    return this.store.get() !== null;
  }

  /** @param {string} login email address or username @param {string} password @returns the challenge of a second factor */
  async signIn(login, password) {
    const { auth, challenge } = (await this.#post(SIGN_IN, { input: { login, password } })).signIn;
    if (auth) this.#keep(auth);
    return challenge;
  }

  /** @param {Record<string, any>} input a `CompleteSignInInput` */
  async completeSignIn(input) {
    this.#keep((await this.#post(COMPLETE, { input })).completeSignIn.auth);
  }

  /** @param {Record<string, any>} input a `RegisterInput` */
  async register(input) {
    const { auth, needsEmailVerification } = (await this.#post(REGISTER, { input })).register;
    if (auth) this.#keep(auth);
    return { needsEmailVerification };
  }

  /** Ends the session in all tabs, even if the server is unreachable. */
  async signOut() {
    await this.request(SIGN_OUT).catch(() => {});
    this.#keep(null);
  }

  /**
   * Runs a query or a mutation.
   * @param {string} query
   * @param {Record<string, any>} [variables]
   * @returns {Promise<any>} the data, if there were no errors
   */
  async request(query, variables) {
    const token = await this.#token();
    try {
      return await this.#post(query, variables, token);
    } catch (error) {
      // The token may have expired in transit. The operation did not run in this case.
      const isExpired = error instanceof HeddleError && error.code === "UNAUTHENTICATED" && token;
      if (!isExpired) throw error;
      return this.#post(query, variables, await this.#renew(token));
    }
  }

  /**
   * Sends a message, and retries until the server has responded. Messages of one client to a conversation keep their
   * order. Show `draft` immediately, and replace it by the response or the event with its `clientMessageId`.
   * @param {Draft} message
   * @returns {{ draft: Sending, sent: Promise<{ id: string, clientMessageId: string }> }}
   */
  send(message) {
    const draft = { ...message, clientMessageId: message.clientMessageId ?? crypto.randomUUID() };
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
        // The server may already have the message. It recognises the key, so a retry is safe.
        if (!isRetryable(error)) throw error;
        const { retryAfterMs = 0 } = /** @type {HeddleError} */ (error).extensions;
        await sleep(Math.max(backoff(attempt), retryAfterMs));
      }
    }
  }

  /**
   * Receives events until it is closed or the session ends.
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
        if (code === 4401) throw new HeddleError("UNAUTHENTICATED", "The session has ended. Sign in again.");
        if (code >= 4400 && code !== 4403) throw new HeddleError("BAD_USER_INPUT", `Closed with code ${code}.`);
        if (stream.isClosed) return;
        if (code === 4403) {
          if (!token) throw new HeddleError("UNAUTHENTICATED", "Sign in to receive events.");
          await this.#renew(token);
        }
      } catch (error) {
        if (stream.isClosed) return;
        // Missed events arrive when the server has recovered.
        if (!isRetryable(error) && /** @type {any} */ (error).code !== "INTERNAL") throw error;
      }
      // A connection that delivered an event resets the delay.
      if (stream.cursor !== before) attempt = 0;
      options.state?.("waiting");
      await sleep(backoff(attempt));
    }
  }

  /**
   * Opens one connection and waits until it ends.
   * @param {{ cursor: string | null, close: () => void, isClosed: boolean }} stream
   * @param {Listening} options
   * @param {string | null} token
   * @returns {Promise<number>} the close code
   */
  #connect(stream, options, token) {
    const query = `subscription Listen($after: String, $filter: EventFilter) {
      events(after: $after, filter: $filter) {
        __typename cursor ... on StreamOpenedEvent { outcome } ${options.select ?? ""}
      }
    } ${options.fragments ?? ""}`;
    const socket = new this.WebSocket(this.url.replace(/^http/, "ws"), "graphql-transport-ws");
    /** @param {Record<string, any>} message */
    const send = (message) => socket.send(JSON.stringify(message));
    return new Promise((resolve, reject) => {
      /** @type {ReturnType<typeof setTimeout>} */
      let timeout;
      /** @param {number} code */
      const end = (code) => {
        clearTimeout(timeout);
        clearInterval(pinging);
        socket.onmessage = socket.onclose = null;
        socket.close();
        resolve(code);
      };
      // A connection can break without a close frame: the server must respond to pings in time.
      const restartTimeout = () => {
        clearTimeout(timeout);
        timeout = setTimeout(end, PING_INTERVAL + REQUEST_TIMEOUT, 1006);
      };
      const pinging = setInterval(() => socket.readyState === 1 && send({ type: "ping" }), PING_INTERVAL);
      stream.close = () => end(1000);
      restartTimeout();
      socket.onopen = () => send({ type: "connection_init", payload: token ? { token } : {} });
      socket.onclose = ({ code }) => end(code);
      socket.onerror = () => {};
      socket.onmessage = ({ data }) => {
        restartTimeout();
        /** @type {{ type?: string, payload?: any }} */
        let message;
        try {
          message = JSON.parse(data);
        } catch {
          // Something between here and the server has changed it.
          return end(1006);
        }
        const { type, payload } = message;
        try {
          if (type === "connection_ack") {
            const variables = { after: stream.cursor, filter: options.filter };
            send({ id: "1", type: "subscribe", payload: { query, variables } });
          } else if (type === "next") this.#receive(payload, stream, options);
          else if (type === "error") throw failure(payload);
          else if (type === "ping") send({ type: "pong" });
          // After "complete" the server closes the connection; its code contains the reason.
        } catch (error) {
          end(1000);
          reject(error);
        }
      };
    });
  }

  /**
   * @param {{ data?: { events: Event } | null, errors?: ResponseError[] }} result
   * @param {{ cursor: string | null }} stream
   * @param {Listening} options
   */
  #receive({ data, errors }, stream, options) {
    if (!data) throw failure(errors ?? []);
    const event = data.events;
    if (event.__typename === "StreamOpenedEvent") {
      options.state?.("live");
      if (event.outcome === "RESET") options.reset?.();
    } else if (event.__typename !== "SessionEndedEvent") options.event(event);
    stream.cursor = event.cursor;
  }

  /** A valid token; null if no user is signed in. */
  async #token() {
    const auth = this.store.get();
    if (!auth || Date.now() < auth.renewAt) return auth?.accessToken ?? null;
    return this.#renew(auth.accessToken);
  }

  /**
   * Refreshes the tokens, unless another tab or another request has already done so.
   * @param {string} stale the expired token
   * @returns {Promise<string>}
   */
  #renew(stale) {
    const renew = async () => {
      const auth = this.store.get();
      if (!auth) throw new HeddleError("UNAUTHENTICATED", "No user is signed in.");
      if (auth.accessToken !== stale) return auth.accessToken;
      const input = { refreshToken: auth.refreshToken };
      const attempt = () => this.#post(RENEW, { input }, null, REFRESH_TIMEOUT);
      try {
        const { refreshSession } = await attempt().catch((error) => {
          if (isRetryable(error)) return attempt();
          throw error;
        });
        return this.#keep(refreshSession.auth).accessToken;
      } catch (error) {
        if (!(error instanceof HeddleError) || error.code !== "WRONG_CREDENTIALS") throw error;
        this.#keep(null);
        throw new HeddleError("UNAUTHENTICATED", error.message);
      }
    };
    // A refresh token is valid once. A second use would be treated as a stolen token.
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
   * @param {number} [timeout]
   */
  async #post(query, variables, token, timeout = REQUEST_TIMEOUT) {
    /** @type {{ data?: any, errors?: ResponseError[] }} */
    let body;
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: {
          accept: "application/graphql-response+json",
          "content-type": "application/json",
          ...(token ? { authorization: `Bearer ${token}` } : {}),
        },
        body: JSON.stringify({ query, variables }),
        signal: AbortSignal.timeout(timeout),
      });
      body = await response.json();
    } catch (error) {
      // The operation may have run.
      throw new HeddleError("NETWORK", `The server did not respond: ${error}`);
    }
    if (body.errors) throw failure(body.errors);
    return body.data;
  }
}

/**
 * Returns the first error of a response.
 * @param {ResponseError[]} errors
 */
function failure([error]) {
  const { code = "INTERNAL", ...extensions } = error?.extensions ?? {};
  return new HeddleError(code, error?.message ?? "The request failed.", error?.path, extensions);
}
