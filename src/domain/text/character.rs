//! Properties of characters, from the Unicode Character Database.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        BidiControl, DefaultIgnorableCodePoint, GeneralCategory, NoncharacterCodePoint,
        PrependedConcatenationMark,
    },
};

/// Characters that have the category of a letter, mark or symbol, but no shape.
const BLANK: [char; 5] = [
    '\u{2800}',  // Braille pattern blank
    '\u{13441}', // Egyptian hieroglyph full blank
    '\u{13442}', // Egyptian hieroglyph half blank
    '\u{16fe4}', // Khitan small script filler
    '\u{1d159}', // Musical symbol null notehead
];

/// Whether a character has a shape of its own. The others are spaces, controls, format characters, and the characters
/// that programs do not display (`Default_Ignorable_Code_Point`): joiners, fillers, variation selectors and tags.
pub(super) fn is_visible(char: char) -> bool {
    if char.is_ascii() {
        return char.is_ascii_graphic();
    }
    let has_shape = match CodePointMapData::<GeneralCategory>::new().get(char) {
        GeneralCategory::Control
        | GeneralCategory::SpaceSeparator
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator => false,
        GeneralCategory::Format => {
            CodePointSetData::new::<PrependedConcatenationMark>().contains(char)
        }
        _ => true,
    };
    has_shape
        && !is_ignorable(char)
        && !BLANK.contains(&char)
        && !CodePointSetData::new::<NoncharacterCodePoint>().contains(char)
}

/// Whether programs do not display this character by itself.
pub(super) fn is_ignorable(char: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char)
}

/// Whether this character changes the direction of the text around it (UAX 9, section 2).
pub(super) fn changes_direction(char: char) -> bool {
    CodePointSetData::new::<BidiControl>().contains(char)
}

/// Whether this character begins a new line or controls a device.
pub(super) fn is_control(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')
}

/// Whether at least one character of a text is visible.
#[must_use]
pub fn is_visible_text(text: &str) -> bool {
    text.chars().any(is_visible)
}
