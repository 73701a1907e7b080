//! What stands before the executor: every document and its variables are read, measured and pruned here, in time that
//! grows with their length and with nothing else. Pure: no axum, no database, no clock.

mod lexer;
mod limits;
mod refusal;

pub use lexer::{Lexed, lex};
pub use limits::Limits;
pub use refusal::{Excess, Refusal, Stage};
