// The tabs a newcomer finds: the first five minutes, left to right. `tests/clients` holds them
// against the schema.

const signIn = `# Welcome to Heddle. Run "Register" once, or
# "SignIn" when you have an account: the triangle
# asks which. Who you are is under Variables. After
# heddle seed --demo, ada, ben and cleo can sign in.
#
# The other tabs then act as this person until the
# window is closed. To act as another user, write
# { "Authorization": "Bearer <accessToken>" }
# under Headers.

mutation Register($username: String!, $email: String!, $password: String!) {
  register(input: { username: $username, email: $email, password: $password }) {
    auth {
      viewer { user { username displayName } }
      accessToken
      refreshToken
    }
  }
}

mutation SignIn($username: String!, $password: String!) {
  signIn(input: { login: $username, password: $password }) {
    auth {
      viewer { user { username displayName } }
      accessToken
      refreshToken
    }
  }
}
`;

const person = `{
  "username": "ada",
  "email": "ada@example.com",
  "password": "over-under-over-under"
}
`;

const conversations = `# Your conversations, newest activity first, and
# whom you can write to.

query Conversations {
  viewer {
    unread { messages }
    conversations(first: 20) {
      nodes {
        id
        kind
        displayTitle
        lastMessage { body createdAt }
        viewerMembership { unreadCount }
      }
    }
  }
  users(first: 20) {
    nodes { id username displayName }
  }
}

# A conversation to try things in. Add people by
# their ids.
mutation CreateConversation {
  createConversation(input: { title: "First threads", participantIds: [] }) {
    conversation { id displayTitle }
  }
}
`;

const send = `# Send a message. With a parentId it is a reply,
# at any depth. The ids come from other answers.

mutation SendMessage($conversationId: ID!, $parentId: ID, $body: String!) {
  sendMessage(input: { conversationId: $conversationId, parentId: $parentId, body: $body }) {
    message {
      id
      sequence
      depth
      createdAt
      thread { id replyCount }
    }
  }
}
`;

const message = `{
  "conversationId": "cnv_…",
  "parentId": null,
  "body": "Hello, *world*"
}
`;

const thread = `# A whole thread as one list, each reply below what
# it answers; "depth" is how far to indent it. The
# thread's id comes with each of its messages.

query Thread($id: ID!, $after: String) {
  thread(id: $id) {
    replyCount
    root { sender { displayName } body }
    replies(first: 50, after: $after, order: TREE) {
      edges {
        depth
        node { id sender { displayName } body }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
`;

const which = `{
  "id": "thr_…"
}
`;

const live = `# Every message where you take part, as it is
# written. Run it, then send a message in another
# tab: this one keeps its stream. Give the last
# cursor as "after" to continue where you stopped;
# without the filter, other events arrive too.

subscription Live($after: String) {
  events(after: $after, filter: { categories: [MESSAGES] }) {
    __typename
    cursor
    ... on StreamOpenedEvent { outcome }
    ... on MessageSentEvent {
      message {
        id
        depth
        sender { displayName }
        body
        conversation { id displayTitle }
      }
    }
  }
}
`;

export const tabs = [
  { query: signIn, variables: person },
  { query: conversations },
  { query: send, variables: message },
  { query: thread, variables: which },
  { query: live },
];
