//! The path of a message in its tree: one step for each ancestor and itself, root first. A step is the message's
//! sequence number in 4 bytes, most significant first. Therefore byte order is pre-order, a subtree is a range, and the
//! path contains the ancestors.

/// Bytes of one step.
pub const STEP: usize = 4;

/// The path of a message with this sequence number below a parent with this path (empty for a root).
#[must_use]
pub fn path(parent: &[u8], seq: i32) -> Vec<u8> {
    let mut path = parent.to_vec();
    path.extend(seq.to_be_bytes());
    path
}

/// The sequence numbers of all ancestors and the message itself, root first.
#[must_use]
pub fn places(path: &[u8]) -> Vec<i32> {
    let (steps, _) = path.as_chunks::<STEP>();
    steps.iter().map(|step| i32::from_be_bytes(*step)).collect()
}

/// The first path that follows the subtree of this one: its descendants are `path < x < end(path)`.
#[must_use]
pub fn end(path: &[u8]) -> Vec<u8> {
    let mut end = path.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < u8::MAX {
            *last += 1;
            break;
        }
        end.pop();
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_contains_its_ancestors() {
        let root = path(&[], 7);
        let reply = path(&path(&root, 9), 300);
        assert_eq!(places(&reply), [7, 9, 300]);
        assert_eq!(places(&[]), [0; 0]);
    }

    proptest! {
        #[test]
        fn a_subtree_is_a_range(
            above in prop::collection::vec(1..i32::MAX, 1..5),
            below in prop::collection::vec(1..i32::MAX, 1..5),
            aside in 1..i32::MAX,
        ) {
            let top = above.iter().fold(vec![], |parent, &seq| path(&parent, seq));
            let inside = below.iter().fold(top.clone(), |parent, &seq| path(&parent, seq));
            prop_assert!(top < inside && inside < end(&top));
            let mut sibling = above.clone();
            *sibling.last_mut().unwrap() = aside;
            let sibling = sibling.iter().fold(vec![], |parent, &seq| path(&parent, seq));
            prop_assert!(sibling == top || !(top < sibling && sibling < end(&top)));
        }
    }
}
