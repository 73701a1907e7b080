// Who is signed in in this window. It is kept in memory only: closing the window forgets it.

const RENEW = `mutation ($input: RefreshSessionInput!) {
  refreshSession(input: $input) { auth { accessToken refreshToken } }
}`;

/** How long a token is valid, in milliseconds; 0 if it does not contain that. */
function lifetime(token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return (claims.exp - claims.iat) * 1000;
  } catch {
    return 0;
  }
}

export class Session {
  /** @typedef {{ accessToken: string, refreshToken?: string, username?: string, renewAt: number, endsAt: number }} Auth */
  #endpoint;
  #auth = null;
  #renewal = null;
  #listeners = new Set();

  /** @param {URL} endpoint where the API is */
  constructor(endpoint) {
    this.#endpoint = endpoint;
  }

  /** @returns {Auth | null} */
  get auth() {
    return this.#auth;
  }

  /** Calls the listener after each change. Returns the function that stops this. */
  listen = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #keep(auth) {
    this.#auth = auth;
    for (const listener of this.#listeners) listener();
  }

  /** Remembers a sign-in that a response contains, or forgets the session that it ended. */
  note(data) {
    if (data?.signOut?.endedSessionId) return this.#keep(null);
    for (const field of Object.values(data ?? {})) {
      const { accessToken, refreshToken, viewer } = field?.auth ?? {};
      if (!accessToken) continue;
      const valid = lifetime(accessToken);
      this.#keep({
        accessToken,
        refreshToken,
        username: viewer?.user?.username ?? this.#auth?.username,
        renewAt: Date.now() + valid - Math.min(60_000, valid / 3),
        endsAt: Date.now() + valid,
      });
    }
  }

  /** The value of the header, with a token that is renewed in time; none if no one is signed in. */
  async authorization() {
    const auth = this.#auth;
    if (auth?.refreshToken && Date.now() >= auth.renewAt) await this.renew();
    return this.#auth ? `Bearer ${this.#auth.accessToken}` : undefined;
  }

  /** Exchanges the refresh token for new tokens. Requests that need them meanwhile wait for the same ones. */
  renew() {
    this.#renewal ??= this.#request().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #request() {
    const { refreshToken } = this.#auth;
    const response = await fetch(this.#endpoint, {
      method: "POST",
      headers: { accept: "application/json", "content-type": "application/json" },
      body: JSON.stringify({ query: RENEW, variables: { input: { refreshToken } } }),
    }).catch(() => null);
    const answer = await response?.json().catch(() => null);
    if (answer?.data?.refreshSession) this.note(answer.data);
    // The session has ended. After any other failure the old token is tried.
    else if (answer?.errors?.[0]?.extensions?.code === "WRONG_CREDENTIALS") this.#keep(null);
  }
}
