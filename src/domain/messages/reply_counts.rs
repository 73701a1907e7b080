//! The reply and descendant counts that every message stores.

use std::collections::HashMap;

use sea_orm::Value;

use crate::{
    db::{self, Tx, ValuesCte},
    domain::messages::path,
    entity::message,
    error::Error,
    id::ConversationId,
};

/// Adds `step` for each of these parents, once per reply: to the direct replies of the parent and to the descendants
/// of the parent and all its ancestors, as far as these are stored. After a deletion, the caller corrects the counts of
/// [deep replies](super::deep_replies).
pub(super) async fn add_in(
    tx: &Tx,
    parents: impl IntoIterator<Item = &message::Model>,
    step: i32,
) -> Result<(), Error> {
    let mut steps: HashMap<(ConversationId, i32), [i32; 2]> = HashMap::new();
    for parent in parents {
        let counted = path::counted(&parent.path, parent.branch_seq).into_iter();
        let deep = parent.branch_seq.filter(|_| step > 0).map(|_| parent.seq);
        for seq in counted.chain(deep) {
            let [direct, below] = steps.entry((parent.conversation_id, seq)).or_default();
            *below += step;
            *direct += if seq == parent.seq { step } else { 0 };
        }
    }
    if steps.is_empty() {
        return Ok(());
    }
    // SQL for its values CTE: one UPDATE of many rows.
    let row = |((place, seq), [direct, below]): ((ConversationId, i32), [i32; 2])| -> [Value; 4] {
        [place.into(), seq.into(), direct.into(), below.into()]
    };
    let table = ValuesCte::new("v (place, seq, direct, below)", steps.into_iter().map(row));
    let text = format!(
        "WITH {} UPDATE message SET reply_count = reply_count + v.direct,
             descendant_count = descendant_count + v.below
         FROM v WHERE message.conversation_id = v.place AND message.seq = v.seq",
        table.text
    );
    db::execute(tx, &text, table.values).await?;
    Ok(())
}
