//! The path of a message in its tree: one step for each ancestor and itself, root first. A step is the message's
//! sequence number in 4 bytes, most significant first. Therefore byte order is pre-order, a subtree is a range, and the
//! path contains the ancestors.
//!
//! The length of a path is limited. A message at the maximum depth is the branch of all replies below it: their paths
//! end with their own step instead of the branch's, so they follow the branch in order of time.

/// Bytes of one step.
pub const STEP: usize = 4;

/// The path of a message with this sequence number below a parent with this path (empty for a root).
#[must_use]
pub fn path(parent: &[u8], seq: i32) -> Vec<u8> {
    let mut path = parent.to_vec();
    path.extend(seq.to_be_bytes());
    path
}

/// The path of a reply with this sequence number, and the sequence number of its branch, if it is deeper than
/// `max_depth`. `parent` is the path of its parent and the branch of that.
///
/// The limit only applies to new replies. Where it was higher before, they follow an ancestor that is deeper.
#[must_use]
pub fn reply(parent: (&[u8], Option<i32>), seq: i32, max_depth: i32) -> (Vec<u8>, Option<i32>) {
    let (above, branch) = parent;
    let depth = above.len() / STEP - usize::from(!above.is_empty());
    let max_depth = usize::try_from(max_depth).unwrap_or_default().max(1);
    let (before, own) = above.split_at(above.len().saturating_sub(STEP));
    let own = places(own).first().copied();
    match branch.or(own.filter(|_| depth >= max_depth)) {
        None => (path(above, seq), None),
        branch => (path(before, seq), branch),
    }
}

/// The sequence numbers of the messages whose descendant counts include the replies to a message with this path and this
/// branch: itself and its ancestors, or its branch and the ancestors of that, root first.
#[must_use]
pub fn counted(path: &[u8], branch: Option<i32>) -> Vec<i32> {
    let mut seqs = places(path);
    if let Some(branch) = branch {
        seqs.pop();
        seqs.push(branch);
    }
    seqs
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

    #[test]
    fn deep_replies_follow_their_branch() {
        let root = (path(&[], 1), None);
        let below = |(path, branch): &(Vec<u8>, Option<i32>), seq| reply((path, *branch), seq, 2);
        let first = below(&root, 2);
        let branch = below(&first, 3);
        let deep = below(&branch, 4);
        let deeper = below(&deep, 5);
        assert_eq!((places(&branch.0), branch.1), (vec![1, 2, 3], None));
        assert_eq!((places(&deep.0), deep.1), (vec![1, 2, 4], Some(3)));
        assert_eq!((places(&deeper.0), deeper.1), (vec![1, 2, 5], Some(3)));
        assert_eq!(counted(&branch.0, branch.1), [1, 2, 3]);
        assert_eq!(counted(&deeper.0, deeper.1), [1, 2, 3]);
        // A lower limit applies to new replies, and a higher one not below a branch.
        assert_eq!(
            reply((&branch.0, None), 6, 1),
            (below(&branch, 6).0, Some(3))
        );
        assert_eq!(reply((&deep.0, deep.1), 7, 500), below(&deep, 7));
        assert_eq!(places(&reply((&branch.0, None), 8, 500).0), [1, 2, 3, 8]);
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
