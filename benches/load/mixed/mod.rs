//! A workload of ordinary sizes. The sizes of the conversations follow a Zipf distribution; people send where the
//! messages are. Half of the messages are replies, one of twenty mentions a participant, and readers mark conversations as
//! read. The reads follow the writes, so that deferred work is measured too.

mod listener;
mod people;
mod workload;

pub(crate) use workload::measure;
