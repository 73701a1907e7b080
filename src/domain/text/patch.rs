//! Recognises patches in plain text: unified and context diffs, diffs without context, and what tools write between them.

/// Beginnings of the lines of a patch.
const PATCH_LINES: &[&str] = &[
    " ",
    "\t",
    "+",
    "-",
    "@@",
    "! ",
    "\\ ",
    "*** ",
    "====",
    "diff ",
    "index ",
    "Index: ",
    "new file ",
    "new mode ",
    "deleted file ",
    "old mode ",
    "similarity ",
    "dissimilarity ",
    "rename ",
    "copy ",
    "Binary files ",
    "GIT binary ",
    "RCS file: ",
    "retrieving ",
];

/// Whether this line is a command of a diff without context, such as `3,4c3`.
fn is_change_command(line: &str) -> bool {
    let is_range = |text: &str| {
        let mut numbers = text.split(',');
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        numbers.next().is_some_and(is_number)
            && numbers.next().is_none_or(is_number)
            && numbers.next().is_none()
    };
    line.split_once(['a', 'c', 'd'])
        .is_some_and(|(from, to)| is_range(from) && is_range(to))
}

/// Returns the numbers of lines that the head of a hunk, `@@ -1,2 +3,4 @@`, announces: of the old and of the new text.
fn hunk_lengths(line: &str) -> Option<(usize, usize)> {
    let ranges = line.strip_prefix("@@ -")?.split_once(" @@")?.0;
    let (old, new) = ranges.split_once(" +")?;
    let length = |range: &str| match range.split_once(',') {
        Some((_, length)) => length.parse().ok(),
        None => Some(1),
    };
    Some((length(old)?, length(new)?))
}

/// Returns the number of lines below the head of a hunk that belong to it. Mailers may have removed the space of an empty
/// line.
fn hunk_lines(lines: &[&str], (mut old, mut new): (usize, usize)) -> usize {
    let mut end = 0;
    while let Some(line) = lines.get(end).filter(|_| old + new > 0) {
        let (is_old, is_new) = match line.chars().next() {
            None | Some(' ' | '\t') => (true, true),
            Some('-') => (true, false),
            Some('+') => (false, true),
            Some('\\') => (false, false),
            Some(_) => break,
        };
        let (Some(less_old), Some(less_new)) = (
            old.checked_sub(usize::from(is_old)),
            new.checked_sub(usize::from(is_new)),
        ) else {
            break;
        };
        (old, new) = (less_old, less_new);
        end += 1;
    }
    // A hunk that is cut off does not end with the blank lines above other text.
    let is_whole = old + new == 0;
    let shown = lines.get(..end).unwrap_or_default();
    let blank = shown.iter().rev().take_while(|line| line.trim().is_empty());
    if is_whole { end } else { end - blank.count() }
}

/// Whether a patch begins with these lines.
pub(super) fn begins_patch(lines: &[&str]) -> bool {
    let mut lines = lines.iter();
    let (Some(first), second) = (lines.next(), lines.next().copied().unwrap_or_default()) else {
        return false;
    };
    let is_head = [
        "--- ",
        "+++ ",
        "*** ",
        "Index: ",
        "Binary files ",
        "Only in ",
    ];
    first.starts_with("diff --git ")
        || first.starts_with("diff -") && is_head.iter().any(|start| second.starts_with(start))
        || is_change_command(first) && (second.starts_with("< ") || second.starts_with("> "))
        || first.starts_with("--- ") && second.starts_with("+++ ")
        || first.starts_with("*** ") && second.starts_with("--- ")
        || first.starts_with("Index: ") && second.starts_with("====")
        || first.starts_with("@@ -") && first.contains(" @@")
        // The summary below the text of a commit.
        || *first == "---" && second.starts_with(' ') && second.contains(" | ")
}

/// Returns the number of lines of the patch at the start.
pub(super) fn patch_lines(lines: &[&str]) -> usize {
    let is_patch = |line: &str| {
        PATCH_LINES.iter().any(|start| line.starts_with(start)) || is_change_command(line)
    };
    let mut end = 0;
    // Of a diff without context, lines of the texts begin like quotations.
    let mut is_plain = false;
    while let Some(line) = lines.get(end) {
        let head = end;
        if let Some(lengths) = hunk_lengths(line) {
            end += 1 + hunk_lines(lines.get(end + 1..).unwrap_or_default(), lengths);
            continue;
        }
        is_plain = is_plain || is_change_command(line);
        if head == 0
            || is_plain
                && (line.starts_with("< ") || line.starts_with("> ") || matches!(*line, "<" | ">"))
        {
            end += 1;
            continue;
        }
        let rest = lines.get(end..).unwrap_or_default();
        let blank = rest.iter().take_while(|line| line.trim().is_empty());
        let blank = blank.count();
        let next = lines.get(end + blank).copied().unwrap_or_default();
        let is_between = (1..3).contains(&blank) && is_patch(next);
        if !(is_patch(line) || is_between) {
            break;
        }
        end += blank.max(1);
    }
    end
}

#[cfg(test)]
mod tests {
    use crate::domain::text::escape_markdown;

    #[test]
    fn patches_are_shown_as_written() {
        for patch in [
            "diff -urN a/x b/x\n--- a/x\t2001-01-01\n+++ b/x\t2001-01-02\n@@ -1 +1 @@\n-a\n+b",
            // The spaces of empty lines were removed.
            "--- a/x\n+++ b/x\n@@ -1,6 +1,7 @@\n one\n\n\n\n+*two*\n three\n four",
            "3,4c3\n< *a*\n< b\n---\n> _c_",
            "1a2\n> added\n5d5\n< removed\n\\ No newline at end of file",
            "Index: x.c\n====\n--- x.c\n+++ x.c\n@@ -1,2 +1,2 @@\n-# one\n+# two\n \n@@ -9 +9 @@\n-\tx\n+\ty",
        ] {
            let written = format!("See below.\n\n{patch}\n\nAnn");
            assert_eq!(
                escape_markdown(&written),
                format!("See below.\n\n```\n{patch}\n```\n\nAnn"),
                "{patch}"
            );
        }
        // A patch that is cut off does not take the text below it.
        let cut = "@@ -1,9 +1,9 @@\n-a\n+b\n\nAnn";
        assert_eq!(
            escape_markdown(cut),
            "```\n@@ -1,9 +1,9 @@\n-a\n+b\n```\n\nAnn"
        );
    }
}
