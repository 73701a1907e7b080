// The types of client.js, for TypeScript projects that do not check JavaScript.

/** A failed request. `code` determines how to react. */
export declare class HeddleError extends Error {
  constructor(code: string, message: string, path?: (string | number)[], extensions?: Record<string, any>);
  /** A value of the schema's `ErrorCode`, or NETWORK if there was no response. */
  code: string;
  /** The field that failed. */
  path: (string | number)[];
  /** Details of the code, for example `problems`. */
  extensions: Record<string, any>;
}

/** Tokens; `renewAt` is in local time. */
export interface Auth {
  accessToken: string;
  refreshToken: string;
  renewAt: number;
}

/** Where the tokens are stored. */
export interface Store {
  get(): Auth | null;
  set(auth: Auth | null): void;
}

export interface Event {
  __typename: string;
  cursor: string;
  [field: string]: any;
}

/** A `clientMessageId` of the caller survives a reload of the page: sending the draft again does not repeat it. */
export interface Draft {
  conversationId: string;
  body: string;
  parentId?: string | null;
  clientMessageId?: string;
}

export type Sending = Draft & { clientMessageId: string };

export type State = "connecting" | "live" | "waiting" | "ended";

export interface Listening {
  /** Receives each event; its cursor is stored once this returns. */
  event: (event: Event) => void;
  /** Start after this cursor, from `eventCursor`; without it, from now. */
  after?: string | null;
  /** GraphQL: the selection of events, `... on MessageSentEvent { message { id body } }`. */
  select?: string;
  /** GraphQL: the fragments that `select` uses. */
  fragments?: string;
  /** An `EventFilter`. */
  filter?: Record<string, any>;
  /** Events were missed that are no longer available: load the data again. */
  reset?: () => void;
  /** Receives the state of the connection. */
  state?: (state: State) => void;
  /** Why the stream has ended; UNAUTHENTICATED: sign in again. */
  ended?: (error: HeddleError) => void;
}

/** A client of one server, for one signed-in user at a time. */
export declare class Heddle {
  /**
   * @param url the API, for example `https://chat.example.org/graphql`; in a page, `/graphql` is enough
   * @param options `changed` is called when the user signs in or out, in this tab or another
   */
  constructor(
    url: string,
    options?: { store?: Store; WebSocket?: typeof WebSocket; changed?: (signedIn: boolean) => void },
  );
  readonly url: string;
  readonly name: string;
  readonly store: Store;
  /** Whether a user is signed in, as far as this client knows. */
  get isSignedIn(): boolean;
  /**
   * Signs in with an email address or username. For an account with a second factor, returns the challenge that
   * `completeSignIn` answers, and null for all others.
   */
  signIn(login: string, password: string): Promise<{ token: string; methods: string[] } | null>;
  /** Signs in with a `CompleteSignInInput`: the token of a challenge, the method and the code. */
  completeSignIn(input: Record<string, any>): Promise<void>;
  /** Registers a user with a `RegisterInput` and signs in, unless the address must be verified first. */
  register(input: Record<string, any>): Promise<{ needsEmailVerification: boolean }>;
  /** Ends the session in all tabs, even if the server is unreachable. */
  signOut(): Promise<void>;
  /** Runs a query or a mutation; returns the data if there were no errors, and throws a `HeddleError` otherwise. */
  request(query: string, variables?: Record<string, any>): Promise<any>;
  /** Sends a message, and retries until the server has responded. Messages to a conversation keep their order. */
  send(message: Draft): { draft: Sending; sent: Promise<{ id: string; clientMessageId: string }> };
  /** Receives events until it is closed or the session ends. */
  listen(options: Listening): { readonly cursor: string | null; close(): void };
}
