//! The text of `.env.example`.

use super::{Config, settings::SETTINGS};

/// Width at which explanations wrap.
const WIDTH: usize = 100;

/// Every setting with its default, commented out.
#[must_use]
pub fn example() -> String {
    let config = Config::default();
    let mut text = String::new();
    for line in [
        "Every setting of Heddle with its default. Copy this file to .env for development, and remove",
        "the mark before what you change; in production set these in the environment instead. Flags win",
        "over the environment, the environment over .env, .env over heddle.toml (the same names in lower",
        "case, without HEDDLE_). Written by `heddle config example`.",
    ] {
        push_comment(&mut text, line);
    }
    for setting in SETTINGS {
        let variable = setting.variable();
        text.push('\n');
        push_comment(&mut text, &format!("{}.", setting.about));
        push_comment(&mut text, &format!("Example: {}", setting.example));
        if setting.is_secret {
            push_comment(
                &mut text,
                &format!("Or {variable}_FILE: a file that holds it."),
            );
        }
        let default = quoted(&(setting.show)(&config));
        text.extend(["#", &variable, "=", &default, "\n"]);
    }
    text
}

fn push_comment(text: &mut String, words: &str) {
    let mut width = 0;
    for word in words.split(' ') {
        if width == 0 || width + 1 + word.chars().count() > WIDTH {
            if width > 0 {
                text.push('\n');
            }
            text.push('#');
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.chars().count();
    }
    text.push('\n');
}

fn quoted(value: &str) -> String {
    if value.contains(' ') {
        format!("\"{value}\"")
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_file_is_current() {
        let committed = include_str!("../../.env.example");
        assert_eq!(
            committed,
            example(),
            "write it anew: heddle config example > .env.example"
        );
    }
}
