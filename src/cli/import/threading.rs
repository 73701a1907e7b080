//! Who answers whom: mails that name each other become trees, in an order that can be stored. Pure.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use chrono::{DateTime, Utc};

/// What threading needs to know of a mail.
#[derive(Clone, Debug)]
pub struct Card {
    /// Its name.
    pub message_id: String,
    /// Mails it may answer, the likeliest first.
    pub forebears: Vec<String>,
    /// When it was written.
    pub written_at: DateTime<Utc>,
}

/// A mail in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Which card it is.
    pub card: usize,
    /// The mail it answers: its position in the same list, always an earlier one.
    pub parent: Option<usize>,
}

/// Puts every mail behind the one it answers, otherwise by time. Of mails with the same name the
/// first counts and the others are left out. A mail whose forebears are all missing opens a
/// thread, and so does one that would close a circle.
#[must_use]
pub fn place(cards: &[Card]) -> Vec<Placed> {
    let mut named: HashMap<&str, usize> = HashMap::with_capacity(cards.len());
    for (index, card) in cards.iter().enumerate() {
        named.entry(&card.message_id).or_insert(index);
    }
    let mut trees = Trees::new(cards.len());
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut ready = BinaryHeap::new();
    for (index, card) in cards.iter().enumerate() {
        if named.get(card.message_id.as_str()) != Some(&index) {
            continue;
        }
        let forebears = card
            .forebears
            .iter()
            .filter_map(|id| named.get(id.as_str()).copied());
        match forebears
            .into_iter()
            .find(|parent| trees.hang(index, *parent))
        {
            Some(parent) => children.entry(parent).or_default().push(index),
            None => ready.push(Reverse((card.written_at, index, None))),
        }
    }
    let mut placed = Vec::with_capacity(named.len());
    while let Some(Reverse((_, card, parent))) = ready.pop() {
        let position = placed.len();
        placed.push(Placed { card, parent });
        for child in children.remove(&card).unwrap_or_default() {
            if let Some(below) = cards.get(child) {
                ready.push(Reverse((below.written_at, child, Some(position))));
            }
        }
    }
    placed
}

/// Knows the root above every mail, so that a circle is noticed without walking up long threads.
struct Trees {
    above: Vec<usize>,
}

impl Trees {
    fn new(mails: usize) -> Self {
        Self {
            above: (0..mails).collect(),
        }
    }

    /// The root above `mail`, halving the way for the next caller.
    fn root(&mut self, mut mail: usize) -> usize {
        loop {
            let above = self.above.get(mail).copied().unwrap_or(mail);
            if above == mail {
                return mail;
            }
            let next = self.above.get(above).copied().unwrap_or(above);
            if let Some(slot) = self.above.get_mut(mail) {
                *slot = next;
            }
            mail = next;
        }
    }

    /// Hangs a mail that is still a root below `parent`; false if `parent` hangs below it.
    fn hang(&mut self, mail: usize, parent: usize) -> bool {
        let root = self.root(parent);
        if root == mail {
            return false;
        }
        if let Some(slot) = self.above.get_mut(mail) {
            *slot = root;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn card(id: &str, forebears: &[&str], minute: i64) -> Card {
        Card {
            message_id: id.to_owned(),
            forebears: forebears.iter().map(|id| (*id).to_owned()).collect(),
            written_at: DateTime::from_timestamp(minute * 60, 0).expect("a time"),
        }
    }

    fn told(cards: &[Card]) -> Vec<(&str, Option<&str>)> {
        let placed = place(cards);
        let id = |position: usize| cards[placed[position].card].message_id.as_str();
        (0..placed.len())
            .map(|position| (id(position), placed[position].parent.map(id)))
            .collect()
    }

    #[test]
    fn answers_follow_what_they_answer() {
        let cards = [
            card("c", &["b", "a"], 1),
            card("b", &["a"], 2),
            card("a", &[], 3),
        ];
        assert_eq!(
            told(&cards),
            [("a", None), ("b", Some("a")), ("c", Some("b"))]
        );
    }

    #[test]
    fn a_missing_mail_is_bridged() {
        let cards = [
            card("a", &[], 1),
            card("c", &["lost", "a"], 2),
            card("d", &["gone"], 3),
        ];
        assert_eq!(told(&cards), [("a", None), ("c", Some("a")), ("d", None)]);
    }

    #[test]
    fn unrelated_mails_come_by_time() {
        let cards = [
            card("b", &[], 2),
            card("a", &[], 1),
            card("b2", &["b"], 4),
            card("a2", &["a"], 3),
        ];
        assert_eq!(
            told(&cards),
            [
                ("a", None),
                ("b", None),
                ("a2", Some("a")),
                ("b2", Some("b"))
            ]
        );
    }

    #[test]
    fn circles_are_cut_and_doubles_left_out() {
        let cards = [
            card("a", &["c"], 1),
            card("b", &["a"], 2),
            card("c", &["b"], 3),
            card("self", &["self"], 4),
            card("a", &["b"], 5),
        ];
        assert_eq!(
            told(&cards),
            [
                ("c", None),
                ("a", Some("c")),
                ("b", Some("a")),
                ("self", None)
            ]
        );
    }

    proptest! {
        #[test]
        fn every_mail_is_placed_once_behind_its_parent(
            mails in prop::collection::vec((0..30_u8, prop::collection::vec(0..40_u8, 0..4), 0..10_i64), 0..60)
        ) {
            let cards: Vec<Card> = mails
                .iter()
                .map(|(id, forebears, minute)| Card {
                    message_id: id.to_string(),
                    forebears: forebears.iter().map(ToString::to_string).collect(),
                    written_at: DateTime::from_timestamp(minute * 60, 0).expect("a time"),
                })
                .collect();
            let placed = place(&cards);
            let mut ids: Vec<&String> = cards.iter().map(|card| &card.message_id).collect();
            ids.sort();
            ids.dedup();
            prop_assert_eq!(placed.len(), ids.len());
            for (position, mail) in placed.iter().enumerate() {
                prop_assert!(mail.parent.is_none_or(|parent| parent < position));
                if let Some(parent) = mail.parent {
                    let parent = &cards[placed[parent].card].message_id;
                    prop_assert!(cards[mail.card].forebears.contains(parent));
                }
            }
        }
    }
}
