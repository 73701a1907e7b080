//! Why figures are not reached, and what would be tried next. Told beside each of them as long as it is not.

/// Why something takes longer of a larger database.
const GREW: &str = "The same rows of the same indexes are read at either size, of a file of which less is in memory. \
    Next: measure where nobody else uses the machine";

/// What stands in the way of each goal, by how its name begins.
const REASONS: [(&str, &str); 13] = [
    ("a, from", GREW),
    ("c, from", GREW),
    (
        "a,",
        "The statement is one, as the floor's is; beside it stand the right to see each row, the executor around the list, \
         and, on PostgreSQL, a look for each sender. Next: senders from a cache that changes of them empty",
    ),
    (
        "b, ",
        "As for a; a page holds 100, so that 200 messages are two requests. Next: the same",
    ),
    (
        "c, nothing",
        "Compared with a count that is stored with each membership, which each send would have to write for everybody. \
         Next: build the statement once, not for each request",
    ),
    (
        "c with",
        "Where something is unread, five looks into indexes for each conversation, as many for a thousand as for one. \
         Next: keep the count up to the floor with the floor, and ask for exceptions once for all conversations",
    ),
    (
        "d, 64",
        "Senders share transactions and their statements; what is left is rows: in a group of eight seven notifications \
         with four indexes each. Next: tell of plain messages by the unread state, without rows",
    ),
    (
        "d,",
        "The floor writes one row. A send writes its event, counts, read state and seven notifications, in seven statements \
         when nobody sends beside it. Next: as for 64 callers",
    ),
    (
        "n,",
        "A request is logged, dressed in headers and validated. Next: validate a document once for its text",
    ),
    (
        "1,000 listeners",
        "A wake, a cursor and a write of each listener's own; and the send itself, which is counted in. \
         Next: one task that writes to all of a crowd",
    ),
    (
        "a silent",
        "The buffers of the WebSocket and of the connection below it. Next: a handshake that leaves the HTTP connection behind",
    ),
    (
        "resident",
        "Dictionaries of weak passwords (4.6 MB), SQLite's page cache. Next: read the dictionaries when a password is set",
    ),
    ("", "Not looked into yet. Next: a profile"),
];

/// Why this goal is not reached, and what would be tried next.
pub(crate) fn of(what: &str) -> &'static str {
    let known = REASONS.iter().find(|(begin, _)| what.starts_with(begin));
    known.map_or("", |(_, reason)| reason)
}
