//! `heddle seed`: generates users and conversations for a demo or a benchmark. The same arguments generate the same
//! rows.

mod generate;
mod lorem;
mod run;

pub(super) use self::run::{Args, run};
