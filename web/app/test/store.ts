// The store of the client for tests outside a page: tests/clients/app-store.test.js compares it with the server.
export { heddle } from "../src/api";
export { conversationIds, conversations, messages, threads, unread, users } from "../src/store/data";
export { start, stop } from "../src/store/session";
export { openThread, replies, tree } from "../src/store/thread";
export { open, timeline } from "../src/store/timeline";
