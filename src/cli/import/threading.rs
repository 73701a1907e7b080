//! Builds threads from the references between mails, in an order in which they can be stored. Pure functions.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use chrono::{DateTime, Utc};

/// The headers that threading needs.
#[derive(Clone, Debug)]
pub struct MailHeader {
    /// The Message-ID.
    pub message_id: String,
    /// Message-IDs of possible parents, the most likely first.
    pub references: Vec<String>,
    /// The time at which the mail was written.
    pub written_at: DateTime<Utc>,
}

/// A mail in storage order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadedMail {
    /// The index of its headers.
    pub header: usize,
    /// The position of its parent in the same list, which is always earlier.
    pub parent: Option<usize>,
}

/// Orders the mails by time, with every mail after its parent. Replies to a Message-ID that several mails have belong to
/// the first of them. A mail starts a new thread if all its references are missing or would create a cycle.
#[must_use]
pub fn thread(headers: &[MailHeader]) -> Vec<ThreadedMail> {
    let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(headers.len());
    for (index, header) in headers.iter().enumerate() {
        by_id.entry(&header.message_id).or_insert(index);
    }
    let mut sets = DisjointSets::new(headers.len());
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut ready = BinaryHeap::new();
    for (index, header) in headers.iter().enumerate() {
        let references = header
            .references
            .iter()
            .filter_map(|id| by_id.get(id.as_str()).copied());
        match references
            .into_iter()
            .find(|parent| sets.union(index, *parent))
        {
            Some(parent) => children.entry(parent).or_default().push(index),
            None => ready.push(Reverse((header.written_at, index, None))),
        }
    }
    let mut threaded = Vec::with_capacity(headers.len());
    while let Some(Reverse((_, header, parent))) = ready.pop() {
        let position = threaded.len();
        threaded.push(ThreadedMail { header, parent });
        for child in children.remove(&header).unwrap_or_default() {
            if let Some(header) = headers.get(child) {
                ready.push(Reverse((header.written_at, child, Some(position))));
            }
        }
    }
    threaded
}

/// A disjoint-set forest: finds the root of a mail, to detect cycles without following long threads.
struct DisjointSets {
    parents: Vec<usize>,
}

impl DisjointSets {
    fn new(mails: usize) -> Self {
        Self {
            parents: (0..mails).collect(),
        }
    }

    /// Returns the root of `mail`. Halves the path, so that the next call is faster.
    fn root(&mut self, mut mail: usize) -> usize {
        loop {
            let parent = self.parents.get(mail).copied().unwrap_or(mail);
            if parent == mail {
                return mail;
            }
            let next = self.parents.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.parents.get_mut(mail) {
                *slot = next;
            }
            mail = next;
        }
    }

    /// Attaches a root to the tree of `parent`. Returns false if `parent` is a descendant of `mail`.
    fn union(&mut self, mail: usize, parent: usize) -> bool {
        let root = self.root(parent);
        if root == mail {
            return false;
        }
        if let Some(slot) = self.parents.get_mut(mail) {
            *slot = root;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(id: &str, references: &[&str], minute: i64) -> MailHeader {
        MailHeader {
            message_id: id.to_owned(),
            references: references.iter().map(|id| (*id).to_owned()).collect(),
            written_at: DateTime::from_timestamp(minute * 60, 0).expect("a time"),
        }
    }

    fn threaded_ids(headers: &[MailHeader]) -> Vec<(&str, Option<&str>)> {
        let threaded = thread(headers);
        let id = |position: usize| headers[threaded[position].header].message_id.as_str();
        (0..threaded.len())
            .map(|position| (id(position), threaded[position].parent.map(id)))
            .collect()
    }

    #[test]
    fn replies_follow_their_parents() {
        let headers = [
            header("c", &["b", "a"], 1),
            header("b", &["a"], 2),
            header("a", &[], 3),
        ];
        assert_eq!(
            threaded_ids(&headers),
            [("a", None), ("b", Some("a")), ("c", Some("b"))]
        );
    }

    #[test]
    fn a_missing_parent_is_skipped() {
        let headers = [
            header("a", &[], 1),
            header("c", &["lost", "a"], 2),
            header("d", &["gone"], 3),
        ];
        assert_eq!(
            threaded_ids(&headers),
            [("a", None), ("c", Some("a")), ("d", None)]
        );
    }

    #[test]
    fn unrelated_mails_are_ordered_by_time() {
        let headers = [
            header("b", &[], 2),
            header("a", &[], 1),
            header("b2", &["b"], 4),
            header("a2", &["a"], 3),
        ];
        assert_eq!(
            threaded_ids(&headers),
            [
                ("a", None),
                ("b", None),
                ("a2", Some("a")),
                ("b2", Some("b"))
            ]
        );
    }

    #[test]
    fn cycles_are_cut_and_all_mails_of_one_id_are_kept() {
        let headers = [
            header("a", &["c"], 1),
            header("b", &["a"], 2),
            header("c", &["b"], 3),
            header("self", &["self"], 4),
            header("a", &["b"], 5),
        ];
        assert_eq!(
            threaded_ids(&headers),
            [
                ("c", None),
                ("a", Some("c")),
                ("b", Some("a")),
                ("self", None),
                ("a", Some("b"))
            ]
        );
    }

    proptest! {
        #[test]
        fn every_mail_occurs_once_after_its_parent(
            mails in prop::collection::vec((0..30_u8, prop::collection::vec(0..40_u8, 0..4), 0..10_i64), 0..60)
        ) {
            let headers: Vec<MailHeader> = mails
                .iter()
                .map(|(id, references, minute)| MailHeader {
                    message_id: id.to_string(),
                    references: references.iter().map(ToString::to_string).collect(),
                    written_at: DateTime::from_timestamp(minute * 60, 0).expect("a time"),
                })
                .collect();
            let threaded = thread(&headers);
            let mut placed: Vec<usize> = threaded.iter().map(|mail| mail.header).collect();
            placed.sort_unstable();
            prop_assert_eq!(placed, (0..headers.len()).collect::<Vec<_>>());
            for (position, mail) in threaded.iter().enumerate() {
                prop_assert!(mail.parent.is_none_or(|parent| parent < position));
                if let Some(parent) = mail.parent {
                    let parent = &headers[threaded[parent].header].message_id;
                    prop_assert!(headers[mail.header].references.contains(parent));
                }
            }
        }
    }
}
