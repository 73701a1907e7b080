//! Verifies and repairs the stored counts and positions of messages and participants, for `heddle doctor --recount`. No request uses it.
//! All of it is SQL: recursive queries and window functions over whole tables.

use sea_orm::{ConnectionTrait, DbBackend};

use crate::{
    db::{self, Db},
    error::Error,
};

/// The number of rows that disagree with the rows that they are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Wrong {
    /// Messages whose reply count or descendant count is wrong.
    pub counts: i64,
    /// Messages and conversations whose count of root messages is wrong.
    pub roots: i64,
    /// Messages whose depth, root or path is wrong.
    pub places: i64,
    /// Threads whose reply count is wrong, and threads without a row.
    pub threads: i64,
    /// Conversations whose messages are not numbered 1, 2, 3 … up to the last.
    pub conversations: i64,
    /// Conversations whose number of participants is wrong, and participants at a wrong place in their list.
    pub participants: i64,
}

/// The descendants and the direct replies of each message; deleted messages do not count. Deep replies store their direct
/// replies that are shown instead of their descendants (`domain/messages/deep_replies`).
const TREE: &str = "WITH RECURSIVE up (ancestor) AS (
         SELECT parent_id FROM message WHERE parent_id IS NOT NULL AND deleted_at IS NULL
         UNION ALL
         SELECT m.parent_id FROM up JOIN message m ON m.id = up.ancestor WHERE m.parent_id IS NOT NULL
     ), below AS (
         SELECT ancestor AS id, count(*) AS n FROM up GROUP BY ancestor
     ), direct AS (
         SELECT parent_id AS id, count(*) AS n FROM message
         WHERE parent_id IS NOT NULL AND deleted_at IS NULL GROUP BY parent_id
     ), shown AS (
         SELECT m.parent_id AS id, count(*) AS n FROM message m LEFT JOIN below b ON b.id = m.id
         WHERE m.parent_id IS NOT NULL AND (m.deleted_at IS NULL OR b.n > 0) GROUP BY m.parent_id
     ), counted AS (
         SELECT m.id, m.reply_count, m.descendant_count, COALESCE(a.n, 0) AS replies,
             COALESCE(CASE WHEN m.branch_seq IS NULL THEN b.n ELSE s.n END, 0) AS descendants
         FROM message m LEFT JOIN direct a ON a.id = m.id LEFT JOIN below b ON b.id = m.id
             LEFT JOIN shown s ON s.id = m.id
     ), truth AS (
         SELECT id, replies, descendants FROM counted
         WHERE reply_count <> replies OR descendant_count <> descendants
     )";

/// Every message, reached from its root. Paths are compared in hexadecimal, which both databases can concatenate.
///
/// The path of a deep reply ends with its own step in place of that of its branch.
const PLACES: &str = "WITH RECURSIVE reached (id, seq, root, depth, path, branch) AS (
         SELECT id, seq, id, 0, {step}, CAST(NULL AS INTEGER) FROM message WHERE parent_id IS NULL
         UNION ALL
         SELECT m.id, m.seq, reached.root, reached.depth + 1,
             CASE WHEN m.branch_seq IS NULL THEN reached.path
                 ELSE substr(reached.path, 1, length(reached.path) - 8) END || {m_step},
             CASE WHEN m.branch_seq IS NULL AND reached.branch IS NULL THEN NULL
                 ELSE COALESCE(reached.branch, reached.seq) END
         FROM reached JOIN message m ON m.parent_id = reached.id
     )
     SELECT count(*) FROM message m LEFT JOIN reached w ON w.id = m.id
     WHERE w.id IS NULL OR m.depth <> w.depth OR {hex} <> w.path
         OR COALESCE(m.branch_seq, -1) <> COALESCE(w.branch, -1)
         OR COALESCE(m.root_id, m.id) <> w.root OR (m.root_id IS NULL) <> (m.parent_id IS NULL)";

/// The number of root messages up to each message, and the number of those by its sender. Deleted messages stay
/// counted. Messages without a sender are skipped.
const ROOTS: &str = "WITH counted AS (
         SELECT m.id, r.roots FROM message m JOIN (
             SELECT id, SUM(CASE WHEN root_id IS NULL AND kind = 'USER' THEN 1 ELSE 0 END)
                 OVER (PARTITION BY conversation_id ORDER BY seq) AS roots
             FROM message
         ) r ON r.id = m.id
         WHERE r.roots <> m.root_count
     ), sent AS (
         SELECT m.id, r.roots FROM message m JOIN (
             SELECT id, SUM(CASE WHEN root_id IS NULL THEN 1 ELSE 0 END)
                 OVER (PARTITION BY conversation_id, sender_id ORDER BY seq) AS roots
             FROM message WHERE sender_id IS NOT NULL
         ) r ON r.id = m.id
         WHERE r.roots <> COALESCE(m.sender_root_count, -1)
     ), held AS (
         SELECT c.id, (SELECT COUNT(*) FROM message m
             WHERE m.conversation_id = c.id AND m.root_id IS NULL AND m.kind = 'USER') AS roots
         FROM conversation c
     )";

const LIVE: &str = "WITH live AS (
         SELECT root_id AS id, count(*) AS n FROM message
         WHERE root_id IS NOT NULL AND deleted_at IS NULL GROUP BY root_id
     )";

const CONVERSATIONS: &str = "SELECT count(*) FROM conversation c LEFT JOIN (
         SELECT conversation_id, count(*) AS n, max(seq) AS last,
             max(CASE WHEN root_id IS NULL THEN seq ELSE 0 END) AS last_root
         FROM message GROUP BY conversation_id
     ) m ON m.conversation_id = c.id
     WHERE COALESCE(m.n, 0) <> c.last_seq OR COALESCE(m.last, 0) <> c.last_seq
         OR COALESCE(m.last_root, 0) <> c.last_root_seq";

/// The number of participants of each conversation.
const PEOPLE: &str = "WITH people AS (
         SELECT c.id, (SELECT COUNT(*) FROM participant p WHERE p.conversation_id = c.id) AS n
         FROM conversation c
     )";

/// The place of each participant in the list (`domain/participants/order`).
const LISTED: &str = "WITH listed AS (
         SELECT p.id, CASE WHEN p.role = 'OWNER' THEN '0' ELSE '1' END
             || substr(u.display_name_key, 1, 100) || '\t' || {hex} AS place
         FROM participant p JOIN \"user\" u ON u.id = p.user_id
     )";

/// Compares every stored number and place with the rows.
pub async fn prove(db: &Db) -> Result<Wrong, Error> {
    let counts = format!("{TREE} SELECT count(*) FROM truth");
    let threads = format!(
        "{LIVE} SELECT
             (SELECT count(*) FROM thread t LEFT JOIN live ON live.id = t.id
              WHERE t.reply_count <> COALESCE(live.n, 0))
             + (SELECT count(DISTINCT m.root_id) FROM message m WHERE m.root_id IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM thread WHERE thread.id = m.root_id))"
    );
    let roots = format!(
        "{ROOTS} SELECT (SELECT count(*) FROM counted) + (SELECT count(*) FROM sent)
             + (SELECT count(*) FROM conversation c JOIN held ON held.id = c.id
                WHERE held.roots <> c.root_count)"
    );
    let places = places(db.backend());
    let people = format!(
        "{PEOPLE} SELECT count(*) FROM conversation c JOIN people ON people.id = c.id
         WHERE people.n <> c.participant_count"
    );
    let listed = format!(
        "{} SELECT count(*) FROM participant p JOIN listed ON listed.id = p.id
         WHERE listed.place <> p.sort_key",
        listed(db.backend())
    );
    let queries = [
        counts.as_str(),
        &roots,
        &places,
        &threads,
        CONVERSATIONS,
        &people,
        &listed,
    ];
    let [
        counts,
        roots,
        places,
        threads,
        conversations,
        people,
        listed,
    ] = match db.backend() {
        DbBackend::Postgres => {
            db.write(|tx| async move {
                tx.lift_timeout().await?;
                count_all(&*tx, queries).await
            })
            .await?
        }
        _ => count_all(&db.read().without_limit(), queries).await?,
    };
    Ok(Wrong {
        counts,
        roots,
        places,
        threads,
        conversations,
        participants: people + listed,
    })
}

/// Corrects wrong counts, and inserts missing threads. Positions are not repaired: a message in the wrong position is
/// damage that an operator should investigate.
pub async fn repair(db: &Db) -> Result<(), Error> {
    let counts = &format!(
        "{TREE} UPDATE message SET reply_count = truth.replies, descendant_count = truth.descendants
         FROM truth WHERE message.id = truth.id"
    );
    let roots = &format!(
        "{ROOTS} UPDATE message SET root_count = counted.roots FROM counted WHERE message.id = counted.id"
    );
    let sent = &format!(
        "{ROOTS} UPDATE message SET sender_root_count = sent.roots FROM sent WHERE message.id = sent.id"
    );
    let held = &format!(
        "{ROOTS} UPDATE conversation SET root_count = held.roots FROM held
         WHERE conversation.id = held.id AND conversation.root_count <> held.roots"
    );
    let threads = &format!(
        "{LIVE} UPDATE thread SET reply_count =
             COALESCE((SELECT live.n FROM live WHERE live.id = thread.id), 0)
         WHERE reply_count <> COALESCE((SELECT live.n FROM live WHERE live.id = thread.id), 0)"
    );
    let missing = "INSERT INTO thread (id, conversation_id, reply_count, last_reply_seq, last_activity_at)
         SELECT root_id, conversation_id, sum(CASE WHEN deleted_at IS NULL THEN 1 ELSE 0 END), max(seq),
             max(created_at)
         FROM message m
         WHERE root_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM thread WHERE thread.id = m.root_id)
         GROUP BY root_id, conversation_id";
    let people = &format!(
        "{PEOPLE} UPDATE conversation SET participant_count = people.n FROM people
         WHERE conversation.id = people.id AND conversation.participant_count <> people.n"
    );
    let listed = &format!(
        "{} UPDATE participant SET sort_key = listed.place FROM listed
         WHERE participant.id = listed.id AND participant.sort_key <> listed.place",
        listed(db.backend())
    );
    db.write(|tx| async move {
        tx.lift_timeout().await?;
        for text in [counts, roots, sent, held, threads, missing, people, listed] {
            db::execute(&*tx, text, []).await?;
        }
        Ok(())
    })
    .await
}

fn places(backend: DbBackend) -> String {
    let (step, hex) = match backend {
        DbBackend::Postgres => ("lpad(to_hex({seq}), 8, '0')", "encode(m.path, 'hex')"),
        _ => ("printf('%08x', {seq})", "lower(hex(m.path))"),
    };
    PLACES
        .replace("{step}", &step.replace("{seq}", "seq"))
        .replace("{m_step}", &step.replace("{seq}", "m.seq"))
        .replace("{hex}", hex)
}

fn listed(backend: DbBackend) -> String {
    let hex = match backend {
        DbBackend::Postgres => "replace(CAST(p.user_id AS text), '-', '')",
        _ => "lower(hex(p.user_id))",
    };
    LISTED.replace("{hex}", hex)
}

async fn count_all<C: ConnectionTrait, const QUERIES: usize>(
    db: &C,
    queries: [&str; QUERIES],
) -> Result<[i64; QUERIES], Error> {
    let mut counts = [0; QUERIES];
    for (query, count) in queries.into_iter().zip(&mut counts) {
        let found = db::fetch_one(db, query, []).await?;
        *count = found.ok_or_else(|| Error::internal("a count without a row"))?;
    }
    Ok(counts)
}
