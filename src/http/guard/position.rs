//! Positions in the text of a document.

use async_graphql::Pos;

/// The distance of the places at which the characters are counted, in bytes.
const BLOCK: usize = 64;

/// The text of a document and where its lines start.
#[derive(Debug)]
pub(super) struct Lines {
    text: Box<str>,
    /// The first byte of each line.
    starts: Vec<usize>,
    /// The characters before each block, so that a position does not take longer in a longer line.
    blocks: Vec<usize>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|&(at, byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let starts = [0].into_iter().chain(ends.map(|(at, _)| at + 1)).collect();
        let ends = bytes.chunks(BLOCK).scan(0, |before, block| {
            *before += characters(block);
            Some(*before)
        });
        Self {
            text: text.into(),
            starts,
            blocks: [0].into_iter().chain(ends).collect(),
        }
    }

    /// The line and the column of a byte, both counted from 1. A column is a character.
    pub(super) fn position(&self, at: usize) -> Pos {
        let line = self.starts.partition_point(|&start| start <= at);
        let start = self.starts.get(line.saturating_sub(1)).copied();
        let before = self.characters_before(at);
        let before_line = self.characters_before(start.unwrap_or(0));
        Pos {
            line,
            column: before.saturating_sub(before_line) + 1,
        }
    }

    fn characters_before(&self, at: usize) -> usize {
        let block = at / BLOCK;
        let rest = self.text.as_bytes().get(block * BLOCK..at);
        let blocks = self.blocks.get(block).copied();
        blocks.unwrap_or(0) + rest.map_or(0, characters)
    }

    /// The length of the text, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// The characters that start in these bytes of UTF-8.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&byte| byte & 0xC0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_terminator_ends_a_line() {
        let lines = Lines::of("a\nb\r\nü x\ry");
        let positions = [0, 2, 5, 8, 10].map(|at| lines.position(at));
        let expected = [(1, 1), (2, 1), (3, 1), (3, 3), (4, 1)].map(Pos::from);
        assert_eq!(positions, expected);
        assert_eq!(Lines::of("").position(0), Pos::from((1, 1)));
    }

    #[test]
    fn columns_of_long_lines_count_characters() {
        for first in ["", "a\n", "aa\n\n"] {
            let text = format!("{first}{}", "aü😀b".repeat(48));
            let lines = Lines::of(&text);
            let (line, start) = (first.lines().count() + 1, first.len());
            for (column, (at, _)) in text[start..].char_indices().enumerate() {
                let expected = Pos::from((line, column + 1));
                assert_eq!(lines.position(start + at), expected);
            }
            assert_eq!(lines.position(text.len()), Pos::from((line, 193)));
        }
    }
}
