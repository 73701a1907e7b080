//! Tests of the transports: which requests they accept and reject, and that they survive hostile clients. Most need no
//! particular database.

mod edge;
mod executor;
mod hostile_documents;
mod http;
mod interop;
mod oplog;
mod socket;
mod sse;
